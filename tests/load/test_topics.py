"""Topics to bronze: every event once, with its offset; then the road of all rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.load.silver import Settings, settle
from penstock.load.topic import Landed, land, landed_positions
from penstock.log.protocol import HEADERS, KEY, OFFSET, POISON, SYSTEM, TIMESTAMP, Chunk, Position
from penstock.spec.project import Project
from penstock.sql.connection import connect
from penstock.sql.scan import read_scan
from penstock.testing.world import manual_world
from penstock.world import LocalDisk, World
from tests.stream.lending import lending

AT = datetime(2026, 3, 1, tzinfo=UTC)
LOAN = pa.schema(
    [
        ("loan", pa.string()),
        ("member", pa.string()),
        ("title", pa.string()),
        ("fee", pa.decimal128(10, 2)),
        ("lent", pa.timestamp("us", tz="UTC")),
    ]
)
JSON = pa.schema([("value", pa.binary())])


def chunk(
    rows: Sequence[dict[str, Any]],
    *,
    topic: str = "loans_typed",
    partition: int = 0,
    first: int = 0,
    poison: int | None = None,
) -> Chunk:
    schema = LOAN if topic == "loans_typed" else JSON
    read = pa.schema([*SYSTEM, *schema, pa.field(OFFSET, pa.int64())])
    nothing = {KEY: None, TIMESTAMP: None, HEADERS: None}
    listed = [{**nothing, **row, OFFSET: first + number} for number, row in enumerate(rows)]
    bad = None
    if poison is not None:
        facts = {OFFSET: poison, "raw": b"\x00", "code": "undecodable", "expected": "text", "found": "bytes"}
        bad = pa.RecordBatch.from_pylist([facts], schema=POISON)
    return Chunk(topic, partition, pa.RecordBatch.from_pylist(listed, schema=read), AT, bad)


def loan(number: int, **facts: Any) -> dict[str, Any]:
    return {"loan": f"L{number}", "member": "m", "title": "", "fee": Decimal("1.50"), "lent": AT} | facts


@dataclass
class Landing:
    project: Project
    lake: Lake
    lease: Lease
    world: World
    root: Path

    def land(self, *chunks: Chunk) -> Landed | None:
        topic = self.project.streams.topics[chunks[0].topic]
        return land(self.lake, self.project, topic, chunks, incarnation="i", lease=self.lease, world=self.world)

    def settle(self) -> list[tuple[int, int]]:
        contract = self.project.contracts["loans"]
        settings = Settings(b"k" * 64, self.root / "spill")
        done = settle(self.lake, self.project, contract, lease=self.lease, world=self.world, settings=settings)
        return [(one.counts.accepted, one.counts.quarantined) for one in done]

    def rows(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        scan = self.lake.scan(table)
        with connect() as connection:
            read = read_scan(scan.files, scan.columns)
            return connection.execute(f"SELECT {columns} FROM ({read}) ORDER BY ALL").fetchall()


@pytest.fixture
def landing(tmp_path: Path) -> Iterator[Landing]:
    world = manual_world(disk=LocalDisk())
    with Lake.open(tmp_path / "data", world) as lake, lake.lease("land", holder="test") as lease:
        yield Landing(lending(tmp_path / "project"), lake, lease, world, tmp_path)


def test_events_enter_bronze_as_they_came_with_partition_and_offset(landing: Landing) -> None:
    landed = landing.land(chunk([loan(1), loan(2, fee=None)]), chunk([loan(3)], partition=1, first=7))

    assert landed is not None
    assert landed.positions == {0: Position(2, "i"), 1: Position(8, "i")}
    assert landing.rows("bronze.loans_typed", "_file, _line, loan, fee") == [
        ("loans_typed/0", 0, "L1", "1.50"),
        ("loans_typed/0", 1, "L2", None),
        ("loans_typed/1", 7, "L3", "1.50"),
    ]


def test_events_that_are_there_already_are_not_taken_twice(landing: Landing) -> None:
    landing.land(chunk([loan(1), loan(2)]))

    again = landing.land(chunk([loan(1), loan(2)]))
    more = landing.land(chunk([loan(2), loan(3)], first=1))

    assert again is None
    assert more is not None
    assert (more.counts.accepted, landed_positions(landing.lake, "loans_typed")) == (1, {0: Position(3, "i")})


def test_silver_is_made_of_topics_as_of_files(landing: Landing) -> None:
    landing.land(chunk([loan(1), loan(2, member=None), loan(3, fee=Decimal("-1.00"))]))

    assert landing.settle() == [(1, 2)]
    assert landing.rows("silver.loans", "loan, title, fee, lent") == [("L1", "", Decimal("1.50"), AT)]
    assert landing.rows("quarantine.loans", "_line, codes") == [(1, ["required"]), (2, ["minimum"])]


def test_what_is_no_object_is_quarantined_with_its_bytes(landing: Landing) -> None:
    values = [
        b'{"loan": "L1", "member": "m", "lent": "2026-03-01", "extra": {"a": 1}}',
        b"{",
        b"\xff",
        b'{"a":1,"a":2}',
    ]

    landed = landing.land(chunk([{"value": value} for value in values], topic="loans_json", poison=9))

    assert landed is not None
    assert landing.rows("bronze.loans_json", "loan, extra") == [("L1", '{"a":1}')]
    assert landing.rows("quarantine.loans", "_line, codes[1], raw") == [
        (1, "broken_json", b"{"),
        (2, "undecodable", b"\xff"),
        (3, "duplicate_key", b'{"a":1,"a":2}'),
        (9, "undecodable", b"\x00"),
    ]


def test_keys_called_like_columns_of_the_system_are_kept_under_a_number(landing: Landing) -> None:
    values = [b'{"_line": 7, "_source": "them", "loan": "L1"}', b'{"_Source": "us", "LOAN": "L2"}']

    landed = landing.land(chunk([{"value": value} for value in values], topic="loans_json"))

    assert landed is not None
    assert landing.rows("bronze.loans_json", "_line, _source, loan, _line_2, _source_2") == [
        (0, "loans_json", "L1", "7", "them"),
        (1, "loans_json", "L2", None, "us"),
    ]
