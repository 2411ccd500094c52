"""Metrics with a release: compiled when it is made, read and asked from what was kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from penstock.errors import UsageError
from penstock.lake.records import put_record, read_record
from penstock.metrics.declaration import fingerprint_of
from penstock.metrics.metric import Metric, Metrics
from penstock.release.record import Release, find_release, latest_release
from penstock.runtime.installation import Installation
from penstock.serve.definitions import KIND, metrics_of

if TYPE_CHECKING:
    import duckdb

    from penstock.metrics.request import MetricRequest
    from penstock.transform.result import Build

FORMATS = ("table", "json", "csv")


def compiled_metrics(installation: Installation, manifest: str | None) -> Metrics:
    """The metrics of a semantic manifest: those kept, or compiled now. Nothing is kept by this.

    Raises DeclarationError with every metric that cannot be compiled.
    """
    if manifest is None:
        return Metrics("", {})
    fingerprint = fingerprint_of(manifest)
    kept = read_record(installation.place.root, KIND, fingerprint)
    if kept is not None:
        return Metrics.from_record(fingerprint, kept)
    from penstock.metrics.metricflow import compile_metrics

    return compile_metrics(manifest)


def keep_metrics(
    installation: Installation, built: Build, connection: duckdb.DuckDBPyConnection, last: Release | None
) -> str | None:
    """Compile the metrics that came with a build, unless that was done before; the fingerprint they are kept under.

    The lake exists, and the connection reads what was built. Raises DeclarationError with every metric that cannot be
    compiled or does not fit the models.
    """
    if built.semantic_manifest is None:
        return None
    root, fingerprint = installation.place.root, fingerprint_of(built.semantic_manifest)
    is_kept = read_record(root, KIND, fingerprint) is not None
    if is_kept and last is not None and last.models == installation.project.models_fingerprint:
        return fingerprint
    metrics = compiled_metrics(installation, built.semantic_manifest)
    _check(connection, metrics)
    if not is_kept:
        put_record(root, KIND, fingerprint, metrics.as_record(), at=installation.world.clock.now())
    return fingerprint


def _check(connection: duckdb.DuckDBPyConnection, metrics: Metrics) -> None:
    from penstock.metrics.query import check_metrics
    from penstock.transform.workspace import DATABASE

    connection.execute(f"USE {DATABASE}")
    check_metrics(connection, metrics)


def read_metrics(installation: Installation, *, release: int | None = None) -> tuple[Release, Metrics]:
    """The metrics of a release, the latest unless said; UsageError where there is none yet."""
    root = installation.place.root
    chosen = latest_release(root) if release is None else find_release(root, release)
    if chosen is None:
        raise UsageError("Nothing was released yet", where=str(root), remedy="Run `penstock run` first.")
    return chosen, metrics_of(root, chosen)


@dataclass(frozen=True)
class MetricExplanation:
    """What a metric of a release means, and its SQL without any dimension."""

    release: int
    metric: Metric
    sql: str

    def as_record(self) -> dict[str, object]:
        return {"release": self.release, **self.metric.as_summary(), "sql": self.sql}

    def lines(self) -> Iterator[str]:
        metric = self.metric
        yield f"{metric.name}: {metric.label} ({metric.unit})"
        yield f"  {metric.description}"
        yield f"kind:        {metric.kind}"
        yield f"owner:       {metric.owner}"
        yield f"final after: {days_until_final(metric)}"
        yield f"grains:      {', '.join(metric.grains)}" + ("" if metric.has_total else "; never without one")
        yield "dimensions:"
        for one in metric.dimensions:
            names = one.name if one.short == one.name else f"{one.short} ({one.name})"
            yield f"  {names}" + (f": {one.description}" if one.description else "")
        yield "sql:"
        yield from (f"  {line}" for line in self.sql.splitlines())


def days_until_final(metric: Metric) -> str:
    days = metric.final_after_days
    return "at once" if days == 0 else f"{days} day{'' if days == 1 else 's'}"


def explain_metric(installation: Installation, name: str, *, release: int | None = None) -> MetricExplanation:
    """One metric of a release explained; UsageError lists what there is."""
    from penstock.metrics.query import statement_of
    from penstock.metrics.request import MetricRequest, find_metric
    from penstock.sql.pretty import pretty

    chosen, metrics = read_metrics(installation, release=release)
    metric = find_metric(metrics, name)
    grain = None if metric.has_total else str(metric.grains[0])
    sql = pretty(statement_of(metrics, MetricRequest(name, grain=grain)).sql)
    return MetricExplanation(chosen.number, metric, sql)


def request_of(
    metric: str, *, by: Sequence[str], grain: str | None, first: str | None, last: str | None, where: str | None
) -> MetricRequest:
    """A request from its words; UsageError for a day that is none."""
    from penstock.metrics.request import MetricRequest, day_of

    return MetricRequest(
        metric=metric,
        by=tuple(name.strip() for name in by if name.strip()),
        grain=grain,
        first=None if first is None else day_of(first),
        last=None if last is None else day_of(last),
        where=where,
    )


def query_metric(
    installation: Installation, request: MetricRequest, *, release: int | None, form: str, output: BinaryIO
) -> None:
    """Write the rows of a request in one of `FORMATS`."""
    if form not in FORMATS:
        raise UsageError("There is no such format", expected=", ".join(FORMATS), found=form)
    from penstock.metrics.query import query_metric as answer
    from penstock.release.formats import write

    chosen, metrics = read_metrics(installation, release=release)
    with open_gold(installation, chosen) as connection:
        write(answer(connection, metrics, request).to_reader(), form, output)


def open_gold(installation: Installation, release: Release) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
    """A connection that reads gold at a release."""
    from penstock.release.gold import open_gold as opened

    return opened(installation.place.root, installation.world, release=release.number)
