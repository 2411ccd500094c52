"""The batch road on real input: 305 daily files to released gold, nothing new, one more day, and 2,000 small commits.

The peer loads the same files with dlt's fastest reader into DuckDB and builds the same models; it writes no open
tables, checks no contract and runs no gate. Its gold must equal ours before any time counts.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import commits
from bench.equality import differences
from bench.figure import Figure, Outcome
from bench.peers.environment import python_of, versions_of
from bench.process import Cost
from bench.process import run as run_process

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "projects" / "online_retail"
MACROS = ROOT / "src" / "penstock" / "transform" / "macros"
PENSTOCK = Path(sys.executable).parent / "penstock"
PEER = Path(__file__).parent / "peers" / "dlt_duckdb.py"
PEER_PACKAGES = ("dlt[duckdb,filesystem]==1.31.*", "pyarrow", "dbt-core<1.12", "dbt-duckdb<1.12")
PEER_NAME = "dlt 1.31 read_csv_duckdb + dbt"
REAL_FILES = ROOT.parent / "shared" / "data" / "online-retail"

# Where a row stood is known to us alone; the peer's reader does not say.
UNKNOWN_TO_PEER = {"line_key", "source_file", "source_line"}
ROUNDS = 3
MEMORY_BAR = 1500.0  # MB


class OutputsDiffer(Exception):
    """Ours and the peer's gold are not the same, so their times cannot be compared."""


@dataclass
class Road:
    """Runs of the product over one folder of files; what each cost is kept by kind."""

    files: Path
    costs: dict[str, list[Cost]] = field(default_factory=dict)

    def run(self, kind: str, data: Path) -> Cost:
        command: list[str | Path] = [PENSTOCK, "run", "--project", PROJECT, "--data-dir", data, "--json"]
        cost = run_process(command, env={"PENSTOCK_ONLINE_RETAIL": str(self.files)})
        self.costs.setdefault(kind, []).append(cost)
        print(f"  ours  {kind:<22} {cost.seconds:6.2f} s  {cost.peak_mb:6.0f} MB", flush=True)
        return cost

    def export(self, data: Path, target: Path) -> Path:
        """Every gold table as a Parquet file."""
        target.mkdir()
        place: list[str | Path] = ["--project", PROJECT, "--data-dir", data]
        env = {"PENSTOCK_ONLINE_RETAIL": str(self.files)}
        tables = json.loads(run_process([PENSTOCK, "status", *place, "--json"], env=env).output)["tables"]
        for name in (table["name"] for table in tables if table["name"].startswith("gold.")):
            file = target / f"{name.removeprefix('gold.')}.parquet"
            run_process([PENSTOCK, "export", name, "--to", file, *place], env=env)
        return target


def run(folder: Path) -> Outcome | None:
    files = Path(os.environ.get("PENSTOCK_ONLINE_RETAIL", REAL_FILES)).resolve()
    days = sorted(files.glob("*.csv"))
    if len(days) < 10:
        print(f"NOT MEASURED: no shop files in {files}; set PENSTOCK_ONLINE_RETAIL", file=sys.stderr)
        return None
    python = python_of("dlt", PEER_PACKAGES)
    road, peer = Road(files), list[Cost]()
    for turn in range(ROUNDS):
        data, work = folder / f"ours-{turn}", folder / f"peer-{turn}"
        road.run("empty to released gold", data)
        peer.append(_peer(python, files, work))
        if turn == 0:
            _require_equal(
                road.export(data, folder / "gold"), _peer_gold(python, work, folder / "peer-gold"), UNKNOWN_TO_PEER
            )
        shutil.rmtree(work)
        if turn < ROUNDS - 1:
            shutil.rmtree(data)
    for _ in range(ROUNDS):
        road.run("nothing new", data)
    _one_day_more(road, days, folder)
    small = commits.measure(folder)
    return Outcome(
        figures=[*_figures(road, peer, small)],
        runs={
            **{f"ours, {kind}, s": [cost.seconds for cost in costs] for kind, costs in road.costs.items()},
            **{f"ours, {kind}, MB": [cost.peak_mb for cost in costs] for kind, costs in road.costs.items()},
            "peer, s": [cost.seconds for cost in peer],
            "peer, MB": [cost.peak_mb for cost in peer],
            **small.runs(),
        },
        peers={PEER_NAME: versions_of(python, ["dlt", "duckdb", "dbt-core", "dbt-duckdb", "pyarrow"])},
        notes=[
            "Times are wall clock of whole commands, start of Python included; median of three, ours and the peer in turn.",
            "The peer runs its models without tests and writes no open tables; ours checks contracts, runs every test and the gate.",
            "Memory is resident memory summed over the process tree, sampled every 50 ms, and never below the kernel's maximum.",
        ],
    )


def _peer(python: Path, files: Path, work: Path) -> Cost:
    work.mkdir()
    env = {"DLT_PROJECT_DIR": str(work), "DLT_DATA_DIR": str(work), "RUNTIME__DLTHUB_TELEMETRY": "false"}
    cost = run_process([python, PEER, "load", files, PROJECT / "models", MACROS, work], env=env)
    print(f"  peer  {'empty to gold':<22} {cost.seconds:6.2f} s  {cost.peak_mb:6.0f} MB", flush=True)
    return cost


def _peer_gold(python: Path, work: Path, target: Path) -> Path:
    run_process([python, PEER, "export", work, target])
    return target


def _require_equal(ours: Path, other: Path, left_out: set[str]) -> None:
    found = differences(ours, other, left_out)
    if found:
        raise OutputsDiffer("; ".join(found))
    print("  outputs are equal", flush=True)


def _one_day_more(road: Road, days: Sequence[Path], folder: Path) -> None:
    """The last three days arrive one by one on top of all earlier ones; gold must equal the one made in one go."""
    files, data = folder / "files", folder / "daily"
    files.mkdir()
    daily = Road(files, road.costs)
    *earlier, first, second, third = days
    for day in earlier:
        shutil.copy2(day, files)
    daily.run(f"{len(earlier)} files", data)
    for day in (first, second, third):
        shutil.copy2(day, files)
        daily.run("one day more", data)
    _require_equal(folder / "gold", daily.export(data, folder / "daily-gold"), set())


def _figures(road: Road, peer: Sequence[Cost], small: commits.Measured) -> Sequence[Figure]:
    def median(costs: Sequence[Cost]) -> float:
        return statistics.median(cost.seconds for cost in costs)

    peer_seconds, peak = median(peer), max(cost.peak_mb for costs in road.costs.values() for cost in costs)
    empty = median(road.costs["empty to released gold"])
    return [
        Figure("empty to released gold", empty, "s", 45, PEER_NAME, peer_seconds),
        Figure("empty to released gold, against the peer", empty / peer_seconds, "x", 1, PEER_NAME, 1),
        Figure("nothing new", median(road.costs["nothing new"]), "s", 2),
        Figure("one day more", median(road.costs["one day more"]), "s", 8),
        *small.figures(),
        Figure(
            "peak memory", max(peak, small.peak_mb), "MB", MEMORY_BAR, PEER_NAME, max(cost.peak_mb for cost in peer)
        ),
    ]
