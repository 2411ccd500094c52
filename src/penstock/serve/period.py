"""A table cut along its time, with a digest of the rows of each period."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

import duckdb

from penstock.release.gold import CHANGES
from penstock.sql.names import quote
from penstock.store.collection import Collection, Field

_MOST = 32  # a row is looked for in every one of them
_TYPES = {"DATE": "DATE", "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ"}
_BEGINS: Sequence[Callable[[date], date]] = (
    lambda day: day - timedelta(days=day.weekday()),
    lambda day: day.replace(day=1),
    lambda day: day.replace(month=day.month - (day.month - 1) % 3, day=1),
    lambda day: day.replace(month=1, day=1),
)
"""The first day of the week, month, quarter and year of a day."""


@dataclass(frozen=True)
class Period:
    """A condition on the rows of a table; `version` is another when they are, `place` is that of the period before and after.
    `stayed`: it is known that no row came or went."""

    version: str
    where: str
    place: str
    stayed: bool = False


@dataclass(frozen=True)
class _Day:
    """The rows of one day, or those without: their number, and the sum of their hashes, whatever their order."""

    day: date | None
    rows: int
    hashes: int


def periods(
    connection: duckdb.DuckDBPyConnection, collection: Collection, *, sliced_from: int, by_changes: bool = False
) -> tuple[Period, ...] | None:
    """The periods of a collection in its order: the shortest of which there are not too many. None where it is small
    or not ordered by time. What changed is told by the rows themselves, or by their changes since the release before."""
    column, _, direction = collection.order[0].partition(" ")
    relation = connection.sql(f"SELECT {quote(column)} FROM gold.{quote(collection.table)} LIMIT 0")
    kind = _TYPES.get(str(relation.types[0]))
    days = None if kind is None else _days(connection, collection, column, hashed=not by_changes)
    if kind is None or days is None or sum(one.rows for one in days) < sliced_from:
        return None
    dated = sorted((one for one in days if one.day is not None), key=_of, reverse=bool(direction))
    without = [one for one in days if one.day is None]
    for place, begin in enumerate(_BEGINS):
        groups = _grouped(dated, begin)
        if len(groups) < _MOST:
            cut = _Cut(collection, quote(column), kind, place)
            moved = cut.moved(connection) if by_changes else None
            return tuple(cut.period(group, moved) for group in (*groups, without) if group)
    return None


def digest(collection: Collection) -> str:
    """SQL of a number of 64 bits that is another when a row is, or when it stands elsewhere; it may do so by what is not
    shown."""
    shown = [part for field in collection.fields for part in _told_apart(field)]
    ordering = [quote(one.partition(" ")[0]) for one in collection.order]
    return f"hash({', '.join(dict.fromkeys([*shown, *ordering]))})"


def _told_apart(field: Field) -> tuple[str, ...]:
    """What differs where two values are shown differently. To DuckDB's hash 0.0 is -0.0, and an empty list is none."""
    name = quote(field.name)
    match field.kind:
        case "list":
            return (f"CAST(to_json({name}) AS VARCHAR)",)
        case "number":
            return (name, f"signbit({name})")
        case _:
            return (name,)


def _grouped(days: Sequence[_Day], begin: Callable[[date], date]) -> list[list[_Day]]:
    return [list(group) for _, group in groupby(days, lambda one: begin(_of(one)))]


def _days(
    connection: duckdb.DuckDBPyConnection, collection: Collection, column: str, *, hashed: bool
) -> list[_Day] | None:
    """None where a day is none of the calendar that can be counted in."""
    name = quote(column)
    hashes = f"sum(CAST({digest(collection)} AS HUGEINT))" if hashed else "0"
    found = connection.execute(
        f"SELECT {_day(name)}, count(*), {hashes}, count({name}) FROM gold.{quote(collection.table)} GROUP BY 1"
    ).fetchall()
    if any(day is None and dated for day, _, _, dated in found):
        return None
    return [_Day(day, rows, int(hashes)) for day, rows, hashes, _ in found]


def _day(name: str) -> str:
    proper = f"isfinite({name}) AND {name} >= DATE '0001-01-01' AND {name} < DATE '9999-01-01'"
    return f"CASE WHEN {proper} THEN CAST({name} AS DATE) END"


@dataclass(frozen=True)
class _Cut:
    """How a table is cut: by which column, and where periods begin."""

    collection: Collection
    name: str
    kind: str
    begins: int

    def moved(self, connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
        """The places to which rows came, or from which they went, since the release before."""
        sql = f"SELECT DISTINCT {_day(self.name)} FROM {CHANGES}.{quote(self.collection.table)}"
        return frozenset(self._place(day) for (day,) in connection.execute(sql).fetchall())

    def period(self, days: Sequence[_Day], moved: frozenset[str] | None) -> Period:
        place = self._place(days[0].day)
        if moved is None:
            rows, hashes = sum(one.rows for one in days), sum(one.hashes for one in days)
            version = f"{place} {duckdb.__version__} {rows} {hashes}"
        else:
            version = f"{place} {self.collection.version}"
        return Period(version, self._where(days), place, stayed=moved is not None and place not in moved)

    def _place(self, day: date | None) -> str:
        return "none" if day is None else f"{self.begins} {_BEGINS[self.begins](day)}"

    def _where(self, days: Sequence[_Day]) -> str:
        """Rows of other days between the first and the last there are none."""
        if days[0].day is None:
            return f"{self.name} IS NULL"
        first, last = min(map(_of, days)), max(map(_of, days)) + timedelta(days=1)
        return f"{self.name} >= {_literal(first, self.kind)} AND {self.name} < {_literal(last, self.kind)}"


def _of(day: _Day) -> date:
    assert day.day is not None
    return day.day


def _literal(day: date, kind: str) -> str:
    return f"{kind} '{day}{' 00:00:00+00' if kind == 'TIMESTAMPTZ' else ''}'"
