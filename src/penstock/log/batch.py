"""A stored batch: rows of one partition as compressed Arrow, with a checksum over bytes, place and time."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from penstock.log.partitioning import partitions
from penstock.log.protocol import OFFSET, LogError, TopicSpec

MOST_ROWS, MOST_BYTES = 65_536, 32 << 20
LARGEST_ROW = 900 << 20  # bytes; SQLite holds a value of at most one gigabyte
_PLACE = struct.Struct("<qqqq")
_FEW = 20_000  # rows for which waking other threads takes longer than the work
_ALONE = pa.ipc.IpcReadOptions(use_threads=False)
_FEW_LZ4, _LZ4 = (pa.ipc.IpcWriteOptions(compression="lz4", use_threads=threads) for threads in (False, True))


@dataclass(frozen=True)
class Encoded:
    """Rows of one partition, ready to be stored; `checksum` covers `data` alone until their place is known."""

    topic: str
    partition: int
    rows: int
    schema: bytes
    data: pa.Buffer
    checksum: int

    @property
    def size(self) -> int:
        return int(self.data.size)

    def placed(self, first: int, at: int) -> int:
        """The checksum once the first offset and the time of appending (microseconds since 1970) are known."""
        return placed(self.checksum, self.partition, first, self.rows, at)


def placed(checksum: int, partition: int, first: int, rows: int, at: int) -> int:
    return zlib.crc32(_PLACE.pack(partition, first, rows, at), checksum)


def encode(
    spec: TopicSpec, records: pa.RecordBatch, *, sequence: int, partition: int | None = None
) -> tuple[Encoded, ...]:
    """The rows by partition, each in the order they came, in pieces that are neither too long nor too big."""
    rows = conforming(spec, records)
    schema = rows.schema.serialize().to_pybytes()
    return tuple(
        _encoded(spec.name, part, piece, schema)
        for part, of_part in split(spec, rows, sequence=sequence, partition=partition)
        for piece in _pieces(of_part)
    )


def conforming(spec: TopicSpec, records: pa.RecordBatch) -> pa.RecordBatch:
    """The rows under the topic's own schema; LogError when they have other columns."""
    expected = spec.record_schema
    if records.schema.names != expected.names or records.schema.types != expected.types:
        raise LogError(
            "The rows do not have the columns of the topic",
            where=spec.name,
            expected=", ".join(f"{field.name} {field.type}" for field in expected),
            found=", ".join(f"{field.name} {field.type}" for field in records.schema),
        )
    return pa.RecordBatch.from_arrays(records.columns, schema=expected)


def split(
    spec: TopicSpec, records: pa.RecordBatch, *, sequence: int, partition: int | None = None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """(partition, its rows), ascending by partition; partitions without rows are left out."""
    if partition is not None and not 0 <= partition < spec.partitions:
        expected = f"a partition below {spec.partitions}"
        raise LogError("There is no such partition", where=spec.name, expected=expected, found=str(partition))
    if records.num_rows == 0:
        return
    if partition is not None or spec.partitions == 1:
        yield partition or 0, records
        return
    of_row = partitions(records.column(0), spec.partitions, sequence=sequence)
    arranged = records.take(pa.array(np.argsort(of_row, kind="stable")))
    counts = np.bincount(of_row, minlength=spec.partitions)
    ends = np.cumsum(counts)
    for part in np.flatnonzero(counts).tolist():
        yield part, arranged.slice(int(ends[part] - counts[part]), int(counts[part]))


def decode(schema: pa.Schema, data: bytes, first: int, *, count: int) -> pa.RecordBatch:
    """The rows, so many, with their offsets."""
    if count > _FEW:
        rows = pa.ipc.read_record_batch(pa.py_buffer(data), schema)
    else:
        rows = pa.ipc.open_stream(schema.serialize().to_pybytes() + data, options=_ALONE).read_next_batch()
    offsets = pa.array(np.arange(first, first + rows.num_rows))
    return rows.append_column(OFFSET, offsets)


def aligned(rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The rows under a newer schema of their topic: columns that they do not have are null."""
    if rows.schema.names == schema.names:
        return rows
    have = set(rows.schema.names)
    columns = [rows.column(one.name) if one.name in have else pa.nulls(rows.num_rows, one.type) for one in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _encoded(topic: str, partition: int, rows: pa.RecordBatch, schema: bytes) -> Encoded:
    data = _compressed(rows)
    if data.size > LARGEST_ROW:
        raise LogError("A row is too big", where=topic, expected=f"at most {LARGEST_ROW} bytes", found=f"{data.size}")
    return Encoded(topic, partition, rows.num_rows, schema, data, zlib.crc32(data))


def _compressed(rows: pa.RecordBatch) -> pa.Buffer:
    """The message of the batch alone: the schema is kept once for each segment."""
    stream = pa.BufferOutputStream()
    options = _LZ4 if rows.num_rows > _FEW else _FEW_LZ4
    with pa.ipc.new_stream(stream, rows.schema, options=options) as writer:
        writer.write_batch(rows)
    messages = pa.ipc.MessageReader.open_stream(stream.getvalue())
    messages.read_next_message()
    return messages.read_next_message().serialize()


def _pieces(rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    if rows.num_rows > 1 and (rows.num_rows > MOST_ROWS or rows.nbytes > MOST_BYTES):
        half = rows.num_rows // 2
        yield from _pieces(rows.slice(0, half))
        yield from _pieces(rows.slice(half))
    else:
        yield rows
