"""What can be asked, and what is said of what cannot."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import UsageError
from penstock.metrics.metric import Dimension, DimensionKind, Grain, Metrics, called
from penstock.metrics.query import statement_of
from penstock.metrics.request import MetricRequest, day_of, find_dimension, widened


def period(grain: Grain, day: date) -> tuple[int, ...]:
    """What names the period that a day lies in."""
    return {
        Grain.DAY: (day.toordinal(),),
        Grain.WEEK: day.isocalendar()[:2],
        Grain.MONTH: (day.year, day.month),
        Grain.QUARTER: (day.year, (day.month + 2) // 3),
        Grain.YEAR: (day.year,),
    }[grain]


@given(st.sampled_from(Grain), st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.integers(0, 800))
def test_a_range_is_widened_to_whole_periods(grain: Grain, first: date, days: int) -> None:
    last = first + timedelta(days=days)
    begin, end = widened(grain, first, last)
    assert begin is not None
    assert end is not None
    assert period(grain, begin) == period(grain, first)
    assert period(grain, begin - timedelta(days=1)) != period(grain, first)
    assert period(grain, end) == period(grain, last)
    assert period(grain, end + timedelta(days=1)) != period(grain, last)


def test_without_a_grain_a_range_is_taken_as_it_is() -> None:
    assert widened(None, date(2011, 1, 2), None) == (date(2011, 1, 2), None)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (MetricRequest("fee"), "Did you mean fees"),
        (MetricRequest("fees", by=("brunch",)), "Did you mean branch"),
        (MetricRequest("fees", grain="hour"), "expected one of day, week, month, quarter, year"),
        (MetricRequest("fees_growth"), "has no value without a grain"),
        (MetricRequest("fees", by=("branch", "loan__branch")), "would be the same"),
        (MetricRequest("fees", first=date(2011, 2, 1), last=date(2011, 1, 1)), "ends before it begins"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_can(metrics: Metrics, request_: MetricRequest, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        statement_of(metrics, request_)


def test_a_dimension_has_a_short_name_and_a_whole_one(metrics: Metrics) -> None:
    fees = metrics.metrics["fees"]
    assert find_dimension(fees, "branch") == find_dimension(fees, "loan__branch")
    assert find_dimension(fees, "joined__month").name == "member__joined__month"


def test_a_short_name_that_several_have_means_the_one_of_the_rows_themselves() -> None:
    own, joined, other = (
        Dimension(f"{entity}__currency", "currency", DimensionKind.CATEGORICAL, own=entity == "loan")
        for entity in ("loan", "branch", "member")
    )
    assert called((joined, own, other), "currency") == [own]
    assert called((joined, own, other), "branch__currency") == [joined]
    assert called((joined, other), "currency") == [joined, other]
    assert called((joined, own), "town") == []


def test_the_rows_own_time_is_a_grain_and_not_a_dimension(metrics: Metrics) -> None:
    names = {dimension.name for dimension in metrics.metrics["fees"].dimensions}
    assert not any("lent_on" in name or "metric_time" in name for name in names)
    assert not any(name in names for name in ("loan", "loan__member"))


@pytest.mark.parametrize("text", ["2011-2-30", "yesterday", "2011-01-01T00:00", ""])
def test_a_day_is_a_day(text: str) -> None:
    with pytest.raises(UsageError, match="A day is written as"):
        day_of(text)
