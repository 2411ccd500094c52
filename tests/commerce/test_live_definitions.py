"""Live measures, and the check that holds them against gold, say what the declared metrics say: the same filter, the
same expression. A metric that is declared otherwise makes these fail until streams and check follow."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
import sqlglot
import yaml
from sqlglot import exp

from penstock.spec.loading import load_project
from penstock.spec.stream import Derive, Measure, Window
from tests.commerce.hand_shop import COMMERCE

PROJECT = load_project(COMMERCE, environment={})
SUMS = ("order_value", "gross_sales", "discounts", "cancellations", "returns", "net_sales")
TOPOLOGIES = ("sales_live", "cancellations_live", "returns_live")
Declared = dict[str, Any]


@cache
def declarations() -> Declared:
    read: Declared = yaml.safe_load((COMMERCE / "models" / "metrics" / "sales.yml").read_text())
    return read


def metric(name: str) -> Declared:
    (found,) = [one for one in declarations()["metrics"] if one["name"] == name]
    return dict(found)


def measure_of(metric_name: str) -> tuple[Declared, Declared]:
    """The semantic model and the measure that a simple metric names."""
    named = metric(metric_name)["type_params"]["measure"]
    name = named if isinstance(named, str) else named["name"]
    (found,) = [
        (model, one) for model in declarations()["semantic_models"] for one in model["measures"] if one["name"] == name
    ]
    return found  # fmt: skip


def meaning(text: str) -> exp.Expr:
    """SQL as a tree, without the parentheses that its shape says already."""
    parsed = sqlglot.parse_one(text, dialect="duckdb")
    shape: exp.Expr = parsed.transform(lambda node: node.this if isinstance(node, exp.Paren) else node)
    return shape


def declared(metric_name: str) -> exp.Expr:
    """What a row counts for: its expression where the filter holds, each dimension as the semantic model has it."""
    model, measure = measure_of(metric_name)
    dimensions = {one["name"]: one.get("expr", one["name"]) for one in model["dimensions"]}
    filter = re.sub(
        r"\{\{ Dimension\('\w+__(\w+)'\) \}\}", lambda match: f"({dimensions[match[1]]})", metric(metric_name)["filter"]
    )
    return meaning(f"CASE WHEN {filter} THEN {measure['expr']} END")


def derived(topology: str, step: str) -> dict[str, str]:
    (found,) = [one.operation for one in PROJECT.streams.topologies[topology].steps if one.name == step]
    assert isinstance(found, Derive)
    return dict(found.columns)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_an_entry_counts_for_a_metric_as_its_declaration_says(topology: str) -> None:
    said = {name: meaning(sql) for name, sql in derived(topology, "measured").items()}

    assert said == {name: declared(name) for name in ("orders", *SUMS)}


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_windows_add_up_what_the_measures_add_up(topology: str) -> None:
    windows = [one.operation for one in PROJECT.streams.topologies[topology].steps if isinstance(one.operation, Window)]

    assert len(windows) == 2  # minutes and days
    for window in windows:
        kinds = {one.name: one.measure for one in window.aggregates if one.column == one.name}
        assert kinds == {"orders": Measure.DISTINCT} | dict.fromkeys(SUMS, Measure.SUM)
    assert {measure_of(name)[1]["agg"] for name in SUMS} == {"sum"}
    model, orders = measure_of("orders")  # one row for each order there, one for each line here
    assert (orders["agg"], orders["expr"]) == ("count", "order_id")
    assert "order_id" in {one["type"]: one["expr"] for one in model["entities"]}["primary"]


def test_what_is_told_of_a_metric_is_its_own_measure_and_parts_of_a_ratio_are_those_declared() -> None:
    told = {}
    for topology in TOPOLOGIES:
        for step in PROJECT.streams.topologies[topology].steps:
            if step.name.startswith("told_") and isinstance(step.operation, Derive):
                columns = dict(step.operation.columns)
                tree = sqlglot.parse_one(columns["numerator"], dialect="duckdb")
                divisor = sqlglot.parse_one(columns["denominator"], dialect="duckdb")
                told[columns["metric"].strip("'")] = [
                    next((one.name for one in side.find_all(exp.Column)), None) for side in (tree, divisor)
                ]

    average = metric("average_order_value")["type_params"]
    simple = {name: [name, None] for name in ("orders", *SUMS) if name != "order_value"}
    assert told == simple | {"average_order_value": [average["numerator"], average["denominator"]]}


def test_the_check_asks_gold_for_the_declared_metrics() -> None:
    (check,) = [one for one in PROJECT.checks if one.name == "live_metrics_agree"]
    tree = sqlglot.parse_one(check.sql or "", dialect="duckdb")
    asked: dict[str, exp.Expr] = {}
    for table in ("of_orders", "of_entries"):
        (select,) = [one.this for one in tree.find_all(exp.CTE) if one.alias == table]
        asked |= {one.alias: one.this for one in select.expressions if isinstance(one, exp.Alias)}

    for name in ("orders", *SUMS):
        kind = exp.Count if name == "orders" else exp.Sum
        assert isinstance(asked[name], kind)
        assert meaning(asked[name].this.sql(dialect="duckdb")) == declared(name)
