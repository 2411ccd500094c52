"""A project: everything declared in one folder, as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from penstock.spec.contract import Contract, snapshots_name
from penstock.spec.endpoint import Endpoint
from penstock.spec.live_endpoint import LiveEndpoint, LiveMeasure
from penstock.spec.source import DeliveryMode, Source
from penstock.spec.stream import Streams


class Severity(StrEnum):
    ERROR = "error"  # blocks the release
    WARN = "warn"  # is reported


class CheckKind(StrEnum):
    """threshold: one number compared with bounds. rows: a query whose rows are the violations.
    reconcile: two queries whose results must be equal. freshness, references, uniqueness, score: made from contracts."""

    THRESHOLD = "threshold"
    ROWS = "rows"
    RECONCILE = "reconcile"


@dataclass(frozen=True)
class Check:
    """One check of the gate. SQL sees `silver.*`, `quarantine.*` and the candidate `gold.*`. With a `profile` it is one
    of the project only where that profile is asked for."""

    name: str
    kind: CheckKind
    severity: Severity
    sql: str
    against: str | None  # reconcile: the second query
    minimum: str | None  # threshold: inclusive bounds, as decimal text
    maximum: str | None
    description: str
    path: Path
    fingerprint: str
    places: tuple[str, ...] = ()  # file:line:column of its queries
    profile: str | None = None


@dataclass(frozen=True)
class Retention:
    """How long things stay readable. A release is dropped when it is both older than `releases_for` and not
    among the last `releases_keep`; a snapshot when no release, reader or `snapshots_for` needs it; the record of a
    run, a batch, a refusal of the gate or an expired release when it is older than `records_for` and nothing rests
    on it."""

    releases_keep: int = 30
    releases_for: timedelta = timedelta(days=30)
    snapshots_for: timedelta = timedelta(hours=1)
    raw_quarantine_for: timedelta = timedelta(days=30)
    records_for: timedelta = timedelta(days=90)


@dataclass(frozen=True)
class Serving:
    """How the API is served. `cors` are the origins whose pages may read it in a browser; none by default."""

    cors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Project:
    """All declarations of one folder. `fingerprint` covers contracts, sources, checks, models and endpoints."""

    root: Path
    name: str
    tenant: str
    description: str
    contracts: Mapping[str, Contract]  # by dataset
    sources: Mapping[str, Source]  # by name
    checks: tuple[Check, ...]
    models: Path | None  # folder of the dbt project, if there is one
    models_fingerprint: str
    retention: Retention
    quality_target: float  # per cent
    quality_alert: float
    fingerprint: str
    endpoints: tuple[Endpoint, ...] = ()  # by path
    serving: Serving = Serving()
    streams: Streams = field(default_factory=Streams)
    live: tuple[LiveEndpoint, ...] = ()
    measures: tuple[LiveMeasure, ...] = ()

    @property
    def serves(self) -> bool:
        """Whether there is something to serve: of releases, or of live tables."""
        return bool(self.endpoints or self.live or self.measures)

    @property
    def silver_tables(self) -> tuple[str, ...]:
        """The names of the tables in silver: one for each dataset, and one for the snapshots of those that have them."""
        snapshots = (snapshots_name(name) for name in self.contracts if self.has_snapshots(name))
        return (*self.contracts, *snapshots)

    def has_snapshots(self, dataset: str) -> bool:
        """Whether the files of the dataset are each the whole truth of their moment."""
        return any(source.delivery.mode is DeliveryMode.SNAPSHOT for source in self.sources_of(dataset))

    def sources_of(self, dataset: str) -> tuple[Source, ...]:
        """What feeds a dataset: its sources, and the topics that go to the lake."""
        files = tuple(source for source in self.sources.values() if source.dataset == dataset)
        return files + tuple(topic.source for topic in self.streams.topics_of(dataset) if topic.lake)
