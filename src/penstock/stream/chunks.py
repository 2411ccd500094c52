"""What a poll of the log gave, as a round takes it: payload by topic, ranges of offsets, and what could not be read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from penstock.log.protocol import SYSTEM, Chunk, Part, Position
from penstock.stream.incoming import REJECTED_SCHEMA
from penstock.stream.journal import Range
from penstock.stream.schema import OFFSET, PARTITION


def by_topic(chunks: Sequence[Chunk]) -> dict[str, pa.Table]:
    """The payload of each topic with partition and offset, in the order of the chunks."""
    found: dict[str, list[pa.Table]] = {}
    for chunk in chunks:
        rows = pa.Table.from_batches([chunk.records])
        names = [name for name in rows.column_names if name not in SYSTEM.names]
        partition = pa.repeat(pa.scalar(chunk.partition, pa.int32()), rows.num_rows)
        found.setdefault(chunk.topic, []).append(rows.select(names).append_column(PARTITION, partition))
    return {topic: pa.concat_tables(tables) for topic, tables in found.items()}


def ranges_of(chunks: Sequence[Chunk], positions: Mapping[Part, Position]) -> Iterator[Range]:
    """What was taken of each partition, in the order of the chunks."""
    at = {part: position.offset for part, position in positions.items()}
    for chunk in chunks:
        part = (chunk.topic, chunk.partition)
        yield Range(*part, at[part], chunk.next)
        at[part] = chunk.next


def unreadable(chunks: Sequence[Chunk]) -> pa.Table:
    """Rows that the log could not read, as rejected rows."""
    found = [_rejected(one, pa.Table.from_batches([one.poison])) for one in chunks if one.poison is not None]
    return pa.concat_tables([REJECTED_SCHEMA.empty_table(), *found])


def _rejected(chunk: Chunk, rows: pa.Table) -> pa.Table:
    codes = rows["code"].to_pylist()
    facts = zip(codes, rows["expected"].to_pylist(), rows["found"].to_pylist(), strict=True)
    reasons = [
        json.dumps([{"code": code, "column": None, "expected": expected, "found": found}])
        for code, expected, found in facts
    ]
    columns = [
        pa.repeat(pa.scalar(chunk.topic), rows.num_rows),
        pa.repeat(pa.scalar(chunk.partition, pa.int32()), rows.num_rows),
        rows[OFFSET],
        pa.array([[code] for code in codes], pa.list_(pa.string())),
        pa.array(reasons, pa.string()),
        rows["raw"],
    ]
    return pa.table(columns, schema=REJECTED_SCHEMA)
