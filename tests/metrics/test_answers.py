"""A server computes the same question once, and does not grow for ever."""

from __future__ import annotations

import random
from decimal import Decimal

import duckdb
import pytest

from penstock.errors import UsageError
from penstock.metrics.answers import Answers
from penstock.metrics.metric import Metrics
from penstock.metrics.request import MetricRequest
from tests.metrics.lending import FIRST_DAY, Loan, database

FEES = MetricRequest("fees", by=("branch",))


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    return database([Loan(1, 1, FIRST_DAY, "north", False, Decimal(2))], random.Random(0))


def test_the_same_question_is_computed_once(connection: duckdb.DuckDBPyConnection, metrics: Metrics) -> None:
    answers = Answers(connection, metrics)
    first = answers.query(FEES)
    connection.execute("DROP TABLE gold.loans")
    assert answers.query(FEES) is first


def test_what_was_asked_longest_ago_is_forgotten_first(connection: duckdb.DuckDBPyConnection, metrics: Metrics) -> None:
    size = Answers(connection, metrics).query(FEES).nbytes
    answers = Answers(connection, metrics, most_bytes=2 * size)
    first = answers.query(FEES)
    for where in ("branch = 'north'", "branch LIKE 'n%'"):
        answers.query(MetricRequest("fees", by=("branch",), where=where))
    assert answers.query(FEES) is not first
    assert answers.query(FEES) == first


def test_a_mistake_is_not_remembered(connection: duckdb.DuckDBPyConnection, metrics: Metrics) -> None:
    answers = Answers(connection, metrics)
    for _ in range(2):
        with pytest.raises(UsageError):
            answers.query(MetricRequest("fee"))
