"""Whatever is cut out of a template is what MetricFlow itself would have said, for every kind of metric."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import date, datetime, time

import duckdb
import pytest
from metricflow.engine.metricflow_engine import MetricFlowQueryRequest
from metricflow.sql.optimizer.optimization_levels import SqlOptimizationLevel

from penstock.metrics.metric import TIME, Metric, Metrics
from penstock.metrics.metricflow import Compiler
from penstock.metrics.query import query_metric
from penstock.metrics.request import MetricRequest
from tests.metrics.lending import database, some_loans

SPANS = [(None, None), (date(2011, 2, 7), date(2011, 3, 9)), (date(2011, 2, 20), None), (None, date(2011, 2, 20))]


def rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[object, ...]]:
    return sorted((tuple(map(plain, row)) for row in connection.execute(sql).fetchall()), key=repr)


def plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.date()
    return round(value, 9) if isinstance(value, float) else value


def said(compiler: Compiler, connection: duckdb.DuckDBPyConnection, request: MetricRequest) -> list[tuple[object, ...]]:
    """MetricFlow's own answer, over the same tables; its SQL as planned, before it is made shorter."""
    columns = ([f"{TIME}__{request.grain}"] if request.grain else []) + [*request.by, request.metric]
    open_ended = request.first is None and request.last is None
    asked = MetricFlowQueryRequest.create(
        metric_names=[request.metric],
        group_by_names=columns[:-1] or None,
        time_constraint_start=None if open_ended else datetime.combine(request.first or date(2001, 1, 1), time()),
        time_constraint_end=None if open_ended else datetime.combine(request.last or date(2020, 12, 31), time()),
        where_constraints=None if request.where is None else [WHERES[request.where]],
        sql_optimization_level=SqlOptimizationLevel.O0,
    )
    inner = compiler._engine.explain(asked).sql_statement.sql.replace('"warehouse".', "")
    ordered = ", ".join(f'"{column}"' for column in columns)
    return rows(connection, f"SELECT {ordered} FROM ({inner}) AS t")


WHERES = {
    "member__is_student": "{{ Dimension('member__is_student') }}",
    "member__town = 'York'": "{{ Dimension('member__town') }} = 'York'",
    "member__town IS NULL OR NOT member__is_student": "{{ Dimension('member__town') }} IS NULL OR NOT {{ Dimension('member__is_student') }}",
    "branch IN ('north', 'it''s') AND NOT is_return": "{{ Dimension('loan__branch') }} IN ('north', 'it''s')"
    " AND NOT {{ Dimension('loan__is_return') }}",
    "member__region__country = 'England'": "{{ Dimension('region__country', entity_path=['member']) }} = 'England'",
    "member > 3": "{{ Entity('member') }} > 3",
    "joined__month = '2011-02-01'": "{{ TimeDimension('member__joined', 'month') }} = '2011-02-01'",
    "room = 'a'": "{{ Dimension('count__room') }} = 'a'",
}  # fmt: skip


def requests(metric: Metric, chance: random.Random, count: int) -> list[MetricRequest]:
    """Random requests; the whole and all dimensions at once are always among them."""
    names = [dimension.name for dimension in metric.dimensions]
    known = {dimension.short for dimension in metric.dimensions} | set(names)
    wheres = [None, *(where for where in WHERES if all(word in known for word in words(where)))]
    grains = [*map(str, metric.grains), *([None] if metric.has_total else [])]
    cuts: list[Sequence[str]] = [[], names, *(chance.sample(names, chance.randrange(min(3, len(names)) + 1)) for _ in range(count))]  # fmt: skip
    asked = []
    for by in cuts:
        first, last = chance.choice(SPANS)
        asked.append(MetricRequest(metric.name, tuple(by), chance.choice(grains), first, last, chance.choice(wheres)))
    return asked


def words(where: str) -> set[str]:
    every = {
        "member__is_student",
        "member__town",
        "branch",
        "is_return",
        "member__region__country",
        "member",
        "joined__month",
        "room",
    }
    return every & set(where.replace("(", " ").replace(")", " ").split())


@pytest.mark.parametrize("loans", [0, 120])
def test_every_cut_of_every_metric_is_metricflows_own_answer(compiler: Compiler, metrics: Metrics, loans: int) -> None:
    chance = random.Random(loans)
    connection = database(some_loans(chance, loans), chance)
    for metric in metrics.metrics.values():
        for request in requests(metric, chance, count=3):
            found = query_metric(connection, metrics, request).to_pylist()
            values = sorted((tuple(map(plain, row.values())) for row in found), key=repr)
            expected = said(compiler, connection, request)
            if request.metric == "per_return":
                expected = [tuple(map(finite, row)) for row in expected]
            assert values == expected, request


def finite(value: object) -> object:
    """A division by zero is null here, and infinite or no number there."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
