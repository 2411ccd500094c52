"""Rows as messages and messages as rows.

A message has the row's key, its headers and, in milliseconds, its time; what milliseconds cannot say stands in the
header `penstock.us`. This is one of the few places with a loop over rows: the client takes and gives single messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from confluent_kafka import Message, Producer

from penstock.log.batch import conforming, split
from penstock.log.kafka.client import PATIENCE
from penstock.log.kafka.json_codec import JsonCodec, NotReadable
from penstock.log.protocol import OFFSET, POISON, RAW, SYSTEM, Chunk, LogStorageError, TopicSpec

MICROS = "penstock.us"  # microseconds of the time since 1970, where the message's own time is not all of it
_NO_TIME = b"none"


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
        times, headers = _times_and_headers(rows)
        last = rows.num_rows - 1
        for number, value in enumerate(values):
            more: dict[str, Any] = {} if headers is None else {"headers": headers[number]}
            if number in (0, last):
                more["on_delivery"] = sent.note
            _produce(producer, spec.name, value, keys[number], part, times[number], more)
    return sent


def _produce(
    producer: Producer, topic: str, value: bytes, key: bytes | None, part: int, time: int, more: dict[str, Any]
) -> None:
    for _ in range(int(PATIENCE * 10)):
        try:
            producer.produce(topic, value, key, part, timestamp=time, **more)
        except BufferError:
            producer.poll(0.1)
        else:
            return
    raise LogStorageError("Kafka takes no more rows", where=topic, remedy="It is tried again.")


def _times_and_headers(rows: pa.RecordBatch) -> tuple[list[int], list[list[tuple[str, bytes]]] | None]:
    """Milliseconds for each row, and headers for each when one has any."""
    micros = pc.cast(rows.column(1), pa.int64())
    known = pc.fill_null(micros, 0).to_numpy(zero_copy_only=False)
    millis = np.maximum(known // 1000, 1)
    exact = (millis * 1000 == known) & pc.is_valid(micros).to_numpy(zero_copy_only=False)
    given = rows.column(2)
    if exact.all() and given.null_count == len(given):
        return millis.tolist(), None
    headers = []
    for own, is_exact, at in zip(given.to_pylist(), exact.tolist(), micros.to_pylist(), strict=True):
        time = [] if is_exact else [(MICROS, _NO_TIME if at is None else str(at).encode())]
        headers.append([*(own or []), *time])
    return millis.tolist(), headers


def receive(spec: TopicSpec, codec: Codec, partition: int, messages: Sequence[Message], at: datetime) -> Chunk:
    """Messages of one partition, ascending by offset, as rows; those that cannot be read as poison."""
    values = [message.value() for message in messages]
    offsets = [message.offset() for message in messages]
    rows, bad = codec.decode(values)
    good = [message for number, message in enumerate(messages) if number not in bad] if bad else list(messages)
    columns = [*_system(good), *rows.columns, pa.array([message.offset() for message in good], pa.int64())]
    records = pa.RecordBatch.from_arrays(columns, schema=spec.read_schema)
    after = None if offsets[-1] is None else offsets[-1] + 1
    return Chunk(spec.name, partition, records, at, _poison(bad, values, offsets), after)


def _system(messages: Sequence[Message]) -> list[pa.Array]:
    times = np.fromiter((message.timestamp()[1] for message in messages), np.int64, len(messages)) * 1000
    headers: list[Any] = [message.headers() for message in messages]
    micros = pa.array(times)
    own: list[list[tuple[str, bytes]] | None] = [None] * len(messages)
    if any(one is not None for one in headers):
        exact: list[int | None] = times.tolist()
        for number, one in enumerate(headers):
            for name, value in one or []:
                if name == MICROS:
                    exact[number] = None if value == _NO_TIME else int(value)
            own[number] = [pair for pair in one or [] if pair[0] != MICROS] or None
        micros = pa.array(exact, pa.int64())
    keys = pa.array([message.key() for message in messages], SYSTEM.types[0])
    return [keys, pc.cast(micros, SYSTEM.types[1]), pa.array(own, SYSTEM.types[2])]


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
