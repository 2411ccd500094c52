"""The condition of a request: a closed grammar, values bound, nothing else of SQL."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import UsageError
from penstock.metrics.condition import read_condition
from penstock.metrics.metric import Metrics
from penstock.metrics.query import query_metric, statement_of
from penstock.metrics.request import MetricRequest
from tests.metrics.lending import FIRST_DAY, Loan, database


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("branch = 'north'", ["north"]),
        ("'north' = branch", ["north"]),
        ("branch IN ('north', 'south') AND NOT is_return", ["north", "south"]),
        ("branch NOT IN ('north')", ["north"]),
        ("branch LIKE 'n%' OR branch IS NULL", ["n%"]),
        ("branch IS NOT NULL AND (is_return = TRUE)", [True]),
        ("member BETWEEN 1 AND -2", [1, -2]),
        ("member >= 1.50", [Decimal("1.50")]),
        ("joined__month < DATE '2011-02-01'", [date(2011, 2, 1)]),
        ("joined__month = '2011-02-01'", [date(2011, 2, 1)]),
        ("is_return", []),
    ],
)
def test_what_the_grammar_has_is_read_and_its_values_are_bound(
    metrics: Metrics, text: str, values: list[object]
) -> None:
    condition = read_condition(text, metrics.metrics["fees"])
    assert list(condition.values.values()) == values
    connection = database([], random.Random(0))
    query_metric(connection, metrics, MetricRequest("fees", by=("branch",), where=text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 = 1",
        "branch = (SELECT 'north')",
        "branch IN (SELECT branch FROM gold.loans)",
        "EXISTS (SELECT 1)",
        "upper(branch) = 'NORTH'",
        "branch || 'x' = 'northx'",
        "branch = 'north'; DROP TABLE gold.loans",
        "member + 1 = 2",
        "read_text('/etc/passwd') = 'x'",
        "t.branch = 'north'",
        "branch = $1",
        "branch = CAST('x' AS VARCHAR)",
        "CASE WHEN is_return THEN TRUE END",
        "branch ILIKE ALL ('a')",
        "joined__month = 'soon'",
        "*",
        "branch IS DISTINCT FROM 'x'",
        "SELECT 1",
        "(" * 3000 + "is_return" + ")" * 3000,
    ],
)
def test_everything_else_is_refused(metrics: Metrics, text: str) -> None:
    with pytest.raises(UsageError):
        statement_of(metrics, MetricRequest("fees", where=text))


@pytest.mark.parametrize("text", ["branch = north", 'branch = "north"', "branch IN (north)"])
def test_a_text_without_its_quotes_is_answered_with_how_to_write_it(metrics: Metrics, text: str) -> None:
    with pytest.raises(UsageError, match="A text stands in single quotes: 'north'"):
        read_condition(text, metrics.metrics["fees"])


def test_an_empty_condition_is_refused_as_nothing(metrics: Metrics) -> None:
    with pytest.raises(UsageError, match="found nothing"):
        read_condition(" ", metrics.metrics["fees"])


def test_a_comment_is_no_part_of_the_statement(metrics: Metrics) -> None:
    assert "--" not in statement_of(metrics, MetricRequest("fees", where="branch = 'a' --")).sql


def test_an_unknown_dimension_is_named_with_what_there_is(metrics: Metrics) -> None:
    with pytest.raises(UsageError, match="Did you mean branch"):
        read_condition("brunch = 'north'", metrics.metrics["fees"])


@given(st.text(max_size=20).filter(lambda text: "\x00" not in text and text.isprintable()))
def test_no_text_can_leave_its_quotes(metrics: Metrics, text: str) -> None:
    quoted = text.replace("'", "''")
    statement = statement_of(metrics, MetricRequest("fees", where=f"branch = '{quoted}'"))
    assert list(statement.values.values()) == [text]


def test_a_value_of_another_kind_is_the_askers_mistake(metrics: Metrics) -> None:
    connection = database([Loan(1, 1, FIRST_DAY, "north", False, Decimal(1))], random.Random(0))
    with pytest.raises(UsageError, match=r"cannot be asked so.*values of its own type"):
        query_metric(connection, metrics, MetricRequest("fees", where="member = 'many'"))
