"""Rules that look only at the rows that came find what a look at all rows finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.quality.checks import run_checks
from penstock.quality.each_row import of_rows_that_came
from penstock.quality.growth import Growth, all_earlier
from penstock.quality.result import CheckResult
from penstock.spec.project import CheckKind
from tests.quality.quality_shapes import BOOKS, LOANS, StoppedClock, check, library, project

GREW = frozenset({"loans", "books"})
OVERDUE = check(CheckKind.ROWS, "SELECT loan_id FROM silver.loans WHERE loan_id > 5 ORDER BY loan_id", name="overdue")
LIBRARY = project(OVERDUE, contracts=(LOANS, BOOKS))
Loan = tuple[int, int | None, None]


def results(connection: duckdb.DuckDBPyConnection, growth: Growth | None = None) -> dict[str, CheckResult]:
    return {one.name: one for one in run_checks(LIBRARY, connection, clock=StoppedClock(), growth=growth)}


def records(loans: Sequence[Loan], books: Sequence[int]) -> list[dict[str, object]]:
    """What the gate said of these rows, as a release remembers it."""
    return [one.remembered() for one in results(library(list(loans), books=list(books))).values()]


def since(found: Sequence[Mapping[str, object]], *, whole: frozenset[str] = GREW) -> Growth:
    return Growth(GREW, whole, found)


def grown(
    loans: Sequence[Loan], books: Sequence[int], *, loans_before: int, books_before: int
) -> duckdb.DuckDBPyConnection:
    """The library with all these rows, of which the later ones came since."""
    connection = library(list(loans), books=list(books))
    connection.execute("CREATE SCHEMA came")
    connection.execute(f"CREATE VIEW came.loans AS FROM silver.loans WHERE _line >= {loans_before + 2}")
    connection.execute(f"CREATE VIEW came.books AS FROM silver.books WHERE _line >= {books_before + 2}")
    return connection


rows = st.lists(st.tuples(st.integers(1, 6), st.none() | st.integers(1, 4), st.none()), max_size=8)
keys = st.lists(st.integers(1, 4), max_size=5)


@settings(max_examples=40, deadline=None)
@given(before=rows, books=keys, came=rows, new_books=keys)
def test_the_rows_that_came_are_enough_to_find_what_all_rows_would_show(
    before: list[Loan], books: list[int], came: list[Loan], new_books: list[int]
) -> None:
    growth = since(records(before, books))
    connection = grown([*before, *came], [*books, *new_books], loans_before=len(before), books_before=len(books))
    narrow, whole = results(connection, growth), results(connection)
    for name in ("references.loans.book_id", "uniqueness.loans", "uniqueness.books", "overdue"):
        assert (narrow[name].status, narrow[name].value, narrow[name].sample) == (
            whole[name].status,
            whole[name].value,
            whole[name].sample,
        )


def test_rows_that_were_released_are_not_read_again() -> None:
    before: list[Loan] = [(1, 10, None), (2, 10, None)]
    connection = grown([*before, (3, 10, None)], [10], loans_before=2, books_before=1)
    connection.execute("DELETE FROM silver.books")  # only a look at every row would miss it
    connection.execute("DELETE FROM silver.loans WHERE loan_id = 3")
    assert results(connection, since(records(before, [10])))["references.loans.book_id"].value == "0"
    assert results(connection)["references.loans.book_id"].value == "2"


@pytest.mark.parametrize(
    "growth",
    [
        since(records([(1, 10, None)], [10]), whole=frozenset({"loans"})),
        since([{**one, "waiting": None} for one in records([(1, 11, None)], [10])]),
        since([{**one, "fingerprint": "another"} for one in records([(1, 10, None)], [10])]),
        since(()),
    ],
    ids=["rows went from what is referred to", "rows waited before, too many", "another rule", "never asked before"],
)
def test_all_rows_are_looked_at_where_the_others_may_not_hold(growth: Growth) -> None:
    connection = grown([(1, 11, None)], [10], loans_before=1, books_before=1)
    assert results(connection, growth)["references.loans.book_id"].value == "1"


def test_rows_that_waited_are_asked_again_and_no_others_that_were_released() -> None:
    before: list[Loan] = [(1, 11, None), (2, 10, None), (3, 12, None)]
    found = records(before, [10])
    connection = grown([*before, (4, 13, None)], [10, 12], loans_before=3, books_before=1)
    connection.execute("DELETE FROM silver.books WHERE book_id = 10")  # only a look at every row would miss it
    narrow = results(connection, since(found))["references.loans.book_id"]
    assert (narrow.value, narrow.waiting) == ("2", {"l": [2, 5]})
    assert [row["_line"] for row in narrow.sample] == ["2", "5"]


@settings(max_examples=40, deadline=None)
@given(before=rows, books=keys, gone=st.sets(st.integers(0, 7)), again=st.integers(0, 8), came=rows)
def test_rows_that_went_let_no_other_row_of_their_own_dataset_fail(
    before: list[Loan], books: list[int], gone: set[int], again: int, came: list[Loan]
) -> None:
    """Of a file that was written anew the rows that stay come again."""
    found = records(before, books)
    stay = [place for place in range(len(before)) if place not in gone]
    connection = grown([*before, *came], books, loans_before=len(before), books_before=len(books))
    for place in gone:
        connection.execute("DELETE FROM silver.loans WHERE _line = ?", [place + 2])
    first = min([len(before), *stay[max(0, len(stay) - again) :]]) + 2
    connection.execute(f"CREATE OR REPLACE VIEW came.loans AS FROM silver.loans WHERE _line >= {first}")
    narrow, whole = results(connection, since(found, whole=frozenset({"books"}))), results(connection)
    assert {name: (one.status, one.sample, one.waiting) for name, one in narrow.items()} == {
        name: (one.status, one.sample, one.waiting) for name, one in whole.items()
    }


@settings(max_examples=40, deadline=None)
@given(before=rows, books=keys, came=rows, new_books=keys)
def test_rows_are_looked_for_where_their_keys_may_be(
    before: list[Loan], books: list[int], came: list[Loan], new_books: list[int]
) -> None:
    def earlier(connection: duckdb.DuckDBPyConnection, dataset: str, keys: str | None) -> str:
        """What else a file may hold beside the keys does not matter: nothing else is in this one."""
        (key,) = LIBRARY.contracts[dataset].key
        return f"(SELECT held.* FROM {all_earlier(connection, dataset, None)} AS held SEMI JOIN {keys} USING ({key}))"

    growth = since(records(before, books))
    connection = grown([*before, *came], [*books, *new_books], loans_before=len(before), books_before=len(books))
    narrow, whole = results(connection, replace(growth, earlier=earlier)), results(connection, growth)
    assert {name: (one.status, one.sample, one.waiting) for name, one in narrow.items()} == {
        name: (one.status, one.sample, one.waiting) for name, one in whole.items()
    }


def test_no_other_file_is_read_where_each_row_that_came_refers_to_another_that_did() -> None:
    def nowhere(*_: object, **__: object) -> str:
        raise AssertionError

    connection = grown([(1, 10, None), (2, 11, None)], [10, 11], loans_before=1, books_before=1)
    growth = replace(since(records([(1, 10, None)], [10])), earlier=nowhere)
    with pytest.raises(AssertionError):
        results(connection, growth)
    loans = replace(LOANS, key=())
    unkeyed = project(contracts=(loans, replace(BOOKS, key=())))
    found = run_checks(unkeyed, connection, clock=StoppedClock())
    narrow = replace(growth, found=[one.remembered() for one in found])
    assert {one.status for one in run_checks(unkeyed, connection, clock=StoppedClock(), growth=narrow)} == {"pass"}


def test_rows_of_a_declared_rule_that_were_released_are_not_read_again() -> None:
    connection = grown([(1, 10, None), (2, 10, None)], [10], loans_before=1, books_before=1)
    connection.execute("INSERT INTO silver.loans (loan_id, _line) VALUES (9, 1)")  # only a look at every row finds it
    found = records([(1, 10, None)], [10])
    assert results(connection, since(found))["overdue"].value == "0"
    assert results(connection)["overdue"].value == "1"
    failed = [{**one, "status": "fail"} for one in found]
    assert results(connection, since(failed))["overdue"].value == "1"


@settings(max_examples=40, deadline=None)
@given(before=rows, gone=st.sets(st.integers(0, 7)), came=rows)
def test_a_rule_of_gold_looks_at_the_rows_that_came_where_it_held_for_the_others(
    before: list[Loan], gone: set[int], came: list[Loan]
) -> None:
    def desks(lent: Sequence[Loan]) -> duckdb.DuckDBPyConnection:
        connection = library(list(lent))
        connection.execute("CREATE TABLE gold.desks AS FROM silver.loans")
        return connection

    long = project(check(CheckKind.ROWS, "SELECT loan_id FROM gold.desks WHERE loan_id > 5 ORDER BY loan_id"))
    (found,) = run_checks(long, desks(before), clock=StoppedClock())
    connection = desks([*before, *came])
    for place in gone & {*range(len(before))}:
        connection.execute("DELETE FROM gold.desks WHERE _line = ?", [place + 2])
    connection.execute("CREATE SCHEMA came_gold")
    connection.execute(f"CREATE VIEW came_gold.desks AS FROM gold.desks WHERE _line >= {len(before) + 2}")
    growth = Growth(found=[found.remembered()], gold=frozenset({"desks"}))
    narrow, whole = (run_checks(long, connection, clock=StoppedClock(), growth=one) for one in (growth, None))
    assert [(one.status, one.value, one.sample) for one in narrow] == [
        (one.status, one.value, one.sample) for one in whole
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT loan_id FROM silver.loans WHERE loan_id < 0",
        "FROM silver.loans AS one WHERE abs(one.loan_id) < 0 AND one.book_id IN (1, 2)",
        "SELECT id FROM (SELECT loan_id AS id FROM silver.loans UNION ALL SELECT book_id FROM silver.books) WHERE id < 0",
    ],
)
def test_a_query_that_judges_each_row_by_itself_is_asked_of_the_rows_that_came(sql: str) -> None:
    in_silver = of_rows_that_came(sql, GREW)
    assert in_silver is not None
    assert in_silver.count("came.") == sql.count("silver.")
    in_gold = of_rows_that_came(sql.replace("silver.", "gold."), (), GREW)
    assert in_gold is not None
    assert in_gold.count("came_gold.") == sql.count("silver.")
    assert of_rows_that_came(sql.replace("silver.", "gold."), GREW) is None


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT sum(loan_id) FROM silver.loans",
        "SELECT book_id FROM silver.loans GROUP BY book_id",
        "SELECT DISTINCT book_id FROM silver.loans",
        "SELECT loan_id FROM silver.loans LIMIT 3",
        "SELECT loan_id FROM silver.loans QUALIFY row_number() OVER () > 1",
        "SELECT row_number() OVER () FROM silver.loans",
        "SELECT loan_id FROM silver.loans TABLESAMPLE 10%",
        "SELECT unnest([loan_id]) FROM silver.loans",
        "SELECT loan_id FROM silver.loans WHERE _ingested_at < now()",
        "SELECT loan_id FROM silver.loans WHERE _ingested_at < current_date",
        "SELECT loan_id FROM silver.loans WHERE book_id NOT IN (SELECT book_id FROM silver.books)",
        "SELECT loan_id FROM silver.loans ORDER BY (SELECT max(book_id) FROM silver.books)",
        "SELECT loan_id FROM silver.loans, silver.books",
        "SELECT loan_id FROM silver.loans UNION SELECT book_id FROM silver.books",
        "WITH kept AS (SELECT 1) SELECT loan_id FROM silver.loans",
        "SELECT loan_id FROM silver.fines",
        "SELECT loan_id FROM gold.loans",
        "SELECT silver.loans.loan_id FROM silver.loans",
        "SELECT FROM",
    ],
)
def test_any_other_query_is_asked_of_all_rows(sql: str) -> None:
    assert of_rows_that_came(sql, GREW) is None
