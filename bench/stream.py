"""The stream, part by part: the whole road and its peers, latency, restart, landing, operators, poison, Kafka.

`PARTS` (by comma) names the parts to measure, all of them without it; `ROWS`, `ROUNDS`, `SECONDS` and `COMMITS` make
a trial smaller than what the bars are meant for. A part whose programs are missing is told of and has no figures;
one that fails is a figure that missed its bar.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import SubprocessError

from bench import flink, kafka, kafka_peers, landing, latency, poison, road, stream_kernels
from bench.figure import Figure, Outcome
from bench.payments import ResultsDiffer
from bench.process import CommandFailed
from penstock.errors import PenstockError

ROOT = Path(__file__).resolve().parent.parent
FAILURES = (ResultsDiffer, CommandFailed, PenstockError, OSError, RuntimeError, SubprocessError)


class Missing(Exception):
    """A program that a part needs is not on this machine."""


@dataclass(frozen=True)
class Size:
    """How much is measured; the bars are meant for what stands here."""

    rows: int = 10_000_000
    rounds: int = 3
    commits: int = 2000
    seconds: int = 120

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Size:
        given = {
            name: int(environment[name.upper()]) for name in cls.__dataclass_fields__ if name.upper() in environment
        }
        return cls(**given)


@dataclass
class Measured:
    """What all parts found."""

    figures: list[Figure] = field(default_factory=list)
    runs: dict[str, Sequence[float]] = field(default_factory=dict)
    peers: dict[str, Mapping[str, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    road: float | None = None  # events a second, once they were measured


def _road(folder: Path, size: Size, found: Measured) -> None:
    measured = road.measure(folder, rows=size.rows, rounds=size.rounds)
    found.figures += road.figures(measured)
    found.runs["road, events/s"] = measured.rates
    found.road = statistics.median(measured.rates)


def _road_rate(folder: Path, size: Size, found: Measured) -> float:
    """What peers are compared with; measured once when the road was not."""
    if found.road is None:
        (place := folder / "road").mkdir()
        (found.road,) = road.measure(place, rows=size.rows, rounds=1).rates
        found.runs["road, events/s"] = [found.road]
    return found.road


def _flink(folder: Path, size: Size, found: Measured) -> None:
    if shutil.which("java") is None:
        raise Missing("java")
    ours = _road_rate(folder, size, found)
    peer = flink.measure(folder, rows=size.rows, rounds=min(size.rounds, 2))
    found.figures.append(flink.figure(peer, ours=ours))
    found.runs["flink, events/s"] = peer.rates
    found.peers[flink.NAME] = peer.versions


def _loop(folder: Path, size: Size, found: Measured) -> None:
    rates = road.loops(folder, rows=min(size.rows, road.LOOPED))
    ours = _road_rate(folder, size, found)
    for name, rate in rates.items():
        bar = road.LOOP_BAR if name == road.LOOP else None
        found.figures.append(Figure(f"the road, against {name}", ours / rate, "x", bar, name, 1, True))
        found.runs[f"{name}, events/s"] = [rate]


def _latency(folder: Path, size: Size, found: Measured) -> None:
    for rate in latency.RATES:
        paced = latency.measure(folder, rate=rate, seconds=size.seconds)
        found.figures += latency.figures(paced)
        found.runs[f"due to visible at {rate:,}/s, median of each tenth, ms"] = paced.by_tenths


def _restart(folder: Path, size: Size, found: Measured) -> None:
    members = min(size.rows, 1_000_000)
    taken = road.restart(folder, members=members, rounds=size.rounds)
    found.figures.append(Figure(f"restart with {members:,} keys", statistics.median(taken), "s", road.RESTART_BAR))
    found.runs["restart, s"] = taken


def _landing(folder: Path, size: Size, found: Measured) -> None:
    rates = [landing.rate(folder, rows=size.rows) for _ in range(size.rounds)]
    taken = landing.commits(folder, count=size.commits)
    found.figures += landing.figures(rates, taken)
    found.runs["landing, rows/s"] = rates
    found.runs["commits of bronze, median of each hundred, ms"] = [
        statistics.median(taken[start : start + landing.HUNDRED]) for start in range(0, len(taken), landing.HUNDRED)
    ]


def _operators(_: Path, __: Size, found: Measured) -> None:
    for measured in (stream_kernels.join, stream_kernels.sliding):
        for figure, runs in measured():
            print(f"  operators  {figure.figure}: {figure.value:,.3g} {figure.unit}", flush=True)
            found.figures.append(figure)
            found.runs[figure.figure] = list(runs)


def _poison(folder: Path, size: Size, found: Measured) -> None:
    rates = poison.measure(folder, rows=min(size.rows, poison.ROWS), rounds=size.rounds)
    found.figures += poison.figures(rates)
    found.runs["good rows/s without poison"], found.runs["good rows/s with poison"] = rates.alone, rates.poisoned


def _kafka(folder: Path, size: Size, found: Measured) -> None:
    if kafka.missing():
        raise Missing(" and ".join(kafka.missing()))
    rates = kafka.measure(folder, rows=min(size.rows, kafka.ROWS), rounds=1)
    found.figures += kafka.figures(rates)
    found.runs["road on Kafka, events/s"] = rates.ours
    for peer in kafka_peers.PEERS:
        found.runs[f"{peer.name}, events/s"] = [rates.peers[peer.name]]
        found.peers[peer.name] = peer.versions()


PARTS: Mapping[str, Callable[[Path, Size, Measured], None]] = {
    "road": _road,
    "flink": _flink,
    "loop": _loop,
    "latency": _latency,
    "restart": _restart,
    "landing": _landing,
    "operators": _operators,
    "poison": _poison,
    "kafka": _kafka,
}


def chosen(environment: Mapping[str, str]) -> list[str]:
    """The parts that are asked for, in their own order; ValueError for one that is not there."""
    asked = [name.strip() for name in environment.get("PARTS", "").split(",") if name.strip()]
    unknown = sorted({*asked} - {*PARTS})
    if unknown:
        raise ValueError(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return [name for name in PARTS if not asked or name in asked]


def run(folder: Path) -> Outcome | None:
    size, found = Size.of(os.environ), Measured()
    parts = chosen(os.environ)
    for name in parts:
        (place := folder / name).mkdir()
        try:
            PARTS[name](place, size, found)
        except Missing as missing:
            print(f"NOT MEASURED: {name}: {missing}", file=sys.stderr, flush=True)
            found.notes.append(f"Not measured: {name}: {missing}.")
        except FAILURES as error:  # what others found is kept; the command ends with 1
            traceback.print_exc()
            said = str(error).replace(f"{ROOT}/", "").replace(str(folder), "")
            found.notes.append(f"Failed: {name}: {type(error).__name__}: {said[:200]}")
            found.figures.append(Figure(f"{name} failed", 1, "failure", bar=0))
    if not found.figures:
        return None
    return Outcome(
        figures=found.figures,
        runs=found.runs,
        peers=found.peers,
        notes=[
            *found.notes,
            f"Parts: {', '.join(parts)}; {size}.",
            f"Load of the machine at the end (1, 5, 15 minutes): {', '.join(f'{one:.1f}' for one in os.getloadavg())}.",
        ],
        part="" if len(parts) == len(PARTS) and size == Size() else "-".join(parts),
    )
