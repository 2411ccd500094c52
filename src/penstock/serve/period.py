"""A table cut along its time, with a digest of the rows of each period."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

import duckdb

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
    """A condition on the rows of a table; `version` is a digest of those that meet it."""

    version: str
    where: str


@dataclass(frozen=True)
class _Day:
    """The rows of one day, or those without: their number, and the sum of their hashes, whatever their order."""

    day: date | None
    rows: int
    hashes: int


def periods(
    connection: duckdb.DuckDBPyConnection, collection: Collection, *, sliced_from: int
) -> tuple[Period, ...] | None:
    """The periods of a collection in its order: the shortest of which there are not too many. None where it is small
    or not ordered by time."""
    column, _, direction = collection.order[0].partition(" ")
    relation = connection.sql(f"SELECT {quote(column)} FROM gold.{quote(collection.table)} LIMIT 0")
    kind = _TYPES.get(str(relation.types[0]))
    days = None if kind is None else _days(connection, collection, column)
    if kind is None or days is None or sum(one.rows for one in days) < sliced_from:
        return None
    dated = sorted((one for one in days if one.day is not None), key=_of, reverse=bool(direction))
    without = [one for one in days if one.day is None]
    for begin in _BEGINS:
        groups = _grouped(dated, begin)
        if len(groups) < _MOST:
            return tuple(_period(group, quote(column), kind) for group in (*groups, without) if group)
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


def _days(connection: duckdb.DuckDBPyConnection, collection: Collection, column: str) -> list[_Day] | None:
    """None where a day is none of the calendar that can be counted in."""
    name = quote(column)
    proper = f"isfinite({name}) AND {name} >= DATE '0001-01-01' AND {name} < DATE '9999-01-01'"
    found = connection.execute(
        f"SELECT CASE WHEN {proper} THEN CAST({name} AS DATE) END, count(*), sum(CAST({digest(collection)} AS HUGEINT)), "
        f"count({name}) FROM gold.{quote(collection.table)} GROUP BY 1"
    ).fetchall()
    if any(day is None and dated for day, _, _, dated in found):
        return None
    return [_Day(day, rows, int(hashes)) for day, rows, hashes, _ in found]


def _period(days: Sequence[_Day], name: str, kind: str) -> Period:
    """Rows of other days between the first and the last there are none."""
    version = f"{duckdb.__version__} {sum(one.rows for one in days)} {sum(one.hashes for one in days)}"
    if days[0].day is None:
        return Period(f"none {version}", f"{name} IS NULL")
    first, last = min(map(_of, days)), max(map(_of, days)) + timedelta(days=1)
    where = f"{name} >= {_literal(first, kind)} AND {name} < {_literal(last, kind)}"
    return Period(f"{first} {version}", where)


def _of(day: _Day) -> date:
    assert day.day is not None
    return day.day


def _literal(day: date, kind: str) -> str:
    return f"{kind} '{day}{' 00:00:00+00' if kind == 'TIMESTAMPTZ' else ''}'"
