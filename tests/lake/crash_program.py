"""A small loader, run in a process of its own by the crash suites: `crash_program.py ROOT`.

Three batches go into a partitioned table and into a table that keeps one row per key (so rows are taken out of
files, and files are removed), with a record, in one commit each. Where it stands it asks the lake alone.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pyarrow as pa

import penstock.world
from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.lake.table import Partition, TableColumn, TableSpec
from penstock.lake.upkeep import Retention, expire

BATCHES = 3
EVENTS = TableSpec(
    "bronze.events",
    (TableColumn("line", "line", "long", required=True), TableColumn("day", "day", "string")),
    (Partition("day", "identity"),),
)
LATEST = TableSpec("silver.latest", (TableColumn("key", "key", "string"), TableColumn("batch", "batch", "long")))


def batch_rows(batch: int) -> list[dict[str, object]]:
    return [{"line": batch * 10 + line, "day": f"day {line % 2}"} for line in range(4)]


def main() -> None:
    world = penstock.world.real_world()
    with Lake.open(Path(sys.argv[1]), world) as lake, lake.lease("loader", holder="crash program") as lease:
        lake.ensure(EVENTS, lease=lease)
        lake.ensure(LATEST, lease=lease)
        while load(lake, lease):
            continue
        expire(lake, Retention(1, 0, timedelta(0)), lease=lease, pinned={})


def load(lake: Lake, lease: Lease) -> bool:
    """Load the next batch; False when there is none."""
    events, latest = lake.head(EVENTS.name), lake.head(LATEST.name)
    assert events is not None
    assert latest is not None
    batch = int(lake.position(events, "shop") or "0") + 1
    if batch > BATCHES:
        return False
    with lake.stage(lease=lease, token=f"shop:{batch}") as commit:
        added = commit.table(events)
        added.append(pa.Table.from_pylist(batch_rows(batch)))
        replaced = commit.table(latest)
        files = lake.scan_head(latest).files
        if batch == 2:
            replaced.take_out(pa.table({"file_path": [file.path for file in files], "pos": [0]}))
        else:
            replaced.remove(files)
        replaced.append(pa.table({"key": ["shop"], "batch": [batch]}))
        for change in (added, replaced):
            change.position("shop", str(batch))
        commit.record("batch", str(batch), {"rows": 4})
        commit.apply()
    return True
