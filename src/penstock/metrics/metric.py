"""A metric as it is kept with a release: what it means, how it can be cut, and its SQL. Needs nothing but itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

TIME = "metric_time"  # MetricFlow's name of the day that a metric counts a row on


class Grain(StrEnum):
    """Periods of the calendar, finest first. Weeks begin on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class DimensionKind(StrEnum):
    """categorical: a column. time: a column of dates, cut to a period. entity: the key of something."""

    CATEGORICAL = "categorical"
    TIME = "time"
    ENTITY = "entity"


@dataclass(frozen=True)
class Dimension:
    """What a metric can be cut by and filtered on.

    `name` is whole (`loan__branch`, `member__joined__month`); `short` leaves out the entities it is reached by
    (`branch`, `joined__month`).
    """

    name: str
    short: str
    kind: DimensionKind
    own: bool  # of the rows themselves, not joined to them
    description: str = ""

    @classmethod
    def from_record(cls, value: Mapping[str, Any]) -> Dimension:
        return cls(value["name"], value["short"], DimensionKind(value["kind"]), value["own"], value["description"])


def called(dimensions: Iterable[Dimension], name: str) -> Sequence[Dimension]:
    """The dimensions that a whole or a short name may mean.

    A short name that several have means the one of the rows themselves, if there is just one.
    """
    known = tuple(dimensions)
    whole = [one for one in known if one.name == name]
    short = [one for one in known if one.short == name]
    own = [one for one in short if one.own]
    return next((few for few in (whole, own) if len(few) == 1), short)


@dataclass(frozen=True)
class Metric:
    """One declared metric.

    `unit` says what a value of 1 is; where that differs, `unit_dimension` is the dimension that tells it (such as a
    currency), and values of different units are never put together. A day's value is final `final_after_days` days
    after it; until then it may change. `type` is a DuckDB type the result is cast to, None to leave it as computed:
    sums and counts are exact, ratios are DOUBLE. `templates` holds the SQL for every grain that the metric can be asked
    at; the key "" is without time. See `template` for what is in the SQL.
    """

    name: str
    label: str
    description: str
    kind: str  # simple | ratio | derived | cumulative | conversion
    unit: str
    owner: str
    final_after_days: int
    type: str | None
    dimensions: tuple[Dimension, ...]
    templates: Mapping[str, str]
    unit_dimension: str | None = None  # the whole name

    @property
    def grains(self) -> tuple[Grain, ...]:
        return tuple(grain for grain in Grain if grain in self.templates)

    @property
    def has_total(self) -> bool:
        """Whether it can be asked without a grain."""
        return "" in self.templates

    def as_record(self) -> dict[str, object]:
        return asdict(self)

    def as_summary(self) -> dict[str, object]:
        """What a reader wants to know; the SQL left out."""
        facts = self.as_record()
        del facts["templates"]
        return {**facts, "grains": list(self.grains), "without_grain": self.has_total}

    @classmethod
    def from_record(cls, value: Mapping[str, Any]) -> Metric:
        dimensions = tuple(Dimension.from_record(one) for one in value["dimensions"])
        return cls(**{**value, "dimensions": dimensions, "templates": dict(value["templates"])})


@dataclass(frozen=True)
class Metrics:
    """All metrics of a semantic manifest, by name. `fingerprint` is of the manifest and of what compiled it."""

    fingerprint: str
    metrics: Mapping[str, Metric]

    def as_record(self) -> dict[str, object]:
        return {"metrics": [metric.as_record() for metric in self.metrics.values()]}

    @classmethod
    def from_record(cls, fingerprint: str, value: Mapping[str, Any]) -> Metrics:
        found = (Metric.from_record(one) for one in value["metrics"])
        return cls(fingerprint, {metric.name: metric for metric in found})
