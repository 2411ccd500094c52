"""Tables, rows and short ways to say what the lake's suites say often."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.lake.table import Head, Partition, Scan, TableColumn, TableSpec
from penstock.sql.connection import connect
from penstock.sql.scan import read_scan
from penstock.testing.world import ManualClock
from penstock.world import World, real_world

LOANS = TableSpec(
    "silver.loans",
    (
        TableColumn("loan.id", "loan", "long", required=True),
        TableColumn("reader.name", "reader", "string", personal=True),
        TableColumn("loan.fee", "fee", "decimal(8,2)"),
        TableColumn("loan.at", "lent_at", "timestamptz"),
    ),
    (Partition("lent_at", "month"),),
)
RETURNS = TableSpec("silver.returns", (TableColumn("id", "loan", "long"), TableColumn("note", "note", "string")))
EVERYTHING = TableSpec(
    "silver.everything",
    (
        TableColumn("1", "text", "string"),
        TableColumn("2", "whole", "long"),
        TableColumn("3", "small", "int"),
        TableColumn("4", "ratio", "double"),
        TableColumn("5", "yes", "boolean"),
        TableColumn("6", "day", "date"),
        TableColumn("7", "moment", "timestamptz"),
        TableColumn("8", "raw", "binary"),
        TableColumn("9", "money", "decimal(38,4)"),
        TableColumn("10", "codes", "list<string>"),
        TableColumn("11", "with blank", "string", personal=True),
    ),
)


def loans(*numbers: int, month: int = 1) -> pa.Table:
    at = datetime(2024, month, 5, 12, tzinfo=UTC)
    return pa.table(
        {
            "loan": pa.array(numbers, pa.int64()),
            "reader": [f"Reader {number}" for number in numbers],
            "fee": pa.array([Decimal(f"{number}.50") for number in numbers], pa.decimal128(8, 2)),
            "lent_at": pa.array([at for _ in numbers], pa.timestamp("us", "UTC")),
        }
    )


def returns(*numbers: int) -> pa.Table:
    return pa.table({"loan": pa.array(numbers, pa.int64()), "note": [f"note {number}" for number in numbers]})


def everything() -> pa.Table:
    rows: list[dict[str, Any]] = [
        {
            "text": "a", "whole": 2**62, "small": -(2**31), "ratio": 1e308, "yes": True, "day": date(1969, 12, 31),
            "moment": datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), "raw": b"\x00\xff",
            "money": Decimal("-9999999999999999999999999999999999.9999"), "codes": ["x", None], "with blank": "é" * 40,
        },
        {
            "text": "\U0010ffff" * 20, "whole": -1, "small": 0, "ratio": float("-inf"), "yes": False,
            "day": date(1, 1, 1), "moment": datetime(1, 1, 1, tzinfo=UTC), "raw": b"\xff" * 20,
            "money": Decimal("0.0001"), "codes": [], "with blank": "",
        },
        dict.fromkeys((column.name for column in EVERYTHING.columns), None),
    ]  # fmt: skip
    schema = pa.schema(
        [
            ("text", pa.string()), ("whole", pa.int64()), ("small", pa.int32()), ("ratio", pa.float64()),
            ("yes", pa.bool_()), ("day", pa.date32()), ("moment", pa.timestamp("us", "UTC")), ("raw", pa.binary()),
            ("money", pa.decimal128(38, 4)), ("codes", pa.list_(pa.string())), ("with blank", pa.string()),
        ]
    )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=schema)


def still_world() -> World:
    """Time stands still; ids are random, so that several writers may share a lake."""
    return replace(real_world(), clock=ManualClock(datetime(2024, 6, 1, tzinfo=UTC)))


@contextmanager
def writing(root: Path, name: str = "run", *, world: World | None = None) -> Iterator[tuple[Lake, Lease]]:
    with (
        Lake.open(root, world or still_world()) as lake,
        lake.lease(name, holder="a test") as lease,
    ):
        yield lake, lease


def append(lake: Lake, lease: Lease, head: Head, rows: pa.Table | None, position: str, token: str = "") -> Head:
    with lake.stage(lease=lease, token=token or f"desk:{position}") as commit:
        change = commit.table(head)
        if rows is not None:
            change.append(rows)
        change.position("desk", position)
        return commit.apply()[head.name]


def read(scan: Scan) -> list[tuple[Any, ...]]:
    """The rows of a scan as DuckDB reads them by field id."""
    with connect() as connection:
        rows = connection.sql(read_scan(scan.files, scan.columns)).to_arrow_table()
    return [tuple(row.values()) for row in rows.to_pylist()]


def row_hash(rows: list[tuple[Any, ...]]) -> str:
    """One hash of rows, whatever their order."""
    digests = sorted(hashlib.sha256(repr(row).encode()).hexdigest() for row in rows)
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def files_below(root: Path) -> set[str]:
    return {str(path) for path in (root / "lake").rglob("*") if path.is_file()}
