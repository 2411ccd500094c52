"""Rows of a topic as bronze keeps rows: every value as text, beside the partition and offset it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from penstock.conform import json_rows
from penstock.lake.table import TableSpec
from penstock.load.header import renamed
from penstock.load.origin import Origin
from penstock.load.tables import arrow_schema
from penstock.log.protocol import OFFSET, SYSTEM, Chunk
from penstock.spec.stream import Topic, TopicFormat
from penstock.sql.connection import connect
from penstock.sql.names import quote

PARTITION = "_partition"


@dataclass(frozen=True)
class Landing:
    """What is to enter bronze: where it comes from, and by which commit."""

    tenant: str
    topic: Topic
    incarnation: str
    at: datetime
    batch: int

    def origin(self, partition: int) -> Origin:
        """A partition stands for a file, an offset for a line of it."""
        name = self.topic.name
        return Origin(
            self.tenant, name, f"{name}/{partition}", f"{name}/{self.incarnation}/{partition}", self.at, self.batch
        )


@dataclass(frozen=True)
class TopicRows:
    """`rows`: text columns with partition and offset; `malformed`: those that are no rows, with code, expected, found
    and raw bytes."""

    rows: pa.Table
    malformed: pa.Table

    @classmethod
    def of(cls, topic: Topic, chunks: Sequence[Chunk]) -> TopicRows:
        came = pa.concat_tables([_payload(chunk) for chunk in chunks])
        rows, malformed = _objects(came) if topic.format is TopicFormat.JSON else (_texts(came), _NOTHING)
        return cls(rows, pa.concat_tables([malformed, *(_poison(chunk) for chunk in chunks)]))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in self.rows.column_names if name not in (PARTITION, OFFSET))

    @property
    def count(self) -> int:
        rows: int = self.rows.num_rows
        return rows + int(self.malformed.num_rows)

    def beyond(self, positions: Mapping[int, int]) -> TopicRows:
        """Only what lies at or after these offsets, by partition."""
        return replace(self, rows=_beyond(self.rows, positions), malformed=_beyond(self.malformed, positions))

    def next_offsets(self) -> dict[int, int]:
        """The offset after the last of each partition."""
        found: dict[int, int] = {}
        for table in (self.rows, self.malformed):
            last = table.group_by(PARTITION).aggregate([(OFFSET, "max")])
            for partition, offset in zip(last[PARTITION].to_pylist(), last[f"{OFFSET}_max"].to_pylist(), strict=True):
                found[partition] = max(found.get(partition, 0), offset + 1)
        return found

    def of_bronze(self, landing: Landing, spec: TableSpec) -> Iterator[pa.RecordBatch]:
        """The rows as the bronze table has them."""
        schema = arrow_schema(spec)
        for partition, rows in _by_partition(self.rows):
            lined = rows.rename_columns(["_line" if name == OFFSET else name for name in rows.column_names])
            yield from landing.origin(partition).complete(renamed(lined, schema.names), schema).to_batches()

    def refused(self, landing: Landing) -> Iterator[pa.Table]:
        """The malformed rows as the quarantine table has them."""
        for partition, rows in _by_partition(self.malformed):
            lined = rows.rename_columns(["_line" if name == OFFSET else name for name in rows.column_names])
            yield landing.origin(partition).refused(lined, landing.topic.source, self.names)


_NOTHING = pa.schema(
    [
        pa.field(PARTITION, pa.int32()),
        pa.field(OFFSET, pa.int64()),
        pa.field("code", pa.string()),
        pa.field("expected", pa.string()),
        pa.field("found", pa.string()),
        pa.field("raw", pa.binary()),
    ]
).empty_table()


def _payload(chunk: Chunk) -> pa.Table:
    rows = pa.Table.from_batches([chunk.records])
    names = [name for name in rows.column_names if name not in (*SYSTEM.names, OFFSET)]
    partition = pa.repeat(pa.scalar(chunk.partition, pa.int32()), rows.num_rows)
    return rows.select([*names, OFFSET]).append_column(PARTITION, partition)


def _poison(chunk: Chunk) -> pa.Table:
    """Rows that the log itself could not read."""
    if chunk.poison is None:
        return _NOTHING
    rows = pa.Table.from_batches([chunk.poison])
    partition = pa.repeat(pa.scalar(chunk.partition, pa.int32()), rows.num_rows)
    return rows.append_column(PARTITION, partition).select(_NOTHING.column_names).cast(_NOTHING.schema)


def _texts(came: pa.Table) -> pa.Table:
    """Typed values as text that conform reads as the same values."""
    names = [name for name in came.column_names if name not in (PARTITION, OFFSET)]
    texts = ", ".join(f"CAST({quote(name)} AS VARCHAR) AS {quote(name)}" for name in names)
    with connect(threads=1) as connection:
        connection.execute("SET preserve_insertion_order = true")
        connection.register("came", came)
        return connection.sql(f"SELECT {PARTITION}, {OFFSET}, {texts} FROM came").to_arrow_table()


def _objects(came: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The text of every key of the objects, and the rows that are none."""
    with connect(threads=1) as connection:
        connection.execute("SET preserve_insertion_order = true")
        judged = json_rows.Judge(connection).judge(came)
        names = json_rows.named(judged.keys, (PARTITION, OFFSET))
        connection.register("objects", judged.objects)
        rows = connection.sql(json_rows.columns(quote("objects"), names, (PARTITION, OFFSET))).to_arrow_table()
    found = pa.repeat(pa.scalar("something else"), judged.malformed.num_rows)
    malformed = judged.malformed.append_column("found", found).rename_columns({json_rows.VALUE: "raw"})
    return rows, malformed.select(_NOTHING.column_names).cast(_NOTHING.schema)


def _beyond(rows: pa.Table, positions: Mapping[int, int]) -> pa.Table:
    for partition, offset in positions.items():
        behind = pc.and_(pc.equal(rows[PARTITION], partition), pc.less(rows[OFFSET], offset))
        rows = rows.filter(pc.invert(behind))
    return rows


def _by_partition(rows: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    for partition in sorted(pc.unique(rows[PARTITION]).to_pylist()):
        yield partition, rows.filter(pc.equal(rows[PARTITION], partition)).drop_columns([PARTITION])
