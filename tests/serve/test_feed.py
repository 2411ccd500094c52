"""A large table is fed in slices of time: together they are the table, and only those change in which a row did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.serve.agreement import GoldColumn, fitted
from penstock.serve.feed import column_types, slices
from penstock.spec.endpoint import Endpoint, Ordering
from penstock.sql.connection import connect
from penstock.store.collection import Collection, collections, version_of
from penstock.store.files import FileStore
from penstock.store.manifest import Manifest
from penstock.store.protocol import Compare, Condition, Row, Slice
from penstock.testing.world import manual_world

DAYS = st.none() | st.dates(date(2023, 12, 20), date(2024, 2, 10))

_ENDPOINT = Endpoint(
    "/visits",
    "visits",
    "visit",
    ("visit", "came", "desk"),
    filters=("desk",),
    order=(Ordering("came", descending=True),),
)


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
    endpoint = replace(_ENDPOINT, order=(Ordering("came", descending=descending),))
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


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("VARCHAR[]", "[]", "[NULL]"),
        ("VARCHAR[]", "[]", "NULL"),
        ("VARCHAR[]", "['']", "[NULL]"),
        ("DOUBLE", "0.0", "'-0.0'"),
        ("FLOAT", "'nan'", "NULL"),
        ("DECIMAL(9,2)", "0", "NULL"),
        ("VARCHAR", "''", "NULL"),
    ],
)
def test_a_row_that_is_shown_differently_is_another(kind: str, before: str, after: str) -> None:
    with visits([date(2024, 1, 1)]) as connection:
        found = []
        for value in (before, after):
            connection.execute(
                f"CREATE OR REPLACE TABLE gold.visits AS SELECT 1 AS visit, DATE '2024-01-01' AS came, "
                f"CAST({value} AS {kind}) AS desk"
            )
            (one,) = slices(connection, collection(connection), sliced_from=1)
            assert one.digested is not None
            found.append((one.version, one.digested.digests(), rows([one])))

        assert all(one != other for one, other in zip(*found, strict=True))


DESKS = st.lists(st.sampled_from(["north", "south", None]), min_size=40, max_size=40)
VISIT = st.integers(0, 44)
STEP = st.tuples(
    st.dictionaries(VISIT, st.sampled_from(["north", "south", "east"]), max_size=6),
    st.dictionaries(VISIT, st.integers(1, 14), max_size=2),  # the day that it is moved to, or comes on
    st.sets(VISIT, max_size=1),
)


@settings(max_examples=40, deadline=None)
@given(DESKS, st.lists(STEP, min_size=1, max_size=4), st.booleans(), st.booleans())
def test_rows_put_into_a_former_file_are_those_of_a_new_one(
    desks: list[str | None], steps: list[tuple[dict[int, str], dict[int, int], set[int]]], cut: bool, by_changes: bool
) -> None:
    """Rows change, move, come and go, in a table of slices and in one of one slice, told by themselves or by changes."""
    refresh = partial(_refresh, sliced_from=1 if cut else 1000)
    with TemporaryDirectory() as folder, visits([date(2024, 1, 1 + visit // 3) for visit in range(40)]) as connection:
        _set_desks(connection, dict(enumerate(desks)))
        grown = FileStore(Path(folder) / "grown", manual_world())
        refresh(grown, connection, 1)
        for release, (changed, moved, gone) in enumerate(steps, start=2):
            connection.execute("CREATE OR REPLACE TABLE before AS FROM gold.visits")
            _set_desks(connection, changed)
            for visit, day in moved.items():
                connection.execute("DELETE FROM gold.visits WHERE visit = $1", [visit])
                connection.execute("INSERT INTO gold.visits VALUES ($1, $2, 'moved')", [visit, date(2024, 1, day)])
            connection.execute("DELETE FROM gold.visits WHERE list_contains($1, visit)", [sorted(gone)])
            _tell_changes(connection)
            fresh = FileStore(Path(folder) / f"fresh {release}", manual_world())

            refresh(grown, connection, release, by_changes=by_changes)
            refresh(fresh, connection, release)

            assert _answers(grown) == _answers(fresh)
            assert grown.faults() == ()


def _set_desks(connection: duckdb.DuckDBPyConnection, desks: dict[int, str | None] | dict[int, str]) -> None:
    for visit, desk in desks.items():
        connection.execute("UPDATE gold.visits SET desk = $1 WHERE visit = $2", [desk, visit])


def _tell_changes(connection: duckdb.DuckDBPyConnection) -> None:
    """What differs between the tables `before` and `gold.visits`."""
    connection.execute("CREATE SCHEMA IF NOT EXISTS changes")
    connection.execute(
        "CREATE OR REPLACE TABLE changes.visits AS SELECT *, true AS _came FROM (FROM gold.visits EXCEPT ALL FROM before)"
        " UNION ALL SELECT *, false FROM (FROM before EXCEPT ALL FROM gold.visits)"
    )


def test_of_known_changes_only_the_slices_are_told_that_hold_them(tmp_path: Path) -> None:
    store, weeks = FileStore(tmp_path, manual_world()), [date(2024, 1, 1) + timedelta(weeks=week) for week in range(9)]
    with visits(weeks) as connection:
        _refresh(store, connection, 1, sliced_from=1)
        connection.execute("CREATE TABLE before AS FROM gold.visits")
        connection.execute("UPDATE gold.visits SET desk = 'south' WHERE visit = 3")
        connection.execute("DELETE FROM gold.visits WHERE visit = 5")
        connection.execute("INSERT INTO gold.visits VALUES (9, '2024-01-10 13:00:00+00', 'east'), (10, NULL, 'east')")
        _tell_changes(connection)
        wanted = replace(collection(connection), version="2")

        cut = list(slices(connection, wanted, sliced_from=1, by_changes=True))

        assert [rows([one])[0][0] for one in cut if not one.stayed] == ["3", "9", "10"]
        before = {path.name for path in tmp_path.glob("*.rows")}
        _refresh(store, connection, 2, sliced_from=1, by_changes=True)
        after = {path.name for path in tmp_path.glob("*.rows")}
        assert (len(after), len(before & after)) == (9, 6)


def _refresh(
    store: FileStore, connection: duckdb.DuckDBPyConnection, release: int, *, sliced_from: int, by_changes: bool = False
) -> None:
    wanted = replace(collection(connection), version=str(release))
    manifest = Manifest("desks", "", release, f"2024-02-{release:02}T00:00:00Z", (_ENDPOINT,), (wanted,))
    store.refresh(manifest, lambda one: slices(connection, one, sliced_from=sliced_from, by_changes=by_changes))


def _answers(store: FileStore) -> list[object]:
    view = store.open()
    (wanted,) = view.manifest.collections
    chosen = [(), *((Condition("desk", Compare.EQUAL, desk),) for desk in ("north", "south", "east"))]
    pages = [view.page(wanted, one, skip=skip, limit=100 - skip) for one in chosen for skip in (0, 7)]
    return [pages, [view.count(wanted, one) for one in chosen], [view.document(wanted, str(n)) for n in range(45)]]
