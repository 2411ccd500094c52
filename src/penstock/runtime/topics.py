"""Looking into topics, and appending to them by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

import duckdb
import pyarrow as pa

from penstock.conform import json_rows
from penstock.conform.columns import sql_type
from penstock.errors import UsageError
from penstock.log.protocol import OFFSET, Chunk, Log, Part, Position
from penstock.runtime.event_log import open_log
from penstock.runtime.installation import Installation
from penstock.runtime.topology import declared_topic
from penstock.spec.problems import did_you_mean
from penstock.spec.stream import Topic, TopicFormat
from penstock.sql.connection import connect
from penstock.sql.names import quote
from penstock.stream.outgoing import records

PRODUCER = "append"
_LINES_AT_ONCE = 10_000
_ROWS_AT_ONCE = 1_000
_FURTHER = 4  # times as far back for rows that transactions have holes between
_LOOK = 0.2  # seconds to wait for rows before looking whether to stop


@dataclass(frozen=True)
class TopicInfo:
    """A topic that exists: how many rows it holds, and what came in all."""

    name: str
    partitions: int
    rows: int
    appended: int
    incarnation: str


def list_topics(installation: Installation) -> tuple[TopicInfo, ...]:
    """Every topic of the log by name."""
    with open_log(installation) as log:
        found = []
        for name, topic in sorted(log.topics().items()):
            bounds = log.bounds(name).values()
            rows, appended = sum(next - first for first, next in bounds), sum(next for _, next in bounds)
            found.append(TopicInfo(name, topic.spec.partitions, rows, appended, topic.incarnation))
        return tuple(found)


def peek(installation: Installation, topic: str, *, limit: int) -> list[dict[str, Any]]:
    """The newest rows of a topic, `limit` of each partition, with `_partition` and `_offset`."""
    with open_log(installation) as log:
        newest = _newest(log, topic, limit)
        ends = {part: next for part, (_, next) in log.bounds(topic).items()}
        return [
            row
            for part, position in newest.items()
            for chunk in _chunks(log, part, position, ends[part[1]])
            for row in _rows(chunk)
        ]


def tail(installation: Installation, topic: str, *, last: int, stopped: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    """Rows as they come, after the `last` of each partition that are there, until told to stop."""
    with open_log(installation) as log, closing(log.reader(_newest(log, topic, last))) as reader:
        while not stopped():
            for chunk in reader.poll(_ROWS_AT_ONCE, _LOOK):
                yield from _rows(chunk)


def _newest(log: Log, topic: str, count: int) -> dict[Part, Position]:
    """So many rows before the end of each partition."""
    topics = log.topics()
    if topic not in topics:
        raise _no_topic(topic, topics)
    incarnation = topics[topic].incarnation
    return {
        (topic, part): Position(_start(log, (topic, part), incarnation, bounds, count), incarnation)
        for part, bounds in sorted(log.bounds(topic).items())
    }


def _start(log: Log, part: Part, incarnation: str, bounds: tuple[int, int], count: int) -> int:
    """The offset of the oldest of the newest rows; where offsets have holes it is looked for, further and further back."""
    (first, next), back = bounds, count
    while True:
        start = max(first, next - back)
        if log.capabilities.contiguous or count == 0:
            return start
        chunks = _chunks(log, part, Position(start, incarnation), next)
        offsets = sorted(offset for chunk in chunks for offset in _offsets(chunk))
        if len(offsets) >= count or start == first:
            return offsets[-count] if len(offsets) >= count else first
        back *= _FURTHER


def _chunks(log: Log, part: Part, position: Position, next: int) -> Iterator[Chunk]:
    """What a partition holds from a position up to the offset `next`."""
    with closing(log.reader({part: position})) as reader:
        while position.offset < next and (chunks := reader.poll(_ROWS_AT_ONCE, 0.0)):
            position = Position(chunks[-1].next, position.incarnation)
            yield from chunks


def _offsets(chunk: Chunk) -> list[int]:
    tables = (chunk.records,) if chunk.poison is None else (chunk.records, chunk.poison)
    return [offset for table in tables for offset in table.column(OFFSET).to_pylist()]


def _rows(chunk: Chunk) -> Iterator[dict[str, Any]]:
    """The rows of a chunk, then what could not be read, with its bytes and why."""
    tables = (chunk.records,) if chunk.poison is None else (chunk.records, chunk.poison)
    for row in (row for table in tables for row in table.to_pylist()):
        yield {"_partition": chunk.partition, **{name: _readable(value) for name, value in row.items()}}


def _readable(value: Any) -> Any:
    """Bytes as text, whatever they hold."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


def append_lines(installation: Installation, name: str, lines: Iterable[bytes]) -> int:
    """Append JSON objects, one a line, to a declared topic; how many. Of a typed topic every value must be one.

    Each call appends anew: a program that must not append twice keeps a producer and its sequence.
    """
    topics = installation.project.streams.topics
    if name not in topics:
        raise _no_topic(name, topics)
    topic, count = topics[name], 0
    installation.place.prepare()
    with open_log(installation) as log, connect(threads=1) as connection:
        connection.execute("SET preserve_insertion_order = true")
        log.ensure(declared_topic(installation.project, name))
        with closing(log.producer(PRODUCER, name)) as producer:
            remaining = (line.rstrip(b"\r\n") for line in lines)
            filled = (line for line in remaining if line)
            while batch := list(islice(filled, _LINES_AT_ONCE)):
                made = _records(installation, connection, topic, batch)
                producer.append(made, sequence=producer.last_sequence + 1)
                count += len(batch)
    return count


def _records(
    installation: Installation, connection: duckdb.DuckDBPyConnection, topic: Topic, lines: list[bytes]
) -> pa.RecordBatch:
    tenant = installation.project.tenant
    raw = pa.table({json_rows.VALUE: pa.array(lines, pa.binary())})
    if topic.format is TopicFormat.JSON:
        return records(raw, tenant=tenant)
    connection.register("lines", raw)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE judged AS {json_rows.judged('lines')}")
    connection.unregister("lines")
    bad = connection.execute(
        "SELECT __fault.code, count(*) FROM judged WHERE __fault IS NOT NULL GROUP BY 1"
    ).fetchall()
    if bad:
        raise UsageError("Lines are no JSON objects", found=", ".join(f"{code} ({count})" for code, count in bad))
    contract = installation.project.contracts[topic.dataset]
    names = [column.name for column in contract.columns]
    typed = ", ".join(f"CAST({quote(one.name)} AS {sql_type(one)}) AS {quote(one.name)}" for one in contract.columns)
    try:
        rows = connection.sql(f"SELECT {typed} FROM ({json_rows.columns('judged', names, ())})").to_arrow_table()
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise UsageError("A line has a value of another type", found=reason, remedy="Correct the line.") from None
    return records(rows, tenant=tenant, key=topic.key, time=topic.time)


def _no_topic(name: str, known: Iterable[str]) -> UsageError:
    known = sorted(known)
    remedy = did_you_mean(name, known) or "Declare it under streams/."
    return UsageError("There is no such topic", expected=", ".join(known) or "none is there", found=name, remedy=remedy)
