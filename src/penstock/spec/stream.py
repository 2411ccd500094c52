"""Events in motion: topics, and topologies as data, the frozen values of `streams/*.yml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from penstock.spec.source import Csv, Delivery, FileFormat, Reading, Source

LIVE_PREFIX = "live."  # of the topic that holds the changes of a live table
REJECTED = ".rejected"  # ending of the topic of rows that a topology refused
LATE = ".late"  # ending of the topic of rows that came too late for a window


class TopicFormat(StrEnum):
    """columns: rows are typed as the contract says. json: a row is the bytes of one JSON object, whatever it holds."""

    COLUMNS = "columns"
    JSON = "json"


@dataclass(frozen=True)
class Topic:
    """Events that somebody produces. Rows with equal `key` go to one partition, and keep their order there."""

    name: str
    dataset: str  # the contract that every row is held to
    key: tuple[str, ...]
    time: str  # the column that says when it happened
    path: Path
    fingerprint: str
    partitions: int = 1
    retention: timedelta | None = None
    max_bytes: int | None = None
    format: TopicFormat = TopicFormat.COLUMNS
    lake: bool = True  # whether it goes to bronze
    description: str = ""

    @property
    def source(self) -> Source:
        """The topic as a source of its dataset: what is in bronze of it goes the way of all rows. A row says what it
        says: no text stands for an absent value."""
        return Source(
            name=self.name,
            dataset=self.dataset,
            globs=(),
            format=FileFormat.NDJSON,
            compression=None,
            csv=Csv(),
            delivery=Delivery(),
            reading=Reading(null_values=()),
            settle=timedelta(0),
            path=self.path,
            fingerprint=self.fingerprint,
            description=self.description,
            optional=True,
        )


@dataclass(frozen=True)
class EventTime:
    """How far event time follows the rows.

    The watermark lies `lateness` behind the latest event, never beyond the clock plus `skew`; an event further ahead
    does not move it. A partition without events for `idle` does not hold the others back.
    """

    lateness: timedelta = timedelta(minutes=10)
    skew: timedelta = timedelta(minutes=1)
    idle: timedelta = timedelta(seconds=30)


@dataclass(frozen=True)
class Filter:
    """Keeps the rows for which `expression` is true."""

    expression: str


@dataclass(frozen=True)
class Derive:
    """Adds columns: (name, SQL expression over the columns before it)."""

    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Deduplicate:
    """Keeps the first row of each key within `horizon` of event time."""

    key: tuple[str, ...]
    horizon: timedelta


@dataclass(frozen=True)
class Lookup:
    """Adds columns of a table at a release: `on` (column, column of the table), `columns` (name, column of the table)."""

    table: str  # layer.name
    on: tuple[tuple[str, str], ...]
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Running:
    """Statistics of `value` over the earlier rows of the same key, in the order of the log, and how far the row lies
    from them in standard deviations. Names of columns are None where they are not wanted."""

    key: tuple[str, ...]
    value: str
    count: str | None = None
    mean: str | None = None
    deviation: str | None = None
    score: str | None = None
    flag: str | None = None
    minimum: int = 2  # earlier rows, for a score
    threshold: str = "3"

    @property
    def added(self) -> tuple[str, ...]:
        names = (self.count, self.mean, self.deviation, self.score, self.flag)
        return tuple(name for name in names if name is not None)


class Measure(StrEnum):
    """What a window computes of the values of one column (`count` of rows)."""

    COUNT = "count"
    SUM = "sum"
    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    DISTINCT = "distinct"
    FIRST = "first"
    LAST = "last"
    TOP = "top"


@dataclass(frozen=True)
class Aggregate:
    """One column of a window: `measure` of `column` (None: of rows); `most` values for `top`."""

    name: str
    measure: Measure
    column: str | None = None
    most: int | None = None

    def __str__(self) -> str:
        inside = ", ".join(part for part in (None if self.most is None else str(self.most), self.column) if part)
        return f"{self.measure}({inside})" if inside else str(self.measure)


class WindowKind(StrEnum):
    TUMBLING = "tumbling"
    SLIDING = "sliding"
    SESSION = "session"


WINDOW_START, WINDOW_END = "window_start", "window_end"
VERSION, FINAL = "version", "final"  # of a row that may be corrected


@dataclass(frozen=True)
class Window:
    """One row for each window and key `by`. `size` for tumbling and sliding, `slide` for sliding, `gap` for session."""

    kind: WindowKind
    by: tuple[str, ...]
    aggregates: tuple[Aggregate, ...]
    size: timedelta | None = None
    slide: timedelta | None = None
    gap: timedelta | None = None


class Direction(StrEnum):
    """Which row of the other side is meant: the last before, the first after, or the nearer of the two."""

    BACKWARD = "backward"
    FORWARD = "forward"
    NEAREST = "nearest"


@dataclass(frozen=True)
class Join:
    """Each row with the row of `other` of the same key that is closest in event time, within `tolerance`."""

    other: str  # topic or step
    on: tuple[tuple[str, str], ...]  # (column, column of the other side)
    tolerance: timedelta
    direction: Direction
    columns: tuple[tuple[str, str], ...]  # (name, column of the other side)
    identity: tuple[str, ...]  # what names a row of this side
    ties: tuple[str, ...] = ()  # columns of the other side: of rows at one time, the lowest counts


@dataclass(frozen=True)
class Union:
    """The rows of the source, then those of `others`: topics or steps with the same columns."""

    others: tuple[str, ...]


@dataclass(frozen=True)
class Score:
    """Adds `into`: what the model says of `columns`."""

    model: str
    columns: tuple[str, ...]
    into: str
    version: str = ""  # fingerprint of the model


Operation: TypeAlias = Filter | Derive | Deduplicate | Lookup | Running | Window | Join | Union | Score


@dataclass(frozen=True)
class Step:
    """One operation on the rows of `source`, a topic or an earlier step. `place` says where it is declared."""

    name: str
    source: str
    operation: Operation
    place: str = field(default="", compare=False)

    @property
    def reads(self) -> tuple[str, ...]:
        """Every topic and step whose rows it takes, its source first."""
        match self.operation:
            case Join(other=other):
                return (self.source, other)
            case Union(others):
                return (self.source, *others)
            case _:
                return (self.source,)


@dataclass(frozen=True)
class Output:
    """Rows of `source` that go to a topic of the job, or, by key, to a live table; all columns when none are named."""

    name: str
    source: str
    live: bool
    key: tuple[str, ...]
    where: str | None = None
    columns: tuple[str, ...] = ()
    retention: timedelta | None = None
    description: str = ""
    place: str = field(default="", compare=False)

    @property
    def topic(self) -> str:
        """The topic that the rows are written to; of a live table, the one that holds its changes."""
        return f"{LIVE_PREFIX}{self.name}" if self.live else self.name


@dataclass(frozen=True)
class Topology:
    """What is done with events, as data: the runner, the batch replay and a compiler for another engine read this."""

    name: str
    input: str
    time: EventTime
    steps: tuple[Step, ...]
    outputs: tuple[Output, ...]
    path: Path
    fingerprint: str
    description: str = ""

    def inputs(self) -> Iterator[str]:
        """The topics that are read, each once, in the order in which they are named."""
        steps = {step.name for step in self.steps}
        named = [step.source for step in self.steps]
        named += [name for step in self.steps for name in step.reads[1:]]
        named += [output.source for output in self.outputs]
        yield from dict.fromkeys(name for name in named if name not in steps)


@dataclass(frozen=True)
class ScoringModel:
    """A Python file of the project whose function `score` says a number for each row; its version is its content."""

    name: str
    path: Path
    fingerprint: str
    description: str = ""


@dataclass(frozen=True)
class Streams:
    """Everything under streams/."""

    topics: Mapping[str, Topic] = field(default_factory=lambda: MappingProxyType({}))
    topologies: Mapping[str, Topology] = field(default_factory=lambda: MappingProxyType({}))
    models: Mapping[str, ScoringModel] = field(default_factory=lambda: MappingProxyType({}))

    def topics_of(self, dataset: str) -> tuple[Topic, ...]:
        return tuple(topic for topic in self.topics.values() if topic.dataset == dataset)
