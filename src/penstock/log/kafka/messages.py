"""Rows as messages and messages as rows.

A message has the row's key and its headers; the time of the row stands in the header `penstock.us`, for the message's
own time is that of appending, from which retention counts. A header costs more than the rest of a message: rows of a
job that have no time have none. This is one of the few places with a loop over rows: the client takes and gives single
messages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any, Protocol, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from confluent_kafka import Message, Producer

from penstock.log.batch import conforming, split
from penstock.log.kafka.client import PATIENCE
from penstock.log.kafka.json_codec import JsonCodec
from penstock.log.kafka.json_values import NotReadable
from penstock.log.protocol import OFFSET, POISON, RAW, SYSTEM, Chunk, LogStorageError, Topic

# Microseconds since 1970; of a message without it that no job wrote, the time of appending counts.
MICROS = "penstock.us"
_NO_TIME = b"none"
_EPOCH = datetime.fromtimestamp(0, UTC)
_PIECE = 10_000  # messages that become rows at once


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


@dataclass(frozen=True)
class Form:
    """How rows of a topic are messages. `of_job`: only a job writes it."""

    topic: Topic
    codec: Codec
    of_job: bool


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
    form: Form,
    records: pa.RecordBatch,
    *,
    sequence: int,
    partition: int | None = None,
) -> Sent:
    """Hand the rows to the producer, those of a partition in order; to be called within a transaction."""
    sent, spec = Sent.nothing(), form.topic.spec
    for part, rows in split(spec, conforming(spec, records), sequence=sequence, partition=partition):
        values = form.codec.encode(rows.select(spec.schema.names))
        keys, headers = rows.column(0).to_pylist(), _headers(rows, of_job=form.of_job)
        ends = (0, rows.num_rows - 1)
        for number, (value, key, own) in enumerate(zip(values, keys, headers, strict=True)):
            told = sent.note if number in ends else None
            try:
                producer.produce(spec.name, value, key, part, told, None, 0, own)
            except BufferError:
                _wait_for_room(producer, spec.name, (value, key, part, told, None, 0, own))
    return sent


def _wait_for_room(producer: Producer, topic: str, message: tuple[Any, ...]) -> None:
    for _ in range(int(PATIENCE * 10)):
        producer.poll(0.1)
        with suppress(BufferError):
            producer.produce(topic, *message)
            return
    raise LogStorageError("Kafka takes no more rows", where=topic, remedy="It is tried again.")


def _headers(rows: pa.RecordBatch, *, of_job: bool) -> Sequence[list[tuple[str, str | bytes | None]] | None]:
    """The headers of each row, and its time."""
    if of_job and all(column.null_count == rows.num_rows for column in (rows.column(1), rows.column(2))):
        return [None] * rows.num_rows
    micros = pc.fill_null(pc.cast(pc.cast(rows.column(1), pa.int64()), pa.string()), _NO_TIME.decode())
    times = [(MICROS, one) for one in pc.cast(micros, pa.binary()).to_pylist()]
    given = rows.column(2)
    if given.null_count == len(given):
        return [[time] for time in times]
    return [[*(own or []), time] for own, time in zip(given.to_pylist(), times, strict=True)]


@dataclass
class _Waiting:
    """What is needed of messages until they become rows."""

    values: list[bytes | None] = field(default_factory=list)
    offsets: list[Sequence[int]] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)  # none where rows are bare
    milliseconds: int = 0  # since 1970, when the first was appended


@dataclass
class Received:
    """Messages of one partition, ascending by offset. They become rows a piece at a time: neither they nor their bytes are
    there for long, for many at a time keep the collector of Python busy, and a cache holds no more. `bare` rows have
    nulls for system columns: keys and headers cost more than all the rest."""

    form: Form
    partition: int
    bare: bool = False
    decoding: Executor | None = None  # where pieces become rows while others come; None: as soon as they are there
    last: int = -1  # offset
    _waiting: _Waiting = field(default_factory=_Waiting)
    _pieces: list[Callable[[], Chunk]] = field(default_factory=list)

    def add(self, messages: Sequence[Message]) -> Self:
        """At least one."""
        waiting = self._waiting
        if not waiting.values:
            waiting.milliseconds = messages[0].timestamp()[1]
        waiting.values += map(Message.value, messages)
        waiting.offsets.append(_offsets(messages))
        self.last = waiting.offsets[-1][-1]
        if not self.bare:
            waiting.messages += messages
        if len(waiting.values) >= _PIECE:
            self._decode()
        return self

    def chunks(self) -> list[Chunk]:
        """A piece each, as rows; those that cannot be read as poison."""
        if self._waiting.values:
            self._decode()
        return [piece() for piece in self._pieces]

    def _decode(self) -> None:
        """What waits becomes rows."""
        task = partial(_piece, self._waiting, self.form, self.partition, bare=self.bare)
        self._waiting = _Waiting()
        if self.decoding is None:
            piece = task()
            self._pieces.append(lambda: piece)
        else:
            self._pieces.append(self.decoding.submit(task).result)


def _piece(waiting: _Waiting, form: Form, partition: int, *, bare: bool) -> Chunk:
    offsets = _joined(waiting.offsets, len(waiting.values))
    rows, bad = form.codec.decode(waiting.values)
    good = [number for number in range(len(offsets)) if number not in bad] if bad else None
    if bare:
        system = _no_system(rows.num_rows)
    else:
        whole = waiting.messages if good is None else [waiting.messages[number] for number in good]
        system = _system(whole, of_job=form.of_job)
    own = pa.array(offsets if good is None else offsets[good])
    records = pa.RecordBatch.from_arrays([*system, *rows.columns, own], schema=form.topic.spec.read_schema)
    poison = _poison(bad, waiting.values, offsets) if bad else None
    at = _EPOCH + timedelta(milliseconds=waiting.milliseconds)
    return Chunk(form.topic.spec.name, partition, records, at, poison, int(offsets[-1]) + 1)


def _offsets(messages: Sequence[Message]) -> Sequence[int]:
    """Mostly there are no holes, so that the ends tell all."""
    first, last = messages[0].offset() or 0, messages[-1].offset() or 0
    if last - first == len(messages) - 1:
        return range(first, last + 1)
    return [message.offset() or 0 for message in messages]


def _joined(offsets: Sequence[Sequence[int]], count: int) -> np.ndarray:
    """All of them at once: for every array that it makes, NumPy lets other threads of Python go first."""
    first, next = offsets[0][0], offsets[-1][-1] + 1
    if next - first == count:
        return np.arange(first, next)
    return np.fromiter(chain.from_iterable(offsets), np.int64, count)


def _no_system(count: int) -> list[pa.Array]:
    return [pa.nulls(count, type) for type in SYSTEM.types]


def _system(messages: Sequence[Message], *, of_job: bool) -> list[pa.Array]:
    headers: list[Any] = [message.headers() or () for message in messages]
    times = [_time(one, message, of_job=of_job) for one, message in zip(headers, messages, strict=True)]
    own = [[pair for pair in one if pair[0] != MICROS] or None for one in headers]
    keys = pa.array([message.key() for message in messages], SYSTEM.types[0])
    return [keys, pc.cast(pa.array(times, pa.int64()), SYSTEM.types[1]), pa.array(own, SYSTEM.types[2])]


def _time(headers: Sequence[tuple[str, bytes]], message: Message, *, of_job: bool) -> int | None:
    for name, value in headers:
        if name == MICROS:
            return None if value == _NO_TIME else int(value)
    return None if of_job else int(message.timestamp()[1]) * 1000


def _poison(bad: dict[int, NotReadable], values: Sequence[bytes | None], offsets: np.ndarray) -> pa.RecordBatch:
    rows = [
        {
            OFFSET: int(offsets[number]),
            "raw": values[number],
            "code": why.code,
            "expected": why.expected,
            "found": why.found,
        }
        for number, why in sorted(bad.items())
    ]
    return pa.RecordBatch.from_pylist(rows, POISON)
