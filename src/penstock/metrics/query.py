"""Asking a metric: the template, cut to the request, run on any connection that has gold. No dbt, no MetricFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache

import duckdb
import pyarrow as pa
from sqlglot import exp, parse_one

from penstock.errors import DeclarationError, UsageError
from penstock.metrics.by_day import sum_days_first
from penstock.metrics.condition import Condition, Value, read_condition
from penstock.metrics.metric import TIME, Dimension, DimensionKind, Grain, Metric, Metrics
from penstock.metrics.request import MetricRequest, find_dimension, find_grain, find_metric, widened
from penstock.metrics.specialise import specialise
from penstock.metrics.template import parse, text

_MIXED = "Values of different units: "  # how an answer that would put them together begins to fail
_ONE_UNIT = """
    CASE WHEN count(*) FILTER (WHERE NOT $unit IS NULL OR $value <> 0) > 1
    THEN error($mixed || string_agg(
        DISTINCT coalesce($unit::text, 'unknown'), ', ' ORDER BY coalesce($unit::text, 'unknown')
    ))
    ELSE coalesce(any_value($value) FILTER (WHERE NOT $unit IS NULL OR $value <> 0), any_value($value)) END
"""


@dataclass(frozen=True)
class Statement:
    """SQL with named parameters, and their values."""

    sql: str
    values: Mapping[str, Value]


def query_metric(connection: duckdb.DuckDBPyConnection, metrics: Metrics, request: MetricRequest) -> pa.Table:
    """The rows of a request, in the order of time and dimensions; nulls last.

    Columns: the period by its first day, called as the grain (`day`, `month`); the dimensions as they were asked for;
    the value, called as the metric. `connection` has the tables of gold as `gold.<table>` and is only read.
    UsageError for what is not declared.
    """
    statement = statement_of(metrics, request)
    cursor = connection.cursor()
    try:
        return cursor.sql(statement.sql, params=dict(statement.values)).to_arrow_table()
    except (duckdb.BinderException, duckdb.ConversionException, duckdb.InvalidInputException) as error:
        raise _refusal(metrics.metrics[request.metric], request, str(error).splitlines()[0]) from error
    finally:
        cursor.close()


def _refusal(metric: Metric, request: MetricRequest, reason: str) -> UsageError:
    _, mixed, units = reason.partition(_MIXED)
    if not mixed:
        remedy = "Compare a dimension with values of its own type; a text stands in single quotes."
        return UsageError(
            f"The metric `{metric.name}` cannot be asked so", found=reason, where=request.where, remedy=remedy
        )
    dimension = next(one for one in metric.dimensions if one.name == metric.unit_dimension)
    return UsageError(
        f"Values of the metric `{metric.name}` in different units are never put together",
        expected=f"one value of `{dimension.short}` in every row of the answer",
        found=units,
        remedy=f"Ask by `{dimension.short}` too, or for one of its values alone (`{dimension.short} = ...`).",
    )


def check_metrics(connection: duckdb.DuckDBPyConnection, metrics: Metrics) -> None:
    """Every metric can be asked of these tables; DeclarationError with all that cannot, and the database's reason."""
    problems = []
    for metric in metrics.metrics.values():
        grain = None if metric.has_total else str(metric.grains[0])
        by = tuple(dimension.name for dimension in metric.dimensions)
        statement = statement_of(metrics, MetricRequest(metric.name, by=by, grain=grain))
        try:
            connection.execute(f"EXPLAIN {statement.sql}")
        except duckdb.Error as error:
            problems.append(
                DeclarationError(
                    f"The metric `{metric.name}` does not fit the models",
                    found=str(error).splitlines()[0],
                    remedy="Correct the expressions of its semantic models.",
                )
            )
    if problems:
        raise DeclarationError("The metrics do not fit the models", problems=tuple(problems))


def statement_of(metrics: Metrics, request: MetricRequest) -> Statement:
    """The SQL of a request; UsageError for what is not declared."""
    metric = find_metric(metrics, request.metric)
    grain = find_grain(metric, request.grain)
    by = tuple((asked, find_dimension(metric, asked)) for asked in request.by)
    _check_different(by, grain, metric)
    condition = None if request.where is None else read_condition(request.where, metric)
    asked_by = {dimension.name for _, dimension in by}
    unit = None if metric.unit_dimension in asked_by else metric.unit_dimension
    tree = specialise(
        _tree(metric.templates["" if grain is None else grain]),
        dimensions=[dimension.name for dimension in metric.dimensions],
        by=asked_by if unit is None else asked_by | {unit},
        filtered=frozenset() if condition is None else condition.dimensions,
        condition=None if condition is None else condition.over,
        in_range=_Range(*widened(grain, request.first, request.last)),
    )
    if all(dimension.kind is not DimensionKind.ENTITY for _, dimension in by):  # of entities there may be a row a day
        sum_days_first(tree)
    return Statement(
        text(_presented(tree, metric, grain, by, unit)), {} if condition is None else _used(tree, condition)
    )


