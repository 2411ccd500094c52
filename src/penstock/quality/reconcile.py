"""Two queries that must give the same rows, compared exactly."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

import duckdb

from penstock.quality.masking import hidden_columns
from penstock.quality.query import CheckError, Names, Sampled, create_result, sample_relation
from penstock.quality.result import Status
from penstock.quality.rule import Outcome
from penstock.sql.names import quote

LEFT, RIGHT = "_reconcile_left", "_reconcile_right"
Columns = Sequence[tuple[str, str]]  # name and DuckDB type
_WHOLE = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?")
_DECIMAL = re.compile(r"DECIMAL\(\d+,(\d+)\)")
_FLOATING = frozenset({"DOUBLE", "FLOAT"})


def reconcile(connection: duckdb.DuckDBPyConnection, sql: str, against: str, *, personal: Names) -> Outcome:
    """Compare two results as multisets of rows, columns by position.

    Whole numbers and decimals are compared exactly, whatever their widths. A double equals nothing exact, so
    comparing one with a decimal is an error that asks for a cast rather than a hidden rounding. NULL equals NULL.
    """
    left = create_result(connection, LEFT, sql)
    right = create_result(connection, RIGHT, against)
    if len(left) != len(right):
        raise CheckError("The two queries differ in shape", expected=f"{len(left)} columns", found=str(len(right)))
    types = [common_type(mine, theirs) for (_, mine), (_, theirs) in zip(left, right, strict=True)]
    names = [name for name, _ in left]
    first = _typed(LEFT, left, names, types)
    second = _typed(RIGHT, right, names, types)
    hidden = partial(_hidden, (sql, left), (against, right), names, personal)
    missing = _difference(connection, first, second, hidden)
    surplus = _difference(connection, second, first, hidden)
    return _outcome(missing, surplus, _single(connection, first, hidden), _single(connection, second, hidden))


def common_type(left: str, right: str) -> str | None:
    """The exact type in which two columns are compared; None leaves it to the database (same kind already).

    >>> common_type("HUGEINT", "DECIMAL(12,2)")
    'DECIMAL(38,2)'
    """
    scales = [_scale(left), _scale(right)]
    exact = [scale for scale in scales if scale is not None]
    if len(exact) == 2:
        return f"DECIMAL(38,{max(exact)})"
    if len(exact) == 1 and {left, right} & _FLOATING:
        raise CheckError(
            "A floating-point number cannot equal an exact one",
            expected="two exact numbers",
            found=f"{left} and {right}",
            remedy="Cast the double to a decimal in the query.",
        )
    return None


def _scale(kind: str) -> int | None:
    if match := _DECIMAL.fullmatch(kind):
        return int(match[1])
    return 0 if _WHOLE.fullmatch(kind) else None


def _typed(table: str, columns: Columns, names: Sequence[str], types: Sequence[str | None]) -> str:
    """A query over a kept result with the names and types that both sides share."""
    parts = [
        f"{quote(column) if kind is None else f'CAST({quote(column)} AS {kind})'} AS {quote(name)}"
        for (column, _), name, kind in zip(columns, names, types, strict=True)
    ]
    return f"SELECT {', '.join(parts)} FROM temp.{quote(table)}"


def _hidden(
    first: tuple[str, Columns], second: tuple[str, Columns], names: Sequence[str], personal: Names
) -> frozenset[str]:
    """The shared names of the columns that personal values of one of two queries would stand under."""
    found = set()
    for sql, columns in (first, second):
        hidden = hidden_columns(sql, [column for column, _ in columns], personal())
        found |= {name for (column, _), name in zip(columns, names, strict=True) if column in hidden}
    return frozenset(found)


def _difference(connection: duckdb.DuckDBPyConnection, mine: str, theirs: str, hidden: Names) -> Sampled:
    return sample_relation(connection.sql(f"{mine} EXCEPT ALL {theirs}"), hidden)


def _single(connection: duckdb.DuckDBPyConnection, query: str, hidden: Names) -> Sampled | None:
    """The result when it is one value, to be shown as such."""
    relation = connection.sql(query)
    if len(relation.columns) != 1:
        return None
    found = sample_relation(relation, hidden)
    return found if found.rows == 1 else None


def _outcome(missing: Sampled, surplus: Sampled, first: Sampled | None, second: Sampled | None) -> Outcome:
    value, other = (None if one is None else _value(one) for one in (first, second))
    if missing.rows == surplus.rows == 0:
        return Outcome(Status.PASS, value, "both queries give the same result")
    if value is not None and other is not None:
        return Outcome(Status.FAIL, value, f"the first query gives {value}, the second {other}")
    message = f"{missing.rows:,} rows only in the first result, {surplus.rows:,} only in the second"
    sides = [{"_only_in": "first", **row} for row in missing.sample]
    sides += [{"_only_in": "second", **row} for row in surplus.sample]
    return Outcome(Status.FAIL, None, message, tuple(sides))


def _value(found: Sampled) -> str:
    (value,) = found.sample[0].values()
    return "NULL" if value is None else value
