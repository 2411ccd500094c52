"""Metrics against plain Python over the same rows: decimals are exact, nothing is lost or counted twice."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import UsageError
from penstock.metrics.metric import Metrics
from penstock.metrics.query import query_metric
from penstock.metrics.request import MetricRequest
from tests.metrics.lending import DAYS, FIRST_DAY, Loan, database

LOANS = st.builds(
    Loan,
    loan_id=st.integers(1, 10_000),
    member_id=st.none() | st.integers(1, 4),
    lent_on=st.integers(0, DAYS - 1).map(lambda day: FIRST_DAY + timedelta(days=day)),
    branch=st.sampled_from([None, "north", "south", "it's"]),
    is_return=st.booleans(),
    fee=st.decimals(min_value=-99_999, max_value=99_999, places=4),
)
MANY = st.lists(LOANS, max_size=25)


def answer(
    loans: list[Loan], metrics: Metrics, request: MetricRequest, connection: duckdb.DuckDBPyConnection | None = None
) -> list[tuple[object, ...]]:
    made = database(loans, random.Random(0)) if connection is None else connection
    return [tuple(row.values()) for row in query_metric(made, metrics, request).to_pylist()]


def grouped(
    loans: Iterable[Loan], key: Callable[[Loan], tuple[object, ...]]
) -> list[tuple[tuple[object, ...], list[Loan]]]:
    """Groups in the order of answers: by time and dimension, nulls last."""
    groups: dict[tuple[object, ...], list[Loan]] = defaultdict(list)
    for loan in loans:
        groups[key(loan)].append(loan)
    return sorted(groups.items(), key=lambda item: [(part is None, part) for part in item[0]])


def month(day: date) -> date:
    return day.replace(day=1)


@settings(max_examples=40)
@given(MANY)
def test_a_sum_by_month_and_branch_is_exact(metrics: Metrics, loans: list[Loan]) -> None:
    found = answer(loans, metrics, MetricRequest("fees", by=("branch",), grain="month"))
    groups = grouped(loans, lambda loan: (month(loan.lent_on), loan.branch))
    assert found == [(*key, sum(loan.fee for loan in group)) for key, group in groups]


@settings(max_examples=40)
@given(MANY, st.integers(0, DAYS), st.integers(0, DAYS))
def test_different_people_are_counted_once_within_the_range(
    metrics: Metrics, loans: list[Loan], start: int, length: int
) -> None:
    first = FIRST_DAY + timedelta(days=start)
    last = first + timedelta(days=length)
    found = answer(loans, metrics, MetricRequest("borrowers", first=first, last=last, where="branch <> 'north'"))
    people = {loan.member_id for loan in loans if first <= loan.lent_on <= last and loan.branch not in (None, "north")}
    assert found == [(len(people - {None}),)]


@settings(max_examples=40)
@given(MANY)
def test_a_ratio_is_of_sums_and_null_by_nothing(metrics: Metrics, loans: list[Loan]) -> None:
    found = answer(loans, metrics, MetricRequest("fee_per_borrower", by=("is_return",)))
    expected = []
    for key, group in grouped(loans, lambda loan: (loan.is_return,)):
        people = {loan.member_id for loan in group} - {None}
        total = sum((loan.fee for loan in group), Decimal())
        expected.append((*key, float(total) / len(people) if people else None))
    assert found == expected


@settings(max_examples=40)
@given(MANY)
def test_a_window_reaches_back_before_the_range(metrics: Metrics, loans: list[Loan]) -> None:
    first, last = FIRST_DAY + timedelta(days=10), FIRST_DAY + timedelta(days=16)
    found = answer(loans, metrics, MetricRequest("fees_of_week", grain="day", first=first, last=last))
    expected = []
    for day in (first + timedelta(days=number) for number in range(7)):
        window = [loan.fee for loan in loans if day - timedelta(days=7) < loan.lent_on <= day]
        if window:
            expected.append((day, sum(window)))
    assert found == expected


def test_a_day_without_rows_is_absent_unless_the_metric_fills_it(metrics: Metrics) -> None:
    loan = Loan(1, 1, FIRST_DAY, "north", False, Decimal("1.5"))
    span = {"grain": "day", "first": FIRST_DAY, "last": FIRST_DAY + timedelta(days=1)}
    assert answer([loan], metrics, MetricRequest("fees", **span)) == [(FIRST_DAY, Decimal("1.5"))]  # type: ignore[arg-type]
    assert answer([loan], metrics, MetricRequest("fees_every_day", **span)) == [  # type: ignore[arg-type]
        (FIRST_DAY, Decimal("1.5")),
        (FIRST_DAY + timedelta(days=1), Decimal(0)),
    ]


def test_sums_of_decimals_are_decimals_and_counts_are_whole(metrics: Metrics) -> None:
    connection = database([Loan(1, 1, FIRST_DAY, None, False, Decimal("0.0001"))], random.Random(0))
    fees = query_metric(connection, metrics, MetricRequest("fees"))
    loans = query_metric(connection, metrics, MetricRequest("loans"))
    assert fees.schema.field("fees").type == pa.decimal128(38, 4)
    assert loans.schema.field("loans").type == pa.decimal128(38, 0)
    assert loans.to_pylist() == [{"loans": 1}]


def test_rows_that_join_to_nobody_stay(metrics: Metrics) -> None:
    loans = [Loan(1, None, FIRST_DAY, None, False, Decimal(1)), Loan(2, 99, FIRST_DAY, None, False, Decimal(2))]
    assert answer(loans, metrics, MetricRequest("fees", by=("member__town",))) == [(None, Decimal(3))]


def by_unit(metrics: Metrics) -> Metrics:
    """The same, but the branch tells what a fee is counted in."""
    return Metrics("", {"fees": replace(metrics.metrics["fees"], unit_dimension="loan__branch")})


@settings(max_examples=40)
@given(MANY)
def test_values_of_different_units_are_never_put_together(metrics: Metrics, loans: list[Loan]) -> None:
    sums = [
        (when, branch, sum(loan.fee for loan in group))
        for (when, branch), group in grouped(loans, lambda loan: (month(loan.lent_on), loan.branch))
    ]
    meant = [(when, branch) for when, branch, fees in sums if branch is not None or fees != 0]
    request = MetricRequest("fees", grain="month")

    if len({when for when, _ in meant}) < len(meant):
        with pytest.raises(UsageError, match="in different units"):
            answer(loans, by_unit(metrics), request)
    else:
        assert answer(loans, by_unit(metrics), request) == answer(loans, metrics, request)


def test_units_apart_are_answered_and_units_together_are_told_with_what_to_do(metrics: Metrics) -> None:
    loans = [
        Loan(1, 1, FIRST_DAY, "north", False, Decimal(2)),
        Loan(2, 1, FIRST_DAY, "south", True, Decimal(3)),
    ]
    declared = by_unit(metrics)

    assert answer(loans, declared, MetricRequest("fees", by=("branch",))) == [("north", 2), ("south", 3)]
    assert answer(loans, declared, MetricRequest("fees", by=("is_return",))) == [(False, 2), (True, 3)]
    assert answer(loans, declared, MetricRequest("fees", where="branch = 'south'")) == [(3,)]
    with pytest.raises(UsageError) as raised:
        answer(loans, declared, MetricRequest("fees"))
    assert "found north, south" in str(raised.value)
    assert "Ask by `branch` too" in str(raised.value)
