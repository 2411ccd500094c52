"""Where few rows of a large table moved, its files stay: what came has a file, and what went is named."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.lake.lake import Lake
from penstock.lake.table import Scan
from penstock.release import slices
from penstock.sql.connection import connect
from penstock.transform.places import places_of
from tests.release.release_shapes import House, ModelColumn, model

FIRST = date(2026, 1, 1)
Row = tuple[Any, ...]
COLUMNS = (ModelColumn("day", "date"), ModelColumn("n"), ModelColumn("note", "string"))


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "FILE_ROWS", 8)
    monkeypatch.setattr(slices, "_SMALL", 2)


def loans(count: int) -> list[Row]:
    return [(FIRST + timedelta(days=number // 4), number, f"note {number % 3}") for number in range(count)]


def release(
    house: House, rows: list[Row], came: list[Row], went: list[Row], *, on: int, by_day: bool = True
) -> list[Row]:
    """Release the table with what came and went; its rows."""
    after = list((Counter(rows) - Counter(went) + Counter(came)).elements())
    days = tuple(sorted({row[0] for row in (*came, *went)}))
    moved = {"slice_by": "day", "moved_slices": days} if by_day else {}
    shown = model("loans", after, *COLUMNS, status="moved", came=tuple(came), went=tuple(went), **moved)
    house.release(shown, built_on=on)
    assert Counter(tuple(row.values()) for row in house.rows("gold.loans")) == Counter(after)
    return after


def scan_of(house: House) -> Scan:
    with Lake.open(house.root, house.world) as lake:
        return lake.scan("gold.loans")


@pytest.mark.parametrize("by_day", [True, False])
def test_files_stay_and_what_came_has_one_and_what_went_is_named(house: House, by_day: bool) -> None:
    rows = loans(80)
    house.release(model("loans", rows, *COLUMNS, slice_by="day" if by_day else None))
    before = {file.path for file in scan_of(house).files}
    release(house, rows, [(rows[7][0], 7, "corrected")], [rows[7], rows[60]], on=1, by_day=by_day)
    scan = scan_of(house)
    assert before < {file.path for file in scan.files}
    assert (len(scan.files) - len(before), [one.rows for one in scan.deletes]) == (1, [2])
    assert len(house.rows("gold.loans", release=1)) == 80


def test_a_table_is_written_anew_when_it_has_many_small_files(house: House) -> None:
    rows, found = loans(80), []
    house.release(model("loans", rows, *COLUMNS, slice_by="day"))
    for number in range(1, 20):
        came = [(rows[0][0], 100 + number, "new")]
        rows = release(house, rows, came, [rows[0]], on=number)
        found.append(len(scan_of(house).deletes))
    assert 0 in found[1:]
    assert max(len(scan_of(house).files), len(found)) < 30


def test_a_table_is_written_anew_when_many_of_its_rows_are_gone(house: House) -> None:
    rows = loans(80)
    house.release(model("loans", rows, *COLUMNS, slice_by="day"))
    found = []
    for number in range(1, 6):
        rows = release(house, rows, [], rows[7 * number : 7 * number + 4], on=number)
        found.append(scan_of(house).rows - sum(file.rows for file in scan_of(house).files))
    assert found == [-4, -8, -12, -16, 0]


def test_a_small_table_and_one_of_which_much_moved_are_written_anew(house: House) -> None:
    rows = loans(7)
    house.release(model("loans", rows, *COLUMNS, slice_by="day"))
    rows = release(house, rows, [], [rows[0]], on=1)
    assert scan_of(house).deletes == ()
    house.release(model("loans", loans(80), *COLUMNS, slice_by="day"))
    release(house, loans(80), [], loans(80)[:10], on=3)
    assert scan_of(house).deletes == ()


def test_a_table_that_does_not_hold_what_went_is_written_anew(house: House) -> None:
    rows = loans(80)
    house.release(model("loans", rows, *COLUMNS, slice_by="day"))
    unknown = model("loans", rows[1:], *COLUMNS, slice_by="day", status="moved", came=(), went=((FIRST, 999, "no"),))
    house.release(unknown, built_on=1)
    assert scan_of(house).deletes == ()
    assert len(house.rows("gold.loans")) == 79


def test_one_of_equal_rows_goes_and_the_others_stay(house: House) -> None:
    rows = [*loans(80), *[(FIRST, 500, "twice")] * 3]
    house.release(model("loans", rows, *COLUMNS, slice_by="day"))
    release(house, rows, [], [rows[-1], rows[-1]], on=1)
    assert [one.rows for one in scan_of(house).deletes] == [2]


@pytest.mark.parametrize(
    "names", [("POS", "file_path"), ("_row", "_nth"), ("_path_of_row", "filename"), ("_gone_path", "_gone_pos")]
)
def test_columns_may_have_any_name(house: House, names: tuple[str, str]) -> None:
    rows = [*((number, "once") for number in range(78)), (99, "twice"), (99, "twice")]
    columns = (ModelColumn(names[0]), ModelColumn(names[1], "string"))
    house.release(model("loans", rows, *columns))
    for number, gone in enumerate((0, -1), start=1):
        after = [row for place, row in enumerate(rows) if place != gone % len(rows)]
        house.release(model("loans", after, *columns, status="moved", came=(), went=(rows[gone],)), built_on=number)
        assert sorted(tuple(row.values()) for row in house.rows("gold.loans")) == after
        assert scan_of(house).deletes
        rows = after


VALUES = st.tuples(
    st.sampled_from([None, 1, 2]), st.sampled_from([None, "a", "b"]), st.sampled_from([None, 0.5, float("nan")])
)


@given(stored=st.lists(VALUES, min_size=1, max_size=12), data=st.data())
@settings(max_examples=60, deadline=None)
def test_each_row_that_went_is_found_in_a_place_of_its_own(stored: list[Row], data: st.DataObject) -> None:
    went = data.draw(st.lists(st.sampled_from(range(len(stored))), min_size=1, unique=True))
    with connect() as connection:
        for name, numbers in (("stored", range(len(stored))), ("went", went)):
            connection.execute(f"CREATE TABLE {name} (a INTEGER, b VARCHAR, c DOUBLE, file_path VARCHAR, pos BIGINT)")
            connection.executemany(f"INSERT INTO {name} VALUES (?, ?, ?, 'f', ?)", [(*stored[n], n) for n in numbers])
        places = places_of(connection, "SELECT a, b, c FROM went", "FROM stored", ["a", "b", "c"], ("file_path", "pos"))
    assert places is not None
    found = [stored[pos] for pos in set(places["pos"].to_pylist())]
    assert Counter(map(repr, found)) == Counter(repr(stored[n]) for n in went)


def test_a_row_that_is_nowhere_is_not_given_another_ones_place() -> None:
    with connect() as connection:
        stored = "SELECT n, n AS pos, 'f' AS file_path FROM range(3) AS r(n)"
        assert places_of(connection, "SELECT 7 AS n", stored, ["n"], ("file_path", "pos")) is None
