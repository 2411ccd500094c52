"""Which files of a table a release writes anew, where files hold ranges of a column of dates: pure arithmetic.

Files that are written anew hold ranges of their own. Only those of rows that came when none went lie over others; a
patch that touches one writes all anew that lie over one another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from penstock.lake.table import DataFile, FieldColumn, Scan

FILE_ROWS = 65_536  # a file is full with these; it holds whole days, so it may have more
_SMALL = FILE_ROWS // 4  # a file below is written together with its neighbours when anything changes
_LOOSE = 16  # so many files that are not full, and the next that would come is written into the others
_FEW = 16  # of so many rows one may have come or gone for the others to stay where they are
_NAMED = 4  # of so many rows one may be named as gone, in all
_EPOCH = date(1970, 1, 1)
_DAY = 86_400_000_000  # microseconds

Range = tuple[date, date]  # both included


@dataclass(frozen=True)
class Patch:
    """The files to remove, and the ranges of which every row is written, a file each."""

    removed: tuple[DataFile, ...]
    ranges: tuple[Range, ...]


def range_of(file: DataFile, column: FieldColumn) -> Range | None:
    """The dates (of moments: their UTC days) that a file holds, None where its bounds do not tell."""
    low, high = file.bounds.get(column.name, (None, None))
    if not isinstance(low, int) or not isinstance(high, int):
        return None
    unit = 1 if column.duckdb_type == "DATE" else _DAY
    return _EPOCH + timedelta(days=low // unit), _EPOCH + timedelta(days=high // unit)


def patch(
    files: Sequence[DataFile], column: FieldColumn, *, moved: Collection[date], rows: Mapping[date, int]
) -> Patch | None:
    """What to do about the dates `moved`; `rows` counts the rows that the table shall have by date.

    None where a file does not tell its dates: then everything must be written.
    """
    ranges = {file.path: known for file in files if (known := range_of(file, column)) is not None}
    if len(ranges) < len(files):
        return None
    touched = (
        {file.path for file in files if file.rows < _SMALL or _holds(ranges[file.path], moved)} if moved else set()
    )
    while clashing := {
        path for path in ranges.keys() - touched if any(_overlap(ranges[path], ranges[other]) for other in touched)
    }:
        touched |= clashing
    kept = [ranges[path] for path in ranges.keys() - touched]
    to_write = {day: count for day, count in rows.items() if not any(low <= day <= high for low, high in kept)}
    return Patch(
        removed=tuple(file for file in files if file.path in touched),
        ranges=tuple(cut(to_write, apart=[low for low, _ in kept])),
    )


def may_hold(scan: Scan, name: str | None, days: Collection[date] | None) -> Sequence[DataFile]:
    """The files in which a row may stand whose date is one of `days`: all where these, or the column, are not known."""
    column = next((column for column in scan.columns if column.name == name), None)
    if column is None or days is None:
        return scan.files
    ranges = [(file, range_of(file, column)) for file in scan.files]
    return [file for file, span in ranges if span is None or _holds(span, days)]


def may_grow(files: Sequence[DataFile]) -> bool:
    """Whether rows that came may have a file of their own, whatever their dates: there are not too many such files."""
    return sum(file.rows < FILE_ROWS for file in files) < _LOOSE


def may_amend(scan: Scan, *, came: int, gone: int) -> bool:
    """Whether the files may stay as they are: those rows that went are named as gone, and those that came have a file.

    A table smaller than a file is written anew, and one of which a part went that a reader would feel.
    """
    named = sum(one.rows for one in scan.deletes) + gone
    few = (came + gone) * _FEW <= scan.rows and named * _NAMED <= scan.rows
    return few and scan.rows >= FILE_ROWS and may_grow(scan.files)


def cut(rows: Mapping[date, int], *, apart: Collection[date] = ()) -> Iterator[Range]:
    """Ranges of whole days that hold about as many rows as a file should; none reaches over a day of `apart`."""
    first = last = None
    held = 0
    for day in sorted(rows):
        if first is not None and last is not None and (held >= FILE_ROWS or any(last < one < day for one in apart)):
            yield first, last
            first, held = None, 0
        first = day if first is None else first
        last = day
        held += rows[day]
    if first is not None and last is not None:
        yield first, last


def _holds(span: Range, days: Collection[date]) -> bool:
    return any(span[0] <= day <= span[1] for day in days)


def _overlap(one: Range, other: Range) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]
