"""How a data directory and the processes on it are doing, in the text that Prometheus reads.

Everything is read from what the processes tell of themselves in small files, so a scrape costs the same whatever was
processed, and any process may answer it. A value that is not known is left out, never zero.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from penstock.errors import PenstockError
from penstock.lake.records import TableSummary, read_heads, read_table_summary
from penstock.quality.result import Kind
from penstock.release.record import Release, latest_release
from penstock.runtime.landing_state import LandingState, landings_in
from penstock.runtime.latency import SECONDS
from penstock.runtime.parts import PartState, parts_in
from penstock.runtime.process_use import connections_of, used_by
from penstock.runtime.topology_state import TopologyState, states_in
from penstock.runtime.traffic_state import WorkerState, workers_in
from penstock.serve.histogram import Histogram
from penstock.serve.traffic import Traffic
from penstock.world import Clock

_SECOND = 1_000_000  # microseconds
_SILVER, _QUARANTINE = "silver.", "quarantine."


def exposition(root: Path, clock: Clock) -> bytes:
    """The text (format 0.0.4) about a data directory at this moment; empty where nothing ran yet."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Here(root, clock))
    return generate_latest(registry)


@dataclass(frozen=True, eq=False)
class _Here(Collector):
    root: Path
    clock: Clock

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: two directories are never told of in one registry."""
        return ()

    def collect(self) -> Iterator[Metric]:
        now = self.clock.now().timestamp()
        release = latest_release(self.root)
        if release is not None:
            yield from _release(release, now)
        yield from _datasets(_summaries(self.root), now)
        yield from _topologies(states_in(self.root), now)
        yield from _landings(landings_in(self.root), now)
        yield from _requests(workers_in(self.root))
        yield from _parts(parts_in(self.root))
        yield from _disk(self.root)


def _release(release: Release, now: float) -> Iterator[Metric]:
    yield GaugeMetricFamily("penstock_release_number", "The current release.", release.number)
    age = now - release.committed_at.timestamp()
    yield GaugeMetricFamily("penstock_release_age_seconds", "Time since the current release was committed.", age)
    score = GaugeMetricFamily(
        "penstock_quality_score_percent", "Rows that met the contract at the current release.", labels=["dataset"]
    )
    for check in release.checks:
        _, _, dataset = str(check["name"]).partition(".")
        if check["kind"] == Kind.SCORE and dataset and check["value"] is not None:
            score.add_metric([dataset], float(check["value"]))
    yield score


def _summaries(root: Path) -> dict[str, TableSummary]:
    """Of silver and quarantine; none of a lake that cannot be read, which other commands tell in words."""
    with suppress(PenstockError):
        heads = read_heads(root)
        return {name: _summary(at) for name, at in heads.items() if name.startswith((_SILVER, _QUARANTINE))}
    return {}


@lru_cache(maxsize=512)
def _summary(location: str) -> TableSummary:
    """A file of metadata never changes: the next commit writes another one."""
    return read_table_summary(location)


def _datasets(tables: Mapping[str, TableSummary], now: float) -> Iterator[Metric]:
    of = ["dataset"]
    rows = GaugeMetricFamily("penstock_dataset_rows", "Rows in silver.", labels=of)
    refused = GaugeMetricFamily("penstock_quarantine_rows", "Rows in quarantine that are not settled.", labels=of)
    age = GaugeMetricFamily("penstock_dataset_age_seconds", "Time since rows came into silver last.", labels=of)
    for name, summary in tables.items():
        layer, _, dataset = name.partition(".")
        if f"{layer}." == _QUARANTINE:
            refused.add_metric([dataset], summary.open_rows)
            continue
        rows.add_metric([dataset], summary.rows)
        if summary.grown_at is not None:
            age.add_metric([dataset], now - summary.grown_at.timestamp())
    yield from (rows, refused, age)


def _topologies(states: Iterable[TopologyState], now: float) -> Iterator[Metric]:
    of = ["topology"]
    running = GaugeMetricFamily("penstock_topology_running", "Whether its process lives.", labels=of)
    lag = GaugeMetricFamily("penstock_topology_lag_rows", "Rows of its topics that it has not taken.", labels=of)
    rate = GaugeMetricFamily(
        "penstock_topology_rows_per_second", "Rows a second it took in the last ten seconds.", labels=of
    )
    told = GaugeMetricFamily("penstock_topology_told_age_seconds", "Time since it told of itself.", labels=of)
    delay = GaugeMetricFamily(
        "penstock_topology_watermark_delay_seconds", "How far its watermark lies behind the clock.", labels=of
    )
    rows = CounterMetricFamily(
        "penstock_topology_rows", "Rows since its process started, by what became of them.", labels=[*of, "kind"]
    )
    keys = GaugeMetricFamily("penstock_topology_keys", "What a step remembers.", labels=[*of, "step"])
    latency = HistogramMetricFamily(
        "penstock_topology_latency_seconds", "From when the log took a row until then.", labels=[*of, "until"]
    )
    for state in states:
        name = [state.topology]
        for until, one in state.latency.items():
            seconds = Histogram(SECONDS, one["counts"], one["total"])
            latency.add_metric([*name, until], seconds.buckets(), seconds.total)
        running.add_metric(name, float(state.is_running))
        lag.add_metric(name, state.lag)
        told.add_metric(name, now - state.at / _SECOND)
        if state.is_running and state.rate is not None:
            rate.add_metric(name, state.rate)
        if state.watermark is not None:
            delay.add_metric(name, now - state.watermark / _SECOND)
        for kind, count in state.counts.items():
            rows.add_metric([*name, kind], count)
        for step, count in state.keys.items():
            keys.add_metric([*name, step], count)
    yield from (running, lag, rate, told, delay, rows, keys, latency)


def _landings(states: Iterable[LandingState], now: float) -> Iterator[Metric]:
    of = ["topic"]
    running = GaugeMetricFamily("penstock_landing_running", "Whether the process that lands it lives.", labels=of)
    lag = GaugeMetricFamily("penstock_landing_lag_rows", "Rows of the topic that bronze has not.", labels=of)
    rate = GaugeMetricFamily(
        "penstock_landing_rows_per_second", "Rows a second into bronze in the last ten seconds.", labels=of
    )
    age = GaugeMetricFamily("penstock_landing_commit_age_seconds", "Time since bronze was committed last.", labels=of)
    rows = CounterMetricFamily(
        "penstock_landing_rows", "Rows since the process started, by what became of them.", labels=[*of, "kind"]
    )
    for state in states:
        name = [state.topic]
        running.add_metric(name, float(state.is_running))
        lag.add_metric(name, state.lag)
        if state.is_running and state.rate is not None:
            rate.add_metric(name, state.rate)
        if state.committed is not None:
            age.add_metric(name, now - state.committed / _SECOND)
        for kind in ("rows", "malformed", "accepted", "quarantined"):
            rows.add_metric([*name, kind], getattr(state, kind))
    yield from (running, lag, rate, age, rows)


def _requests(workers: Sequence[WorkerState]) -> Iterator[Metric]:
    """Summed over the workers; what goes on now, of those that live."""
    traffic, living = Traffic(), [one for one in workers if one.is_running]
    for worker in workers:
        traffic.add(worker.traffic)
    of = ["route"]
    requests = CounterMetricFamily("penstock_http_requests", "Answered requests.", labels=[*of, "status"])
    seconds = HistogramMetricFamily("penstock_http_request_seconds", "Time to the end of an answer.", labels=of)
    for route, one in sorted(traffic.routes.items()):
        for hundreds, count in enumerate(one.statuses):
            if count:
                requests.add_metric([route, f"{hundreds}xx"], count)
        seconds.add_metric([route], one.seconds.buckets(), one.seconds.total)
    yield from (requests, seconds)
    if living:
        going = sum(one.traffic["open"] for one in living)
        yield GaugeMetricFamily("penstock_http_workers", "Worker processes of the server.", len(living))
        yield GaugeMetricFamily("penstock_http_requests_in_progress", "Requests under way.", going)
        told = (connections_of(one.process) for one in living)
        connections = [one for one in told if one is not None]
        if connections:
            yield GaugeMetricFamily("penstock_http_connections", "Open connections of the server.", sum(connections))


def _parts(parts: Iterable[PartState]) -> Iterator[Metric]:
    of = ["part"]
    running = GaugeMetricFamily("penstock_part_running", "Whether a part of `penstock up` lives.", labels=of)
    restarts = CounterMetricFamily("penstock_part_restarts", "How often a part was begun again.", labels=of)
    memory = GaugeMetricFamily("penstock_part_resident_memory_bytes", "Resident memory of a part.", labels=of)
    time = CounterMetricFamily("penstock_part_cpu_seconds", "Processor time of a part.", labels=of)
    for part in parts:
        running.add_metric([part.part], float(part.is_running))
        restarts.add_metric([part.part], part.restarts)
        used = None if part.process is None else used_by(part.process)
        if used is not None:
            memory.add_metric([part.part], used[0])
            time.add_metric([part.part], used[1])
    yield from (running, restarts, memory, time)


def _disk(root: Path) -> Iterator[Metric]:
    with suppress(OSError):
        disk = os.statvfs(root)
        free = disk.f_bavail * disk.f_frsize
        yield GaugeMetricFamily("penstock_disk_free_bytes", "What is left where the data lie.", free)
