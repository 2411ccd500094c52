"""A release writes the files that hold the date of a row that came or went, and no others."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.lake.lake import Lake
from penstock.lake.table import DataFile, FieldColumn, Scan
from penstock.release import slices
from penstock.release.slices import cut, patch, range_of
from tests.release.release_shapes import House, Model, ModelColumn, model

FIRST = date(2026, 1, 1)
DAYS = st.integers(0, 40).map(lambda number: FIRST + timedelta(days=number))


DAY = FieldColumn(1, "day", "DATE")
MOMENT = FieldColumn(1, "day", "TIMESTAMP WITH TIME ZONE")


def file(number: int, low: date, high: date, rows: int) -> DataFile:
    epoch = date(1970, 1, 1)
    return DataFile(f"f{number}", rows, 1, {"day": ((low - epoch).days, (high - epoch).days)})


def files_of(rows: Counter[date]) -> list[DataFile]:
    spans = cut(rows)
    return [
        file(number, low, high, sum(rows[day] for day in rows if low <= day <= high))
        for number, (low, high) in enumerate(spans)
    ]


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "FILE_ROWS", 8)
    monkeypatch.setattr(slices, "_SMALL", 2)


@given(rows=st.lists(DAYS, max_size=80), moved=st.sets(DAYS, max_size=4), other=st.lists(DAYS, max_size=10))
def test_what_stays_and_what_is_written_are_the_whole_table_once(
    rows: list[date], moved: set[date], other: list[date]
) -> None:
    files = files_of(Counter(rows))
    wanted = Counter([day for day in rows if day not in moved] + [day for day in other if day in moved])
    patched = patch(files, DAY, moved=moved, rows=wanted)
    assert patched is not None
    kept = [range_of(one, DAY) for one in files if one not in patched.removed]
    spans = sorted([*(span for span in kept if span), *patched.ranges])
    for day in wanted:
        assert sum(low <= day <= high for low, high in spans) == 1
    assert all(one[1] < other[0] for one, other in pairwise(spans))
    assert not any(low <= day <= high for day in moved for low, high in filter(None, kept))


@given(rows=st.lists(DAYS, min_size=1, max_size=80))
def test_where_nothing_moved_nothing_is_written(rows: list[date]) -> None:
    files = files_of(Counter(rows))
    assert patch(files, DAY, moved=(), rows=Counter(rows)) == slices.Patch((), ())


@given(rows=st.lists(DAYS, min_size=1, max_size=80), days=st.sets(DAYS, max_size=3))
def test_rows_of_some_dates_are_looked_for_in_the_files_that_may_hold_them(rows: list[date], days: set[date]) -> None:
    untold = DataFile("untold", 1, 1)
    scan = Scan("gold.loans", 1, (*files_of(Counter(rows)), untold), (DAY,))
    found = slices.may_hold(scan, "day", days)
    assert untold in found
    for one in scan.files:
        span = range_of(one, DAY)
        assert (one in found) == (span is None or any(span[0] <= day <= span[1] for day in days))
    assert slices.may_hold(scan, "day", None) == slices.may_hold(scan, None, days) == scan.files


def test_a_file_that_does_not_tell_its_dates_has_everything_written() -> None:
    assert patch([DataFile("f", 1, 1)], DAY, moved=[FIRST], rows={FIRST: 1}) is None


def test_a_moment_is_of_its_utc_day() -> None:
    late = int(datetime(1969, 12, 31, 23, 59, tzinfo=UTC).timestamp()) * 1_000_000
    one = DataFile("f", 2, 1, {"day": (late, late + 60_000_000)})
    assert range_of(one, MOMENT) == (date(1969, 12, 31), date(1970, 1, 1))


def loans(*rows: tuple[int, int], **fields: object) -> Model:
    """Loans by day and number."""
    dated = [(FIRST + timedelta(days=day), number) for day, number in rows]
    return model("loans", dated, ModelColumn("day", "date"), ModelColumn("n"), slice_by="day", **fields)


def test_a_patched_table_keeps_the_files_of_other_dates(house: House) -> None:
    before = [(day, number) for day in range(6) for number in range(4)]
    house.release(loans(*before))
    with Lake.open(house.root, house.world) as lake:
        old = {one.path for one in lake.scan("gold.loans").files}
    after = [(5, 99) if row == (5, 0) else row for row in before]
    release = house.release(loans(*after, status="moved", moved_slices=(FIRST + timedelta(days=5),)), built_on=1)
    with Lake.open(house.root, house.world) as lake:
        new = {one.path for one in lake.scan("gold.loans").files}
    assert (len(old), len(old & new), len(new)) == (3, 2, 3)
    assert release.changed == ("gold.loans",)
    assert sorted(row["n"] for row in house.rows("gold.loans")) == sorted(number for _, number in after)


def files_in(house: House) -> set[str]:
    with Lake.open(house.root, house.world) as lake:
        return {one.path for one in lake.scan("gold.loans").files}


def test_where_rows_only_came_they_have_a_file_of_their_own_and_no_other_is_written(house: House) -> None:
    rows = [(day, number) for day in range(6) for number in range(4)]
    house.release(loans(*rows))
    old, rows = files_in(house), [*rows, (0, 98), (9, 99)]
    days = (FIRST, FIRST + timedelta(days=9))
    house.release(loans(*rows, status="moved", new=2, moved_slices=days), built_on=1)
    new = files_in(house)
    assert (len(new - old), old - new) == (1, set())
    rows.remove((3, 0))  # a row goes: what lies over one another is written anew, and holds every row once
    house.release(loans(*rows, status="moved", moved_slices=(FIRST + timedelta(days=3),)), built_on=2)
    assert sorted(row["n"] for row in house.rows("gold.loans")) == sorted(number for _, number in rows)


def test_rows_that_came_are_written_into_the_others_when_they_have_many_files(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "_LOOSE", 3)
    rows, found = [(0, 0)], list[int]()
    house.release(loans(*rows))
    for number in range(1, 6):
        rows.append((0, number))
        house.release(loans(*rows, status="moved", new=1, moved_slices=(FIRST,)), built_on=number)
        found.append(len(files_in(house)))
    assert found == [2, 3, 1, 2, 3]
    assert sorted(row["n"] for row in house.rows("gold.loans")) == list(range(6))


def test_a_patch_is_not_trusted_when_the_build_started_from_another_release(house: House) -> None:
    house.release(loans((0, 1), (1, 2)))
    house.release(loans((0, 7), (1, 2)))
    house.release(loans((0, 1), (1, 3), status="moved", moved_slices=(FIRST + timedelta(days=1),)), built_on=1)
    assert [row["n"] for row in house.rows("gold.loans")] == [1, 3]


def test_rows_without_a_date_make_the_table_whole_again(house: House) -> None:
    house.release(loans((0, 1)))
    unknown = model("loans", [(None, 1), (FIRST, 2)], ModelColumn("day", "date"), ModelColumn("n"), slice_by="day")
    house.release(unknown, built_on=1)
    assert sorted(row["n"] for row in house.rows("gold.loans")) == [1, 2]
