"""Looking into topics, and appending to them by hand."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

import duckdb
import pyarrow as pa

from penstock.conform import json_rows
from penstock.conform.columns import sql_type
from penstock.errors import UsageError, choices
from penstock.log.protocol import OFFSET, Chunk, Log, Part, Position
from penstock.runtime.event_log import open_log
from penstock.runtime.installation import Installation
from penstock.runtime.topology import declared_topic
from penstock.spec.contract import Contract
from penstock.spec.problems import did_you_mean, listed
from penstock.spec.stream import Topic, TopicFormat
from penstock.sql.connection import connect
from penstock.sql.names import quote
from penstock.stream.outgoing import records

PRODUCER = "append"
_LINES_AT_ONCE = 10_000
_ROWS_AT_ONCE = 1_000
_FURTHER = 4  # times as far back for rows that transactions have holes between
_NUMBER = "_number"  # of the line
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


def peek(
    installation: Installation, topic: str, *, limit: int, partition: int | None = None, offset: int | None = None
) -> list[dict[str, Any]]:
    """The newest rows of a topic, or those from `offset` on: `limit` of each partition, or of one. Each with
    `_partition` and `_offset`."""
    with open_log(installation) as log:
        incarnation = _incarnation(installation, log, topic)
        starts = _starts(log, topic, incarnation, limit, partition=partition, offset=offset)
        ends = {part: next for part, (_, next) in log.bounds(topic).items()}
        found: list[dict[str, Any]] = []
        for part, position in starts.items():
            chunks = _chunks(log, part, position, ends[part[1]])
            found += islice((row for chunk in chunks for row in _rows(chunk)), limit)
        return found


def tail(
    installation: Installation,
    topic: str,
    *,
    last: int,
    partition: int | None = None,
    offset: int | None = None,
    stopped: Callable[[], bool],
) -> Generator[dict[str, Any]]:
    """Rows as they come, after the `last` of each partition (or of one) that are there, or those from `offset` on,
    until told to stop."""
    with open_log(installation) as log:
        incarnation = _incarnation(installation, log, topic)
        starts = _starts(log, topic, incarnation, last, partition=partition, offset=offset)
        with closing(log.reader(starts)) as reader:
            while not stopped():
                for chunk in reader.poll(_ROWS_AT_ONCE, _LOOK):
                    yield from _rows(chunk)


def _incarnation(installation: Installation, log: Log, topic: str) -> str:
    """Of a topic that is there; UsageError for others."""
    topics = log.topics()
    if topic in topics:
        return topics[topic].incarnation
    if topic in installation.project.streams.topics:
        raise UsageError(
            "Nothing was written to the topic yet",
            where=topic,
            remedy="It is made with the first rows, or when `penstock stream` or `penstock land` begin.",
        )
    raise _no_topic(topic, topics)


def _starts(
    log: Log, topic: str, incarnation: str, count: int, *, partition: int | None, offset: int | None
) -> dict[Part, Position]:
    """Where to begin in each partition, or in one: so many rows before the end, or at an offset (or what is left
    behind it)."""
    bounds = dict(sorted(log.bounds(topic).items()))
    if partition is not None and partition not in bounds:
        raise UsageError(f"{topic} has no such partition", expected=", ".join(map(str, bounds)), found=str(partition))
    chosen = bounds if partition is None else {partition: bounds[partition]}
    if offset is not None:
        return {
            (topic, one): Position(min(max(offset, first), next), incarnation) for one, (first, next) in chosen.items()
        }
    return {
        (topic, one): Position(_start(log, (topic, one), incarnation, at, count), incarnation)
        for one, at in chosen.items()
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
        at = {"_partition": chunk.partition, OFFSET: row.pop(OFFSET)}
        yield at | {name: _readable(value) for name, value in row.items()}


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
        judge = json_rows.Judge(connection)
        log.ensure(declared_topic(installation.project, name))
        with closing(log.producer(PRODUCER, name)) as producer:
            numbered = ((number, line.rstrip(b"\r\n")) for number, line in enumerate(lines, start=1))
            filled = ((number, line) for number, line in numbered if line)
            while batch := list(islice(filled, _LINES_AT_ONCE)):
                made = _records(installation, connection, judge, topic, batch)
                producer.append(made, sequence=producer.last_sequence + 1)
                count += len(batch)
    return count


def _records(
    installation: Installation,
    connection: duckdb.DuckDBPyConnection,
    judge: json_rows.Judge,
    topic: Topic,
    batch: list[tuple[int, bytes]],
) -> pa.RecordBatch:
    tenant = installation.project.tenant
    raw = pa.table({json_rows.VALUE: pa.array([line for _, line in batch], pa.binary())})
    if topic.format is TopicFormat.JSON:
        return records(raw, tenant=tenant)
    raw = raw.append_column(_NUMBER, pa.array([number for number, _ in batch], pa.int64()))
    contract = installation.project.contracts[topic.dataset]
    names = [column.name for column in contract.columns]
    judged = judge.judge(raw)
    connection.register("objects", judged.objects)
    _require_objects(connection, judged, names, first=batch[0][0])
    texts = f"({json_rows.columns('objects', {name: (name,) for name in names}, (_NUMBER,))})"
    typed = ", ".join(f"CAST({quote(one.name)} AS {sql_type(one)}) AS {quote(one.name)}" for one in contract.columns)
    try:
        rows = connection.sql(f"SELECT {typed} FROM {texts}").to_arrow_table()
    except duckdb.Error:
        raise _of_another_type(connection, contract, texts, first=batch[0][0]) from None
    return records(rows, tenant=tenant, key=topic.key, time=topic.time)


def _require_objects(
    connection: duckdb.DuckDBPyConnection, judged: json_rows.Judged, names: list[str], *, first: int
) -> None:
    """UsageError naming the first line that is no JSON object, and a key that no column has."""
    if judged.malformed.num_rows:
        bad = judged.malformed.slice(0, 1).to_pylist()[0]
        what = "A line is no JSON object"
        raise _refused(what, bad[_NUMBER], first=first, expected=bad["expected"], found=bad["code"])
    unknown = [key for key in judged.keys if key not in names]
    if unknown:
        numbered = f"SELECT min({_NUMBER}) FROM objects WHERE list_contains(json_keys({json_rows.TEXT}), $1)"
        ((number,),) = connection.execute(numbered, [unknown[0]]).fetchall()
        known = did_you_mean(unknown[0], names) or f"The columns are {listed(names)}."
        raise _refused("A line has a key that is no column", number, first=first, found=unknown[0], remedy=known)


def _of_another_type(
    connection: duckdb.DuckDBPyConnection, contract: Contract, texts: str, *, first: int
) -> UsageError:
    """The first value that is none of its column's type."""
    for one in contract.columns:
        name, wanted = quote(one.name), sql_type(one)
        odd = connection.execute(
            f"SELECT {_NUMBER}, {name} FROM {texts} WHERE {name} IS NOT NULL AND TRY_CAST({name} AS {wanted}) IS NULL"
            f" ORDER BY {_NUMBER} LIMIT 1"
        ).fetchone()
        if odd is not None:
            what = f"The value of `{one.name}` is of another type"
            return _refused(what, odd[0], first=first, expected=wanted, found=str(odd[1])[:100])
    raise AssertionError("every value is of its type")


def _refused(
    what: str, line: int, *, first: int, found: str, expected: str | None = None, remedy: str | None = None
) -> UsageError:
    """What is wrong with a line; which lines were appended before, for nobody wants them twice."""
    done = "nothing was appended" if first == 1 else f"the lines before line {first:,} were appended"
    remedies = [remedy, f"Correct it: {done}."]
    return UsageError(
        what, where=f"line {line:,}", expected=expected, found=found, remedy=" ".join(filter(None, remedies))
    )


def _no_topic(name: str, known: Iterable[str]) -> UsageError:
    known = sorted(known)
    remedy = did_you_mean(name, known) or "Declare it under streams/."
    return UsageError("There is no such topic", expected=choices(known) or "none is there", found=name, remedy=remedy)
