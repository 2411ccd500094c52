"""How a data directory and the processes on it are doing, in the text that Prometheus reads.

Everything is read from what the processes tell of themselves in small files, so a scrape costs the same whatever was
processed, and any process may answer it. A value that is not known is left out, never zero.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from penstock.release.record import latest_release
from penstock.runtime.parts import PartState, parts_in
from penstock.runtime.topology_state import TopologyState, states_in
from penstock.world import Clock

_SECOND = 1_000_000  # microseconds
_RESIDENT = 1  # the field of /proc/PID/statm, in pages
_TIMES = slice(11, 13)  # user and system time in /proc/PID/stat after the name of the program, in ticks


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
        yield from _release(self.root, now)
        yield from _topologies(states_in(self.root), now)
        yield from _parts(parts_in(self.root))
        yield from _disk(self.root)


def _release(root: Path, now: float) -> Iterator[Metric]:
    release = latest_release(root)
    if release is not None:
        yield GaugeMetricFamily("penstock_release_number", "The current release.", release.number)
        age = now - release.committed_at.timestamp()
        yield GaugeMetricFamily("penstock_release_age_seconds", "Time since the current release was committed.", age)


def _topologies(states: Iterable[TopologyState], now: float) -> Iterator[Metric]:
    of = ["topology"]
    running = GaugeMetricFamily("penstock_topology_running", "Whether its process lives.", labels=of)
    lag = GaugeMetricFamily("penstock_topology_lag_rows", "Rows of its topics that it has not taken.", labels=of)
    told = GaugeMetricFamily("penstock_topology_told_age_seconds", "Time since it told of itself.", labels=of)
    delay = GaugeMetricFamily(
        "penstock_topology_watermark_delay_seconds", "How far its watermark lies behind the clock.", labels=of
    )
    rows = CounterMetricFamily(
        "penstock_topology_rows", "Rows since its process started, by what became of them.", labels=[*of, "kind"]
    )
    keys = GaugeMetricFamily("penstock_topology_keys", "What a step remembers.", labels=[*of, "step"])
    for state in states:
        name = [state.topology]
        running.add_metric(name, float(state.is_running))
        lag.add_metric(name, state.lag)
        told.add_metric(name, now - state.at / _SECOND)
        if state.watermark is not None:
            delay.add_metric(name, now - state.watermark / _SECOND)
        for kind, count in state.counts.items():
            rows.add_metric([*name, kind], count)
        for step, count in state.keys.items():
            keys.add_metric([*name, step], count)
    yield from (running, lag, told, delay, rows, keys)


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


def used_by(process: int) -> tuple[int, float] | None:
    """Resident bytes and seconds of processor time of a process; None when it is gone or the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[_RESIDENT])
        ticks = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[_TIMES]
        return pages * os.sysconf("SC_PAGE_SIZE"), sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    return None


def _disk(root: Path) -> Iterator[Metric]:
    with suppress(OSError):
        disk = os.statvfs(root)
        free = disk.f_bavail * disk.f_frsize
        yield GaugeMetricFamily("penstock_disk_free_bytes", "What is left where the data lie.", free)
