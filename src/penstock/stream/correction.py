"""What a correction may change of a row: a condition on it is met by one version of the row and not by the next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from penstock.spec.stream import WINDOW_END, WINDOW_START, Derive, Join, Operation, Union, Window, WindowKind
from penstock.sql.expression import row_expression
from penstock.sql.names import quote
from penstock.stream.graph import Node, Select
from penstock.stream.schema import DELETED


def settled(operation: Operation, sources: Sequence[Node], made: Iterable[str]) -> frozenset[str]:
    """Of the columns `made` those that every version of a row has alike; all of rows that are never corrected."""
    before = sources[0]
    match operation:
        case Window(kind=WindowKind.SESSION, by=by):
            return frozenset((WINDOW_START, *by))
        case Window(by=by):
            return frozenset((WINDOW_START, WINDOW_END, *by))
        case Join():
            return frozenset(before.schema.names)
        case Union() if any(one.corrected for one in sources):
            return frozenset.intersection(*(one.settled for one in sources))
        case Derive(columns) if before.corrected:
            known, stays = list(before.schema.names), set(before.settled)
            for name, expression in columns:
                if set(row_expression(expression, known, kind="expression", where=before.place).columns) <= stays:
                    stays.add(name)
                known.append(name)
            return frozenset(stays)
    return before.settled if before.corrected else frozenset(made)


def may_stop_to_hold(condition: str, rows: Node) -> bool:
    """Whether a correction of a row may change if a condition holds of it."""
    used = row_expression(condition, rows.schema.names, kind="condition", where=rows.place).columns
    return not rows.settled.issuperset(used)


def taken_back(rows: Iterable[str], holds: str) -> str:
    """SQL that is true of rows that are taken back, or of which the SQL `holds` is not true."""
    return f"coalesce({quote(DELETED)}, FALSE) OR NOT {holds}" if DELETED in rows else f"NOT {holds}"


def marked(rows: Iterable[str], holds: str) -> Select:
    """All rows; those of which `holds` is not true as rows that are taken back."""
    names = tuple(rows)
    said = f"{taken_back(names, holds)} AS {quote(DELETED)}"
    return Select(f"SELECT * REPLACE ({said}) FROM " if DELETED in names else f"SELECT *, {said} FROM ", "")