@lru_cache(maxsize=512)
def _tree(template: str) -> exp.Select:
    return parse(template)


def _used(tree: exp.Expr, condition: Condition) -> dict[str, Value]:
    """DuckDB refuses values that the statement does not name."""
    named = {parameter.name for parameter in tree.find_all(exp.Parameter)}
    return {name: value for name, value in condition.values.items() if name in named}


def _check_different(by: tuple[tuple[str, Dimension], ...], grain: Grain | None, metric: Metric) -> None:
    names = [asked.lower() for asked, _ in by] + [metric.name.lower()] + ([] if grain is None else [str(grain)])
    twice = sorted({name for name in names if names.count(name) > 1})
    whole = [dimension.name for _, dimension in by]
    if twice or len(set(whole)) < len(whole):
        raise UsageError(
            "Two columns of the answer would be the same",
            found=", ".join(twice or whole),
            remedy="Ask for each dimension once; its whole name is always different from others.",
        )


@dataclass(frozen=True)
class _Range:
    """The days asked for as a filter."""

    first: date | None
    last: date | None

    def __call__(self, column: exp.Expr, back: int) -> exp.Expr:
        parts: list[exp.Expr] = []
        day = column
        if isinstance(column, exp.DateTrunc | exp.TimestampTrunc) and column.text("unit").upper() == "DAY":
            day = column.this  # so that files and row groups outside the range are not read
        if self.first is not None and back >= 0:
            parts.append(exp.GTE(this=day.copy(), expression=_date(_earlier(self.first, back))))
        if self.last is not None and self.last < date.max:
            parts.append(exp.LT(this=day.copy(), expression=_date(self.last + timedelta(days=1))))
        return exp.and_(*parts) if parts else exp.true()


def _earlier(first: date, days: int) -> date:
    """Months differ in length, so twice as far: the window itself is in the statement, this only spares reading."""
    reach = min(2 * days, (first - date.min).days)
    return first - timedelta(days=reach)


def _date(day: date) -> exp.Expr:
    return exp.cast(exp.Literal.string(day.isoformat()), "DATE", dialect="duckdb")


def _presented(
    tree: exp.Select, metric: Metric, grain: Grain | None, by: tuple[tuple[str, Dimension], ...], unit: str | None
) -> exp.Select:
    """The statement's columns under the asker's names and in an order that is always the same.

    With `unit` the statement has a row for each unit of what is one row of the answer.
    """
    columns: list[exp.Expr] = []
    if grain is not None:
        columns.append(_named(_as_day(exp.column(f"{TIME}__{grain}", quoted=True)), str(grain)))
    for asked, dimension in by:
        column: exp.Expr = exp.column(dimension.name, quoted=True)
        columns.append(_named(_as_day(column) if dimension.kind is DimensionKind.TIME else column, asked))
    value: exp.Expr = exp.column(metric.name, quoted=True)
    if unit is not None:
        value = _of_one_unit(value, exp.column(unit, quoted=True))
    if metric.type is not None:
        value = exp.cast(value, metric.type, dialect="duckdb")
    columns.append(_named(value, metric.name))
    keys = [
        exp.Ordered(this=exp.Literal.number(place), nulls_first=False, desc=False) for place in range(1, len(columns))
    ]
    answer = exp.select(*columns).from_(exp.Subquery(this=tree, alias=exp.to_identifier("answer")))
    if unit is not None and keys:
        answer = answer.group_by(*(exp.Literal.number(place) for place in range(1, len(columns))))
    return answer.order_by(*keys) if keys else answer


def _of_one_unit(value: exp.Expr, unit: exp.Expr) -> exp.Expr:
    """The value of the only unit of a group, an error if there are several; nothing of no unit is none."""
    given = {"value": value, "unit": unit, "mixed": exp.Literal.string(_MIXED)}
    return _one_unit().transform(lambda node: given[node.name].copy() if isinstance(node, exp.Placeholder) else node)


@cache
def _one_unit() -> exp.Expr:
    return parse_one(_ONE_UNIT, dialect="duckdb")


def _as_day(column: exp.Expr) -> exp.Expr:
    return exp.cast(column, "DATE", dialect="duckdb")


def _named(column: exp.Expr, name: str) -> exp.Expr:
    return exp.alias_(column, name, quoted=True)
