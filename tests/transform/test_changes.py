"""Rows that move: what is put in the place of what, and what is kept as the changes of the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.sql.connection import connect
from penstock.transform import changes, warehouse

Row = tuple[int | None, str | None]
ROWS = st.lists(st.tuples(st.sampled_from([1, 2, None]), st.sampled_from(["a", "b", None])), max_size=8)
COLUMNS = "(key INTEGER, said VARCHAR)"


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as held:
        held.execute("ATTACH ':memory:' AS warehouse")
        warehouse.make_schema(held, "gold")
        warehouse.make_schema(held, changes.SCHEMA)
        yield held


def moved(connection: duckdb.DuckDBPyConnection, standing: list[Row], coming: list[Row], *, keys: str) -> None:
    """Give the table its rows, and put others in the place of those of some keys."""
    for table, rows in (("warehouse.gold.sold", standing), ("coming", coming)):
        connection.execute(f"CREATE OR REPLACE {'TEMP ' if table == 'coming' else ''}TABLE {table} {COLUMNS}")
        if rows:
            connection.executemany(f"INSERT INTO {table} VALUES (?, ?)", rows)
    changes.take_out(connection, "gold.sold", f"warehouse.gold.sold AS row WHERE {keys}")
    changes.move(connection, "gold.sold", "coming")


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(standing=ROWS, coming=ROWS)
def test_rows_come_in_the_place_of_those_of_their_keys_as_often_as_they_are_there(
    connection: duckdb.DuckDBPyConnection, standing: list[Row], coming: list[Row]
) -> None:
    moved(connection, standing, coming, keys="key IS DISTINCT FROM 1")
    gone, stays = [row for row in standing if row[0] != 1], [row for row in standing if row[0] == 1]
    told = connection.execute(f"SELECT * FROM {changes.named('gold.sold')}").fetchall()
    assert Counter(connection.execute("FROM warehouse.gold.sold").fetchall()) == Counter([*stays, *coming])
    assert Counter(row[:2] for row in told if row[2]) == Counter(coming) - Counter(gone)
    assert Counter(row[:2] for row in told if not row[2]) == Counter(gone) - Counter(coming)


def test_a_row_that_both_have_stays_where_it_is(connection: duckdb.DuckDBPyConnection) -> None:
    moved(connection, [(1, "a"), (1, "b"), (1, "b"), (2, "c")], [(1, "b"), (1, "d"), (1, "a")], keys="key = 1")
    places = connection.execute("SELECT said, rowid FROM warehouse.gold.sold ORDER BY ALL").fetchall()
    assert [said for said, _ in places] == ["a", "b", "c", "d"]
    assert [place for said, place in places if said in "ac"] == [0, 3]


def test_rows_that_were_taken_out_are_read_as_they_stood(connection: duckdb.DuckDBPyConnection) -> None:
    compiled = 'SELECT * FROM (select * from "warehouse"."gold"."sold" limit 0) /* as it stood */ ORDER BY ALL'
    moved(connection, [(1, "a"), (1, "b"), (2, "c")], [(1, "d")], keys="key = 1")
    assert connection.execute(compiled).fetchall() == []  # as dbt alone would
    assert connection.execute(changes.resolved(compiled)).fetchall() == [(1, "a"), (1, "b")]


def test_the_macros_name_no_table_that_a_build_makes_on_its_way() -> None:
    macros = Path(changes.__file__).parent / "macros"
    assert [path.name for path in macros.glob("*.sql") if "temp." in path.read_text()] == []
