"""A question to a metric as it stands in a query string, read strictly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from penstock.errors import UsageError
from penstock.metrics.condition import read_condition
from penstock.metrics.metric import Metric, Metrics
from penstock.metrics.request import MetricRequest, find_dimension, find_grain, find_metric, widened
from penstock.serve.kind import kind_named
from penstock.serve.parameters import FURTHEST, Reading, shown, whole
from penstock.serve.problem import Problem, error, not_found, refused

PARAMETERS = ("by", "grain", "from", "to", "where", "release", "skip", "limit")
_MOST_CONDITION = 2000  # characters
_DATE = kind_named("date")


@dataclass(frozen=True)
class Question:
    """What a caller asks, before it is known whether the metric has an answer to it."""

    by: tuple[str, ...]
    grain: str | None
    first: date | None
    last: date | None
    where: str | None
    release: int | None
    skip: int
    limit: int

    def of(self, metric: Metric) -> MetricRequest:
        """The question as this metric can be asked; Problem 422 with every parameter that it cannot take."""
        errors: list[Mapping[str, str]] = []
        for name in self.by:
            with _blamed("by", errors):
                find_dimension(metric, name)
        with _blamed("grain", errors):
            find_grain(metric, self.grain)
        with _blamed("to", errors):
            widened(None, self.first, self.last)
        if self.where is not None:
            with _blamed("where", errors):
                read_condition(self.where, metric)
        if errors:
            raise refused(errors)
        return MetricRequest(metric.name, self.by, self.grain, self.first, self.last, self.where)


def question(query: bytes) -> Question:
    """Problem 422 with everything that is wrong with the query."""
    reading = Reading(query, PARAMETERS, several=("by",))
    skip, limit = reading.paging()
    asked = Question(
        by=reading.texts("by"),
        grain=reading.text("grain"),
        first=reading.value("from", _day, _DATE.expected),
        last=reading.value("to", _day, _DATE.expected),
        where=reading.value("where", _condition, f"a condition of at most {_MOST_CONDITION} characters"),
        release=release_in(reading),
        skip=skip,
        limit=limit,
    )
    reading.finish()
    return asked


def release_in(reading: Reading) -> int | None:
    """The parameter `release`."""
    return reading.value("release", whole(1, FURTHEST), "the number of a release")


def metric_named(metrics: Metrics, name: str) -> Metric:
    """Problem 404 with the nearest names."""
    try:
        return find_metric(metrics, name)
    except UsageError as found:
        raise not_found(f"{found.what}.", found.remedy) from None


def refusal(found: UsageError) -> Problem:
    """What only the answer itself showed to be wrong: columns that would be the same, a value of another type."""
    return refused([_error("by" if found.where is None else "where", found)])


@contextmanager
def _blamed(parameter: str, errors: list[Mapping[str, str]]) -> Iterator[None]:
    try:
        yield
    except UsageError as found:
        errors.append(_error(parameter, found))


def _error(parameter: str, found: UsageError) -> dict[str, str]:
    value = None if found.found is None else shown(found.found)
    return error(parameter, f"{found.what}.", expected=found.expected, found=value, remedy=found.remedy)


def _day(text: str) -> date | None:
    value = _DATE.parse(text)
    return None if value is None else date.fromisoformat(str(value))


def _condition(text: str) -> str | None:
    return text if text.strip() and len(text) <= _MOST_CONDITION else None
