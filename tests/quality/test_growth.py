"""Rules that look only at the rows that came find what a look at all rows finds."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quality_shapes import BOOKS, LOANS, StoppedClock, library, project

from penstock.quality.checks import run_checks
from penstock.quality.growth import Growth
from penstock.quality.result import CheckResult

LIBRARY = project(contracts=(LOANS, BOOKS))
GREW = frozenset({"loans", "books"})
Loan = tuple[int, int | None, None]


def results(connection: duckdb.DuckDBPyConnection, growth: Growth | None = None) -> dict[str, CheckResult]:
    return {one.name: one for one in run_checks(LIBRARY, connection, clock=StoppedClock(), growth=growth)}


def records(loans: Sequence[Loan], books: Sequence[int]) -> list[dict[str, object]]:
    """What the gate said of these rows, as a release remembers it."""
    return [one.as_record() for one in results(library(list(loans), books=list(books))).values()]


def grown(loans: Sequence[Loan], books: Sequence[int], *, loans_before: int, books_before: int):
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
def test_the_rows_that_came_are_enough_to_find_what_all_rows_would_show(before, books, came, new_books):
    growth = Growth(GREW, records(before, books))
    connection = grown([*before, *came], [*books, *new_books], loans_before=len(before), books_before=len(books))
    narrow, whole = results(connection, growth), results(connection)
    for name in ("references.loans.book_id", "uniqueness.loans", "uniqueness.books"):
        assert (narrow[name].status, narrow[name].value, narrow[name].sample) == (
            whole[name].status,
            whole[name].value,
            whole[name].sample,
        )


def test_rows_that_were_released_are_not_read_again():
    before: list[Loan] = [(1, 10, None), (2, 10, None)]
    connection = grown([*before, (3, 10, None)], [10], loans_before=2, books_before=1)
    connection.execute("DELETE FROM silver.books")  # only a look at every row would miss it
    connection.execute("DELETE FROM silver.loans WHERE loan_id = 3")
    assert results(connection, Growth(GREW, records(before, [10])))["references.loans.book_id"].value == "0"
    assert results(connection)["references.loans.book_id"].value == "2"


@pytest.mark.parametrize(
    "growth",
    [
        Growth(frozenset({"loans"}), records([(1, 10, None)], [10])),
        Growth(GREW, records([(1, 11, None)], [10])),
        Growth(GREW, [{**one, "fingerprint": "another"} for one in records([(1, 10, None)], [10])]),
        Growth(GREW, ()),
    ],
    ids=["rows went from what is referred to", "rows waited before", "another rule", "never asked before"],
)
def test_all_rows_are_looked_at_where_the_others_may_not_hold(growth):
    connection = grown([(1, 11, None)], [10], loans_before=1, books_before=1)
    assert results(connection, growth)["references.loans.book_id"].value == "1"
