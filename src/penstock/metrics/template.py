"""From MetricFlow's SQL for all dimensions at once to a template that any request is cut out of.

MetricFlow compiles a metric for a grain, *all* its dimensions, the range of the calendar below and a filter that
names all dimensions. In that statement the places where a request differs from another are known by their marks:

PENSTOCK_WHERE(a, b, ...)   the filter stands here; the arguments are the columns of all dimensions, in order
PENSTOCK_RANGE(x, days)     the column or expression x lies in the range asked for. `days` is 0; or how much earlier
                            the range begins, because a window reaches back; or -1, where it has no beginning

The range of compilation begins and ends on a border of week, month, quarter and year alike, so that MetricFlow, which
widens a range to whole periods, has nothing to widen.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import sqlglot
from sqlglot import exp

from penstock.errors import DeclarationError
from penstock.metrics.metric import Dimension, DimensionKind

FIRST, LAST = date(2007, 1, 1), date(2017, 12, 31)  # a Monday and a Sunday
_ALWAYS = date(2000, 1, 1)  # MetricFlow's beginning of time
WHERE, RANGE = "PENSTOCK_WHERE", "PENSTOCK_RANGE"
_RELEASED = "gold"


def parse(sql: str) -> exp.Select:
    """The tree of one SELECT."""
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    if not isinstance(tree, exp.Select):
        raise TypeError(f"not a SELECT: {sql}")
    return tree


def text(tree: exp.Expr) -> str:
    return tree.sql(dialect="duckdb", comments=False)


def filter_mark(dimensions: Sequence[Dimension]) -> str | None:
    """The filter that MetricFlow is asked to apply; None where there is no dimension to filter on."""
    if not dimensions:
        return None
    return f"{WHERE}({', '.join(_reference(dimension) for dimension in dimensions)})"


def _reference(dimension: Dimension) -> str:
    """The dimension in MetricFlow's own notation, where the way to it stands apart from its last two names."""
    name, _, grain = dimension.name.rpartition("__")
    *path, element = (name if dimension.kind is DimensionKind.TIME else dimension.name).split("__")
    if dimension.kind is DimensionKind.ENTITY:
        return f"{{{{ Entity('{element}', entity_path={path}) }}}}"
    *path, owner = path
    if dimension.kind is DimensionKind.TIME:
        return f"{{{{ TimeDimension('{owner}__{element}', '{grain}', entity_path={path}) }}}}"
    return f"{{{{ Dimension('{owner}__{element}', entity_path={path}) }}}}"


def template_of(tree: exp.Select, *, metric: str) -> str:
    """The template of a compiled statement, whose tree is changed; DeclarationError where it reads what is not
    released."""
    for table in list(tree.find_all(exp.Table)):
        _check_released(table, metric)
    for between in list(tree.find_all(exp.Between)):
        _mark_range(between)
    for division in list(tree.find_all(exp.Div)):
        _give_null_for_zero(division)
    return text(tree)


def is_sound(tree: exp.Select) -> bool:
    """Whether every column is read from a table that is there.

    MetricFlow 0.213 forgets a join where a metric offset to the beginning of a period is asked for a longer period.
    """
    return all(_is_known(column) for column in tree.find_all(exp.Column) if column.table)


def _is_known(column: exp.Column) -> bool:
    select = column.find_ancestor(exp.Select)
    return isinstance(select, exp.Select) and column.table in {one.alias_or_name for one in sources(select)}


def sources(select: exp.Select) -> list[exp.Expr]:
    """Tables and subqueries that one level of a statement reads."""
    start = select.args.get("from_")
    return ([] if start is None else [start.this]) + [join.this for join in select.args.get("joins") or ()]


def _check_released(table: exp.Table, metric: str) -> None:
    """Gold is read by schema and table, whatever database holds it; the rest are names within the statement."""
    if table.args.get("db") is None:
        return
    if table.db != _RELEASED:
        raise DeclarationError(
            f"The metric `{metric}` reads a model that is not released",
            expected=f"semantic models and a time spine over models of the schema `{_RELEASED}`",
            found=f"{table.db}.{table.name}",
            remedy="Let its semantic model refer to a model with `schema: gold`.",
        )
    table.set("catalog", None)


def _mark_range(between: exp.Between) -> None:
    low, high = _day(between.args["low"]), _day(between.args["high"])
    if high != LAST or low is None:
        return
    back = -1 if low == _ALWAYS else (FIRST - low).days
    between.replace(exp.Anonymous(this=RANGE, expressions=[between.this.copy(), exp.convert(back)]))


def _day(literal: exp.Expr) -> date | None:
    if not isinstance(literal, exp.Literal) or not literal.is_string:
        return None
    try:
        return date.fromisoformat(literal.this[:10])
    except ValueError:
        return None


def _give_null_for_zero(division: exp.Div) -> None:
    """A division by zero is null, not infinite."""
    below = division.expression
    if not any(True for _ in below.unnest().find_all(exp.Nullif)):
        division.set("expression", exp.Nullif(this=below.copy(), expression=exp.convert(0)))
