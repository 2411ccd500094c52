"""What is asked of a metric, in the asker's words, and the same resolved against what is declared."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from penstock.errors import UsageError
from penstock.metrics.metric import Dimension, Grain, Metric, Metrics, called


@dataclass(frozen=True)
class MetricRequest:
    """A question: one metric by any of its dimensions, per period of `grain` (None: one value over all time).

    `first` and `last` are days, both included, and are widened to whole periods of the grain. `where` is a
    condition on dimensions; see `condition` for its grammar.
    """

    metric: str
    by: tuple[str, ...] = ()
    grain: str | None = None
    first: date | None = None
    last: date | None = None
    where: str | None = None


def day_of(text: str) -> date:
    """A day as it is written in a request: 2011-12-01."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007  # a day has no zone
    except ValueError:
        raise UsageError("A day is written as 2011-12-01", found=text) from None


def find_metric(metrics: Metrics, name: str) -> Metric:
    """The metric of a name; UsageError with the nearest names and the list."""
    found = metrics.metrics.get(name)
    if found is None:
        raise UsageError(f"There is no metric {name!r}", remedy=_suggest(name, metrics.metrics, "Metrics"))
    return found


def find_dimension(metric: Metric, name: str) -> Dimension:
    """The dimension of a whole or short name; UsageError with the nearest names and the list."""
    found = called(metric.dimensions, name)
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"Several dimensions of the metric `{metric.name}` are called {name!r}",
            expected=" or ".join(one.name for one in found),
        )
    known = [one.short if _is_alone(metric, one) else one.name for one in metric.dimensions]
    raise UsageError(
        f"The metric `{metric.name}` has no dimension {name!r}", remedy=_suggest(name, known, "Its dimensions")
    )


def find_grain(metric: Metric, name: str | None) -> Grain | None:
    """The grain of a name; UsageError where the metric cannot be asked at it, or needs one."""
    if name is None:
        if not metric.has_total:
            raise UsageError(
                f"The metric `{metric.name}` has no value without a grain",
                expected=f"one of {', '.join(metric.grains)}",
            )
        return None
    if name not in metric.grains:
        grains = ", ".join(metric.grains)
        raise UsageError(
            f"The metric `{metric.name}` cannot be asked by {name!r}", expected=f"one of {grains}", found=name
        )
    return Grain(name)


def widened(grain: Grain | None, first: date | None, last: date | None) -> tuple[date | None, date | None]:
    """The range from the first day of the first period to the last day of the last one.

    >>> widened(Grain.MONTH, date(2011, 3, 10), date(2011, 4, 2))
    (datetime.date(2011, 3, 1), datetime.date(2011, 4, 30))
    """
    if first is not None and last is not None and first > last:
        raise UsageError("The range ends before it begins", expected=f"a day from {first}", found=str(last))
    if grain is None:
        return first, last
    begin = None if first is None else _begin(grain, first)
    end = None if last is None or last == date.max else _next(grain, _begin(grain, last)) - timedelta(days=1)
    return begin, end


def _begin(grain: Grain, day: date) -> date:
    match grain:
        case Grain.DAY:
            return day
        case Grain.WEEK:
            return day - timedelta(days=day.weekday())
        case Grain.MONTH:
            return day.replace(day=1)
        case Grain.QUARTER:
            return day.replace(month=day.month - (day.month - 1) % 3, day=1)
        case Grain.YEAR:
            return day.replace(month=1, day=1)


def _next(grain: Grain, begin: date) -> date:
    """The first day of the period after the one that begins on a day."""
    days = {Grain.DAY: 1, Grain.WEEK: 7, Grain.MONTH: 31, Grain.QUARTER: 92, Grain.YEAR: 366}[grain]
    return _begin(grain, begin + timedelta(days=days))


def _is_alone(metric: Metric, dimension: Dimension) -> bool:
    return sum(1 for one in metric.dimensions if one.short == dimension.short) == 1


def _suggest(name: str, known: Iterable[str], heading: str) -> str:
    names: Sequence[str] = sorted(known)
    near = difflib.get_close_matches(name, names, n=2)
    meant = f"Did you mean {' or '.join(near)}? " if near else ""
    return f"{meant}{heading}: {', '.join(names) if names else 'none'}."
