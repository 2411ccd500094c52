"""Rows for logs under test, and all that a log gives of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from penstock.log.protocol import SYSTEM, Chunk, Log, Part, Position, beginning, end

PAYLOAD = pa.schema([pa.field("id", pa.int64()), pa.field("note", pa.string())])
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PATIENCE = 30.0  # seconds that rows which are there may take to arrive


def records(
    schema: pa.Schema, rows: Sequence[Mapping[str, object]], *, keys: Sequence[bytes | None] | None = None
) -> pa.RecordBatch:
    """Rows with keys `default/<first column>` unless others are given, one second apart."""
    given = list(keys or [f"default/{row[schema.names[0]]}".encode() for row in rows])
    times = [NOON + timedelta(seconds=number) for number in range(len(rows))]
    system = [
        pa.array(given, SYSTEM.types[0]),
        pa.array(times, SYSTEM.types[1]),
        pa.array([[("source", b"test")]] * len(rows), SYSTEM.types[2]),
    ]
    columns = [pa.array([row[name] for row in rows], schema.field(name).type) for name in schema.names]
    return pa.RecordBatch.from_arrays([*system, *columns], schema=pa.schema([*SYSTEM, *schema]))


def numbered(first: int, next: int) -> pa.RecordBatch:
    """Rows of `PAYLOAD` with these ids."""
    return records(PAYLOAD, [{"id": number, "note": f"note {number}"} for number in range(first, next)])


def read(log: Log, positions: Mapping[Part, Position], *, most: int = 10_000) -> list[Chunk]:
    """Everything from the positions to where the log ends now."""
    ends = {part: at.offset for topic, _ in positions for part, at in end(log, topic).items()}
    waiting = {part for part, at in positions.items() if at.offset < ends[part]}
    reader = log.reader(positions)
    found: list[Chunk] = []
    while waiting:
        chunks = reader.poll(most, PATIENCE)
        if not chunks:
            break
        found += chunks
        waiting -= {(one.topic, one.partition) for one in chunks if one.next >= ends[one.topic, one.partition]}
    reader.close()
    return [chunk for chunk in found if chunk.records.num_rows or chunk.poison is not None]


def rows(log: Log, topic: str, *, most: int = 10_000) -> list[dict[str, Any]]:
    """Every row of a topic, by partition and offset."""
    chunks = sorted(read(log, beginning(log, topic), most=most), key=lambda one: (one.partition, one.next))
    return [row for chunk in chunks for row in chunk.records.to_pylist()]


def ids(log: Log, topic: str, *, most: int = 10_000) -> list[int]:
    return [row["id"] for row in rows(log, topic, most=most)]
