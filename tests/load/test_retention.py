"""Raw bytes of lines that could not be read are kept for a declared time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pyarrow as pa

from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.load.origin import QUARANTINE_SCHEMA, Origin
from penstock.load.retention import forget_raw
from penstock.load.tables import quarantine_name, quarantine_spec
from penstock.sql.connection import connect
from penstock.sql.scan import read_scan
from penstock.world import World, real_world


def test_raw_bytes_beyond_their_time_are_forgotten_and_nothing_else(tmp_path: Path) -> None:
    world = real_world()
    with Lake.open(tmp_path, world) as lake, lake.lease("run", holder="test") as lease:
        _refuse(lake, lease, world, age=timedelta(days=40), line=1)
        _refuse(lake, lease, world, age=timedelta(days=1), line=2)
        assert forget_raw(lake, "loans", older_than=timedelta(days=30), lease=lease) == 1
        assert forget_raw(lake, "loans", older_than=timedelta(days=30), lease=lease) == 0
        assert _lines(lake) == [(1, None, "open"), (2, b"bad", "open")]


def test_a_dataset_without_quarantine_has_nothing_to_forget(tmp_path: Path) -> None:
    with Lake.open(tmp_path, real_world()) as lake, lake.lease("run", holder="test") as lease:
        assert forget_raw(lake, "loans", older_than=timedelta(0), lease=lease) == 0


def _refuse(lake: Lake, lease: Lease, world: World, *, age: timedelta, line: int) -> None:
    head = lake.ensure(quarantine_spec("loans"), lease=lease)
    origin = Origin("default", "loans", "loans1.csv", "0" * 32, world.clock.now() - age, line)
    rows = pa.table({"_line": [line], "raw": [b"bad"], "codes": [["nul_byte"]], "reasons": ["[]"]})
    with lake.stage(lease=lease, token=f"line {line}") as commit:
        commit.table(head).append(origin.complete(rows, QUARANTINE_SCHEMA, stage="parse", status="open"))
        commit.apply()


def _lines(lake: Lake) -> list[tuple[int, bytes | None, str]]:
    scan = lake.scan(quarantine_name("loans"))
    with connect() as connection:
        rows = read_scan(scan.files, scan.columns)
        return connection.execute(f"SELECT _line, raw, status FROM ({rows}) ORDER BY _line").fetchall()
