"""Small commits to one lake table: do they stay as quick as the first? Plain PyIceberg does the same beside it.

Each side runs in a process of its own: `python -m bench.commits ours|plain FOLDER COUNT RESULT`.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from bench.figure import Figure
from bench.machine import percentile
from bench.process import run

OURS, PLAIN = 2000, 600  # commits
WINDOW = 100  # the first and the last so many are compared
ROWS = 100  # rows a commit
METADATA_BAR = 100  # files; plain PyIceberg has three per commit
PEER = "plain PyIceberg, 600 commits"


@dataclass(frozen=True)
class Measured:
    """Milliseconds of every commit, in order, and the metadata files left at the end."""

    ours: Sequence[float]
    plain: Sequence[float]
    metadata_files: int
    plain_metadata_files: int
    peak_mb: float

    def figures(self) -> list[Figure]:
        first, last = self.ours[:WINDOW], self.ours[-WINDOW:]
        plain_first, plain_last = self.plain[:WINDOW], self.plain[-WINDOW:]
        growth = statistics.median(last) / statistics.median(first)
        tail = percentile([*last], 99) / percentile([*first], 99)
        plain_growth = statistics.median(plain_last) / statistics.median(plain_first)
        plain_tail = percentile([*plain_last], 99) / percentile([*plain_first], 99)
        return [
            Figure("commits 1,901-2,000 to 1-100, median", growth, "x", 1.5, PEER, plain_growth),
            Figure("commits 1,901-2,000 to 1-100, p99", tail, "x", 2, PEER, plain_tail),
            Figure(
                "commit, median of the last 100",
                statistics.median(last),
                "ms",
                None,
                PEER,
                statistics.median(plain_last),
            ),
            Figure("metadata files", self.metadata_files, "files", METADATA_BAR, PEER, self.plain_metadata_files),
        ]

    def runs(self) -> dict[str, list[float]]:
        """Medians of each hundred commits, ms."""
        return {
            f"{name}, median of each {WINDOW} commits, ms": [
                statistics.median(values[start : start + WINDOW]) for start in range(0, len(values), WINDOW)
            ]
            for name, values in (("ours", self.ours), ("plain", self.plain))
        }


def measure(folder: Path) -> Measured:
    results, peak = {}, 0.0
    for name, count in (("ours", OURS), ("plain", PLAIN)):
        result = folder / f"commits-{name}.json"
        cost = run([sys.executable, "-m", "bench.commits", name, folder / f"commits-{name}", str(count), result])
        results[name] = json.loads(result.read_text(encoding="utf-8"))
        peak = max(peak, cost.peak_mb) if name == "ours" else peak
        print(f"  {name:<5} {count} small commits   {cost.seconds:6.2f} s  {cost.peak_mb:6.0f} MB", flush=True)
    return Measured(
        ours=results["ours"]["commits"],
        plain=results["plain"]["commits"],
        metadata_files=results["ours"]["metadata_files"],
        plain_metadata_files=results["plain"]["metadata_files"],
        peak_mb=peak,
    )


def rows(number: int) -> pa.Table:
    """The rows of one commit; the same for both."""
    first = number * ROWS
    return pa.table(
        {
            "id": pa.array(range(first, first + ROWS), pa.int64()),
            "name": pa.array([f"row {id}" for id in range(first, first + ROWS)], pa.string()),
            "amount": pa.array([id / 100 for id in range(first, first + ROWS)], pa.float64()),
        }
    )


def _ours(folder: Path, count: int) -> Iterator[float]:
    """A commit is timed with its upkeep: expiry is called after each, and does something every so often."""
    from penstock.lake.lake import Lake
    from penstock.lake.table import TableColumn, TableSpec
    from penstock.lake.upkeep import Retention, expire
    from penstock.world import real_world

    columns = (
        TableColumn("id", "id", "long"),
        TableColumn("name", "name", "string"),
        TableColumn("amount", "amount", "double"),
    )
    spec = TableSpec("silver.events", columns)
    world = real_world()
    lake = Lake.open(folder, world)
    with lake.lease("bench", holder="bench") as lease:
        lake.ensure(spec, lease=lease)
        for number in range(count):
            started = time.perf_counter()
            head = lake.head(spec.name)
            assert head is not None
            commit = lake.stage(lease=lease, token=f"bench:{number}")
            change = commit.table(head)
            change.append(rows(number))
            change.position("bench", str(number + 1))
            commit.apply()
            expire(lake, Retention(), lease=lease, pinned={})
            yield _milliseconds(started)
    lake.close()


def _plain(folder: Path, count: int) -> Iterator[float]:
    from pyiceberg.catalog.sql import SqlCatalog

    folder.mkdir(parents=True)
    catalog = SqlCatalog("plain", uri=f"sqlite:///{folder / 'catalog.db'}", warehouse=f"file://{folder}")
    catalog.create_namespace("silver")
    catalog.create_table("silver.events", schema=rows(0).schema)
    for number in range(count):
        started = time.perf_counter()
        catalog.load_table("silver.events").append(rows(number))
        yield _milliseconds(started)


def _milliseconds(started: float) -> float:
    return (time.perf_counter() - started) * 1000


def main(name: str, folder: str, count: str, result: str) -> None:
    taken = list({"ours": _ours, "plain": _plain}[name](Path(folder), int(count)))
    files = sum(1 for path in Path(folder).rglob("metadata/*") if path.is_file())
    Path(result).write_text(json.dumps({"commits": taken, "metadata_files": files}), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
