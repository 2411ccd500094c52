"""Summing days first, then the days of a longer period.

To find the month of every row costs more than to add it up. A statement that sums rows by month, read from a table
through plain selections, is turned into one that sums them by day and then the few days by month: sums of sums are
the same sums. A statement of which that cannot be told stays what it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from penstock.metrics.metric import TIME
from penstock.metrics.template import sources

_DAY = "penstock_day"
_LONGER = {"WEEK", "MONTH", "QUARTER", "YEAR"}
_MORE = ("having", "qualify", "order", "limit", "offset", "distinct")


@dataclass(frozen=True)
class _Step:
    """A column of a selection on the way from the table to where it is grouped by."""

    select: exp.Select
    column: exp.Alias


def sum_days_first(tree: exp.Select) -> None:
    """Change a statement in place, wherever it sums by a period longer than a day."""
    ctes = {cte.alias: cte.this for cte in tree.find_all(exp.CTE)}
    for select in list(tree.find_all(exp.Select)):
        name = _period(select)
        path = None if name is None else _path(select, name, ctes)
        if name is not None and path is not None:
            _rewrite(select, name, path)


def _period(select: exp.Select) -> str | None:
    """The name of the one period that a select groups by; None where it is not all keys and sums."""
    group = select.args.get("group")
    if group is None or any(select.args.get(part) is not None for part in _MORE):
        return None
    keys = {key.name for key in group.expressions if isinstance(key, exp.Column)}
    if len(keys) < len(group.expressions):
        return None
    names = set()
    for column in select.expressions:
        what = column.unalias()
        if isinstance(what, exp.Column) and what.name == column.alias_or_name and what.name in keys:
            names.add(what.name)
        elif not (isinstance(column, exp.Alias) and isinstance(what, exp.Sum) and not what.find(exp.Distinct)):
            return None
    periods = [name for name in names if name.startswith(f"{TIME}__")]
    return periods[0] if names == keys and len(periods) == 1 and not _chooses(select, periods[0]) else None


def _chooses(select: exp.Select, name: str) -> bool:
    """Whether a column is needed here for more than grouping."""
    parts = [select.args.get("where"), *(select.args.get("joins") or ())]
    return any(column.name == name for part in parts if part is not None for column in part.find_all(exp.Column))


def _path(select: exp.Select, name: str, ctes: dict[str, exp.Select]) -> list[_Step] | None:
    """The way of a column from below `select` down to where it is cut from a time, each step a plain selection."""
    path: list[_Step] = []
    level, wanted, table = select, name, _table_of(select, name)
    while True:
        below = _below(level, table, ctes)
        if below is None or below.args.get("group") is not None or below.find(exp.Window) is not None:
            return None
        if any(below.args.get(part) is not None for part in _MORE):
            return None
        column = next((one for one in below.expressions if one.alias_or_name == wanted), None)
        if not isinstance(column, exp.Alias | exp.Column):
            return None
        step = column if isinstance(column, exp.Alias) else exp.Alias(this=column.copy(), alias=wanted)
        if step is not column:
            column.replace(step)
        path.append(_Step(below, step))
        what = step.this
        if isinstance(what, exp.DateTrunc | exp.TimestampTrunc):
            return path if what.text("unit").upper() in _LONGER else None
        if not isinstance(what, exp.Column):
            return None
        level, wanted, table = below, what.name, what.table


def _table_of(select: exp.Select, name: str) -> str:
    return next(
        (one.table for one in select.find_all(exp.Column) if one.name == name and one.parent_select is select), ""
    )


def _below(select: exp.Select, table: str, ctes: dict[str, exp.Select]) -> exp.Select | None:
    """The selection that a column of `select` comes from, where that is certain."""
    found = [one for one in sources(select) if table in ("", one.alias_or_name)]
    if len(found) != 1:
        return None
    (source,) = found
    inner = source.this if isinstance(source, exp.Subquery) else ctes.get(source.name)
    return inner if isinstance(inner, exp.Select) else None


def _rewrite(select: exp.Select, name: str, path: list[_Step]) -> None:
    cut = path[-1].column.this
    for step in path:
        what = step.column.this
        day: exp.Expr = exp.column(_DAY, table=what.table or None) if isinstance(what, exp.Column) else _day(what.this)
        if _DAY not in step.select.named_selects:
            step.select.append("expressions", exp.alias_(day, _DAY))
    inner = select.copy()
    for column in inner.find_all(exp.Column):
        if column.name == name and column.parent_select is inner:
            parent = column.parent
            day = exp.column(_DAY, table=column.table or None)
            (parent if isinstance(parent, exp.Alias) else column).replace(day)
    period = cut.copy()
    period.set("this", exp.column(_DAY))
    outer = exp.select(*(_summed(column, name, period) for column in select.expressions))
    keys = [exp.column(one.alias_or_name, quoted=True) for one in select.expressions if not _is_sum(one)]
    outer = outer.from_(exp.Subquery(this=inner, alias=exp.to_identifier("by_day")))
    outer.set("group", exp.Group(expressions=[period.copy() if key.name == name else key for key in keys]))
    if select.args.get("with_") is not None:
        outer.set("with_", select.args["with_"].copy())
        inner.set("with_", None)
    for part, value in list(outer.args.items()):
        select.set(part, value)
    for part in set(select.args) - set(outer.args):
        select.set(part, None)


def _summed(column: exp.Expr, name: str, period: exp.Expr) -> exp.Expr:
    called = column.alias_or_name
    own = exp.column(called, quoted=True)
    if called == name:
        return exp.alias_(period.copy(), called, quoted=True)
    return exp.alias_(exp.Sum(this=own), called, quoted=True) if _is_sum(column) else own


def _is_sum(column: exp.Expr) -> bool:
    return isinstance(column.unalias(), exp.Sum)


def _day(moment: exp.Expr) -> exp.Expr:
    return exp.cast(moment.copy(), "DATE", dialect="duckdb")
