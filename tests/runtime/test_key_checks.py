"""The gate holds the keys of endpoints to be unique, and reads no more of a table than came to it."""

from __future__ import annotations

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.quality.growth import Growth
from penstock.quality.result import CheckResult, Status
from penstock.runtime.serving import key_checks
from penstock.spec.endpoint import Endpoint
from penstock.sql.connection import connect
from penstock.testing.world import ManualClock

BOOKS = Endpoint("/books", "books", "isbn", ("isbn",), places={"/key": "endpoints/books.yml:4:10"})
ISBNS = st.lists(st.none() | st.sampled_from("abcd"), max_size=5)


@settings(max_examples=80, deadline=None)
@given(before=ISBNS, gone=st.sets(st.integers(0, 4)), came=ISBNS)
def test_of_an_endpoint_whose_key_was_unique_the_rows_that_came_are_looked_at(
    before: list[str | None], gone: set[int], came: list[str | None]
) -> None:
    """A row of the table that went lets no other repeat its key."""
    with connect() as connection:
        connection.execute("CREATE SCHEMA gold; CREATE SCHEMA came_gold")
        connection.execute("CREATE TABLE gold.books (isbn VARCHAR)")

        put(connection, "gold.books", before)
        found = check(connection)
        connection.execute("DELETE FROM gold.books")
        put(connection, "gold.books", [one for place, one in enumerate(before) if place not in gone])
        put(connection, "gold.books", came)
        connection.execute("CREATE TABLE came_gold.books (isbn VARCHAR)")
        put(connection, "came_gold.books", came)

        narrow, whole = check(connection, since=found), check(connection)
    assert (narrow.status, narrow.value, narrow.message) == (whole.status, whole.value, whole.message)


def test_rows_of_a_served_table_that_were_released_are_not_read_again() -> None:
    with connect() as connection:
        connection.execute("CREATE SCHEMA gold; CREATE SCHEMA came_gold")
        connection.execute("CREATE TABLE gold.books AS SELECT 'a' AS isbn")
        before = check(connection)
        connection.execute("INSERT INTO gold.books VALUES ('a')")  # only a look at every row finds it
        connection.execute("CREATE TABLE came_gold.books (isbn VARCHAR)")
        narrow, whole = check(connection, since=before), check(connection)
    assert (narrow.status, whole.status) == (Status.PASS, Status.FAIL)


def put(connection: duckdb.DuckDBPyConnection, table: str, isbns: list[str | None]) -> None:
    for isbn in isbns:
        connection.execute(f"INSERT INTO {table} VALUES (?)", [isbn])


def check(connection: duckdb.DuckDBPyConnection, *, since: CheckResult | None = None) -> CheckResult:
    growth = Growth() if since is None else Growth(found=[since.remembered()], gold=frozenset({"books"}))
    (found,) = key_checks([BOOKS], connection, clock=ManualClock(), growth=growth)
    return found
