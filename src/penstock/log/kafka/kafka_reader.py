"""Reads partitions of Kafka topics from given positions, committed rows only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import methodcaller

import pyarrow as pa
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from penstock.log.kafka.client import KafkaSettings, as_error, kafka_errors
from penstock.log.kafka.messages import Codec, receive
from penstock.log.kafka.table import arrived
from penstock.log.protocol import Chunk, Part, Position, SourceReset, Topic
from penstock.world import Clock

_TOPIC, _PARTITION = methodcaller("topic"), methodcaller("partition")
_ON_ITS_WAY = 10.0  # seconds that a fetch may take


class KafkaReader:
    """See `protocol.Reader`. `identify` asks the cluster for a topic's incarnation, None when it is gone.

    It is asked after rows were fetched and before they are given away: a topic that was made anew under its old name
    cannot slip in between.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Mapping[str, tuple[Topic, Codec]],
        positions: Mapping[Part, Position],
        identify: Callable[[str], str | None],
        clock: Clock,
        *,
        bare: bool = False,
    ) -> None:
        self._topics = topics
        self._positions = dict(positions)
        self._at_end: set[Part] = set()
        self._identify = identify
        self._clock = clock
        self._bare = bare
        with kafka_errors("reader"):
            self._consumer = Consumer(settings.consumer())
            self._consumer.assign([TopicPartition(*part, at.offset) for part, at in positions.items()])

    def poll(self, max_rows: int, timeout: float) -> list[Chunk]:
        """Longer than `timeout` it waits for rows that the cluster has and that are still on their way."""
        if not self._positions or max_rows <= 0:
            self._clock.sleep(timeout)
            return []
        begun = self._clock.monotonic()
        while True:
            wanted = timeout if self._at_end >= set(self._positions) else max(timeout, _ON_ITS_WAY)
            left = begun + wanted - self._clock.monotonic()
            with kafka_errors("reader"):
                messages = arrived(self._consumer, max_rows, max(left, 0.0))
            chunks = self._read(messages)
            if chunks or left <= 0:
                return chunks

    def _read(self, messages: list[Message]) -> list[Chunk]:
        told = [one for one in messages if one.error() is not None]
        by_part = _by_part([one for one in messages if one.error() is None] if told else messages)
        ends = dict(map(self._end, told))
        self._check_incarnations({topic for topic, _ in (*by_part, *ends)})
        for part, rows in by_part.items():
            if ends.get(part, 0) <= (rows[-1].offset() or 0):
                self._at_end.discard(part)
        return self._chunks(by_part, ends)

    def _end(self, message: Message) -> tuple[Part, int]:
        """A partition that was read up to where it ends now; anything else that the client tells is an error."""
        part, error = _part(message), message.error()
        code = None if error is None else error.code()
        if error is None or code == KafkaError._PARTITION_EOF:
            self._at_end.add(part)
            return part, message.offset() or 0
        if code in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            raise reset(part, self._positions[part], "an offset that the topic has", "no such row in Kafka")
        if code in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):
            raise reset(part, self._positions[part], "the topic", "no such topic")
        raise as_error(error, f"{part[0]}, partition {part[1]}")

    def _chunks(self, by_part: dict[Part, list[Message]], ends: dict[Part, int]) -> list[Chunk]:
        found = []
        for part, messages in by_part.items():
            topic, codec = self._topics[part[0]]
            chunk = receive(topic.spec, codec, part[1], messages, bare=self._bare)
            found.append(chunk if part not in ends else _up_to(chunk, ends.pop(part)))
        for part, end in ends.items():
            if end > self._positions[part].offset:
                found.append(_up_to(self._empty(part), end))
        for chunk in found:
            at = self._positions[chunk.topic, chunk.partition]
            self._positions[chunk.topic, chunk.partition] = Position(chunk.next, at.incarnation)
        return found

    def _empty(self, part: Part) -> Chunk:
        schema = self._topics[part[0]][0].spec.read_schema
        return Chunk(*part, pa.RecordBatch.from_pylist([], schema), self._clock.now())

    def _check_incarnations(self, topics: set[str]) -> None:
        for name in topics:
            found = self._identify(name)
            for part, position in self._positions.items():
                if part[0] == name and position.incarnation != found:
                    raise reset(part, position, f"incarnation {position.incarnation}", f"incarnation {found}")

    def close(self) -> None:
        self._consumer.close()


def _part(message: Message) -> Part:
    return message.topic() or "", message.partition() or 0


def _by_part(messages: list[Message]) -> dict[Part, list[Message]]:
    """The rows of each partition in their order. They are many: what can be done outside of Python is."""
    found: dict[Part, list[Message]] = {}
    for part, message in zip(zip(map(_TOPIC, messages), map(_PARTITION, messages), strict=True), messages, strict=True):
        found.setdefault(part, []).append(message)
    return found


def _up_to(chunk: Chunk, end: int) -> Chunk:
    return Chunk(chunk.topic, chunk.partition, chunk.records, chunk.appended_at, chunk.poison, end)


def reset(part: Part, position: Position, expected: str, found: str) -> SourceReset:
    return SourceReset(
        "The position of a reader is not in the log",
        where=f"{part[0]}, partition {part[1]}, offset {position.offset}",
        expected=expected,
        found=found,
        remedy="Find out what was lost, then set the reader's position anew.",
    )
