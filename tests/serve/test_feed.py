"""A large table is fed in slices of time: together they are the table, and only those change in which a row did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.serve.agreement import GoldColumn, fitted
from penstock.serve.feed import column_types, slices
from penstock.spec.endpoint import Endpoint, Ordering
from penstock.sql.connection import connect
from penstock.store.collection import Collection, collections, version_of
from penstock.store.protocol import Row, Slice

DAYS = st.none() | st.dates(date(2023, 12, 20), date(2024, 2, 10))


def visits(days: Sequence[date | None], *, kind: str = "TIMESTAMPTZ", step: str = "") -> duckdb.DuckDBPyConnection:
    """A visit on each day, numbered; `step` is added to the number of the last."""
    connection = connect(threads=1)
    connection.execute(f"CREATE SCHEMA gold; CREATE TABLE gold.visits (visit BIGINT, came {kind}, desk VARCHAR)")
    hour = " 13:00:00+00" if kind == "TIMESTAMPTZ" else ""
    for number, day in enumerate(days):
        connection.execute(
            "INSERT INTO gold.visits VALUES (?, ?, 'north')", [number, None if day is None else f"{day}{hour}"]
        )
    if step:
        connection.execute(f"UPDATE gold.visits SET desk = '{step}' WHERE visit = {len(days) - 1}")
    return connection


def collection(connection: duckdb.DuckDBPyConnection, *, descending: bool = True) -> Collection:
    order = (Ordering("came", descending=descending),)
    endpoint = Endpoint("/visits", "visits", "visit", ("visit", "came"), filters=("desk",), order=order)
    tables = {"visits": [GoldColumn(name, kind) for name, kind in column_types(connection, "visits").items()]}
    (found,) = fitted(collections([endpoint]), tables)
    return replace(found, version=version_of(found, 1))


def rows(found: Sequence[Slice]) -> list[Row]:
    return [row for one in found for batch in one.rows() for row in batch]


@settings(max_examples=25, deadline=None)
@given(st.lists(DAYS, min_size=1, max_size=12), st.booleans(), st.sampled_from(["DATE", "TIMESTAMPTZ"]))
def test_the_slices_of_a_table_are_the_table_in_its_order(days: list[date | None], descending: bool, kind: str) -> None:
    with visits(days, kind=kind) as connection:
        wanted = collection(connection, descending=descending)

        cut = list(slices(connection, wanted, sliced_from=1))

        assert rows(cut) == rows(list(slices(connection, wanted)))
        assert len({one.version for one in cut}) == len(cut)
        weeks = {None if day is None else day - timedelta(days=day.weekday()) for day in days}
        assert len(cut) == len(weeks)


@settings(max_examples=25, deadline=None)
@given(st.lists(DAYS, min_size=2, max_size=12))
def test_only_the_slice_of_a_row_that_changed_is_another(days: list[date | None]) -> None:
    with visits(days) as before, visits(days, step="south") as after:
        versions = [
            [one.version for one in slices(connection, collection(connection), sliced_from=1)]
            for connection in (before, after)
        ]

        changed = [one != other for one, other in zip(*versions, strict=True)]
        assert changed.count(True) == 1


def test_a_slice_is_another_when_only_its_order_changed() -> None:
    with visits([date(2024, 1, 1)] * 2) as connection:
        wanted = replace(collection(connection), order=("came", "rank desc", "visit"))
        versions = set()
        for rank in ("visit", "-visit", "visit"):
            connection.execute(
                f"CREATE OR REPLACE TABLE gold.visits AS SELECT visit, came, desk, {rank} AS rank FROM gold.visits"
            )
            versions |= {one.version for one in slices(connection, wanted, sliced_from=1)}

        assert len(versions) == 2


@pytest.mark.parametrize(("span", "expected"), [(30, 30), (40, 10), (60, 14), (200, 16), (3000, 1)])
def test_the_longer_the_time_the_longer_its_slices(span: int, expected: int) -> None:
    """Weeks, months, quarters or years, whichever are fewer than 32; else all at once."""
    weekly = [date(2000, 1, 3) + timedelta(weeks=week) for week in range(span)]
    with visits(weekly, kind="DATE") as connection:
        assert len(list(slices(connection, collection(connection), sliced_from=1))) == expected


def test_a_small_table_and_one_without_time_are_one_slice() -> None:
    with visits([date(2024, 1, 1), date(2024, 6, 1)]) as connection:
        wanted = collection(connection)
        by_number = replace(wanted, order=("visit",))

        assert [one.version for one in slices(connection, wanted, sliced_from=3)] == [wanted.version]
        assert [one.version for one in slices(connection, by_number, sliced_from=1)] == [wanted.version]


def test_times_outside_the_calendar_are_kept_in_order() -> None:
    with visits([date(2024, 1, 1)]) as connection:
        connection.execute("INSERT INTO gold.visits VALUES (7, 'infinity', 'north'), (8, NULL, 'north')")

        found = list(slices(connection, collection(connection), sliced_from=1))

        assert [row[0] for row in rows(found)] == ["7", "0", "8"]
        assert len(found) == 1
