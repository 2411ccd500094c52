"""Rows as messages and messages as rows.

A message has the row's key and its headers; the time of the row stands in the header `penstock.us`, for the message's
own time is that of appending, from which retention counts. This is one of the few places with a loop over rows: the client takes and gives single messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from confluent_kafka import Message, Producer

from penstock.log.batch import conforming, split
from penstock.log.kafka.client import PATIENCE
from penstock.log.kafka.json_codec import JsonCodec, NotReadable
from penstock.log.protocol import OFFSET, POISON, RAW, SYSTEM, Chunk, LogStorageError, TopicSpec

MICROS = "penstock.us"  # microseconds since 1970; of a message without it, the time of appending counts
_NO_TIME = b"none"
_EPOCH = datetime.fromtimestamp(0, UTC)


class Codec(Protocol):
    """Payload columns to values of messages and back."""

    def encode(self, rows: pa.RecordBatch) -> list[bytes]: ...

    def decode(self, values: Sequence[bytes | None]) -> tuple[pa.RecordBatch, dict[int, NotReadable]]: ...


class RawCodec:
    """A topic of bytes: nothing is poison."""

    def encode(self, rows: pa.RecordBatch) -> list[bytes]:
        found: list[bytes] = rows.column(0).to_pylist()
        return found

    def decode(self, values: Sequence[bytes | None]) -> tuple[pa.RecordBatch, dict[int, NotReadable]]:
        return pa.RecordBatch.from_arrays([pa.array(values, pa.binary())], schema=RAW), {}


def is_raw(schema: pa.Schema) -> bool:
    return bool(schema.names == RAW.names and schema.types == RAW.types)


def plain_codec(schema: pa.Schema) -> Codec:
    return RawCodec() if is_raw(schema) else JsonCodec(schema)


@dataclass
class Sent:
    """Where the rows of one append went, as the broker reports it: the first and the last of each partition."""

    first: dict[int, int]
    next: dict[int, int]

    @classmethod
    def nothing(cls) -> Sent:
        return cls({}, {})

    def note(self, error: object, message: Message) -> None:
        if error is not None:
            return
        part, offset = message.partition(), message.offset()
        if part is not None and offset is not None:
            self.first[part] = min(self.first.get(part, offset), offset)
            self.next[part] = max(self.next.get(part, 0), offset + 1)

    @property
    def ranges(self) -> dict[int, tuple[int, int]]:
        return {part: (first, self.next[part]) for part, first in sorted(self.first.items())}


def send(
    producer: Producer,
    spec: TopicSpec,
    codec: Codec,
    records: pa.RecordBatch,
    *,
    sequence: int,
    partition: int | None = None,
) -> Sent:
    """Hand the rows to the producer, those of a partition in order; to be called within a transaction."""
    sent = Sent.nothing()
    for part, rows in split(spec, conforming(spec, records), sequence=sequence, partition=partition):
        values = codec.encode(rows.select(spec.schema.names))
        keys = rows.column(0).to_pylist()
        last = rows.num_rows - 1
        for number, (value, key, headers) in enumerate(zip(values, keys, _headers(rows), strict=True)):
            more: dict[str, Any] = {"on_delivery": sent.note} if number in (0, last) else {}
            _produce(producer, spec.name, value, key, part, headers, more)
    return sent


def _produce(
    producer: Producer,
    topic: str,
    value: bytes,
    key: bytes | None,
    part: int,
    headers: list[tuple[str, str | bytes | None]],
    more: dict[str, Any],
) -> None:
    for _ in range(int(PATIENCE * 10)):
        try:
            producer.produce(topic, value, key, part, headers=headers, **more)
        except BufferError:
            producer.poll(0.1)
        else:
            return
    raise LogStorageError("Kafka takes no more rows", where=topic, remedy="It is tried again.")


def _headers(rows: pa.RecordBatch) -> list[list[tuple[str, str | bytes | None]]]:
    """The headers of each row, and its time."""
    micros = pc.fill_null(pc.cast(pc.cast(rows.column(1), pa.int64()), pa.string()), _NO_TIME.decode())
    times = [(MICROS, one) for one in pc.cast(micros, pa.binary()).to_pylist()]
    given = rows.column(2)
    if given.null_count == len(given):
        return [[time] for time in times]
    return [[*(own or []), time] for own, time in zip(given.to_pylist(), times, strict=True)]


def receive(spec: TopicSpec, codec: Codec, partition: int, messages: Sequence[Message], *, bare: bool = False) -> Chunk:
    """Messages of one partition, ascending by offset, as rows; those that cannot be read as poison. `bare` rows have
    nulls for system columns: keys and headers cost more than all the rest."""
    values = [message.value() for message in messages]
    offsets = [message.offset() for message in messages]
    rows, bad = codec.decode(values)
    good = [number for number in range(len(messages)) if number not in bad] if bad else range(len(messages))
    system = _no_system(len(good)) if bare else _system([messages[number] for number in good])
    own = pa.array([offsets[number] for number in good] if bad else offsets, pa.int64())
    records = pa.RecordBatch.from_arrays([*system, *rows.columns, own], schema=spec.read_schema)
    at = _EPOCH + timedelta(milliseconds=messages[0].timestamp()[1])
    after = None if offsets[-1] is None else offsets[-1] + 1
    return Chunk(spec.name, partition, records, at, _poison(bad, values, offsets), after)


def _no_system(count: int) -> list[pa.Array]:
    return [pa.nulls(count, type) for type in SYSTEM.types]


def _system(messages: Sequence[Message]) -> list[pa.Array]:
    headers: list[Any] = [message.headers() or () for message in messages]
    times = [_time(one, message) for one, message in zip(headers, messages, strict=True)]
    own = [[pair for pair in one if pair[0] != MICROS] or None for one in headers]
    keys = pa.array([message.key() for message in messages], SYSTEM.types[0])
    return [keys, pc.cast(pa.array(times, pa.int64()), SYSTEM.types[1]), pa.array(own, SYSTEM.types[2])]


def _time(headers: Sequence[tuple[str, bytes]], message: Message) -> int | None:
    for name, value in headers:
        if name == MICROS:
            return None if value == _NO_TIME else int(value)
    return int(message.timestamp()[1]) * 1000


def _poison(
    bad: dict[int, NotReadable], values: Sequence[bytes | None], offsets: Sequence[int | None]
) -> pa.RecordBatch | None:
    if not bad:
        return None
    rows = [
        {OFFSET: offsets[number], "raw": values[number], "code": why.code, "expected": why.expected, "found": why.found}
        for number, why in sorted(bad.items())
    ]
    return pa.RecordBatch.from_pylist(rows, POISON)
