"""Reads partitions of Kafka topics from given positions, committed rows only."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from itertools import groupby
from typing import TypeAlias

import pyarrow as pa
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from penstock.log.kafka.client import KafkaSettings, as_error, kafka_errors
from penstock.log.kafka.messages import Form, Received
from penstock.log.kafka.table import arriving
from penstock.log.protocol import Chunk, Part, Position, SourceReset
from penstock.world import Clock

_ON_ITS_WAY = 10.0  # seconds that a fetch may take
_PATIENT = 0.05  # seconds that nobody waits for
_FIRST = 100_000  # rows at most that are waited for while nobody works on others
_GROWTH = 2  # times as many rows are fetched ahead as before them: about so many come while those are worked on
_DEPTH = 2  # fetches ahead at most: when one is there before it is wanted, the next goes on meanwhile
_BACKOFF = 10  # milliseconds until it fetches again after it had enough; a second, unless told otherwise

_Read: TypeAlias = "tuple[list[Chunk], set[str]]"  # rows, and the topics of which anything was heard


class KafkaReader:
    """See `protocol.Reader`. `identify` asks the cluster for a topic's incarnation, None when it is gone.

    It is asked after rows were fetched and before they are given away: a topic that was made anew under its old name
    cannot slip in between. Who got as many rows as it asked for, or many at first, is behind: the next are fetched while
    it works on them, and those after them. After a failure it begins anew from where it was.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Mapping[str, Form],
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
        self._ahead: deque[tuple[int, Future[_Read]]] = deque()  # how many rows at most, and those
        self._thread: ThreadPoolExecutor | None = None
        self._decoding: ThreadPoolExecutor | None = None  # of what is fetched ahead
        self._fetching = False
        with kafka_errors("reader"):
            self._consumer = Consumer(settings.consumer(fetch_queue_backoff_ms=_BACKOFF))
            self._begin()

    def _begin(self) -> None:
        """Fetch from the positions on."""
        self._consumer.assign([TopicPartition(*part, at.offset) for part, at in self._positions.items()])
        self._at_end.clear()
        self._fetching = True

    def skip(self, topic: str, partition: int, offset: int) -> None:
        """Read on there, as far as this partition goes; nothing is fetched until the next poll."""
        self._forget_ahead()
        at = self._positions[topic, partition]
        self._positions[topic, partition] = Position(offset, at.incarnation)
        if self._fetching:
            with kafka_errors("reader"):
                self._consumer.unassign()
            self._fetching = False

    def _forget_ahead(self) -> None:
        for _, rows in self._ahead:
            rows.cancel()
        wait([rows for _, rows in self._ahead])
        self._ahead.clear()

    def poll(self, max_rows: int, timeout: float) -> list[Chunk]:
        """Longer than `timeout` it waits for rows that the cluster has and that are still on their way."""
        if not self._positions or max_rows <= 0:
            self._clock.sleep(timeout)
            return []
        if not self._fetching:
            with kafka_errors("reader"):
                self._begin()
        first = min(max_rows, _FIRST)
        try:
            chunks = self._fetched_ahead(max_rows) or self._fetched(first, timeout)
        except BaseException:  # what came with it was not given away
            self._forget_ahead()
            self._fetching = False
            raise
        for chunk in chunks:
            part = (chunk.topic, chunk.partition)
            self._positions[part] = Position(chunk.next, self._positions[part].incarnation)
        if (came := sum(map(_count, chunks))) >= first:
            self._fetch_ahead(came, max_rows)
        return chunks

    def _fetched(self, max_rows: int, timeout: float) -> list[Chunk]:
        begun = self._clock.monotonic()
        while True:
            wanted = timeout if self._at_end >= set(self._positions) else max(timeout, _ON_ITS_WAY)
            left = begun + wanted - self._clock.monotonic()
            with kafka_errors("reader"):
                read = self._read(arriving(self._consumer, max_rows, max(left, 0.0)))
            chunks = self._checked(*read)
            if chunks or left <= 0:
                return chunks

    def _fetch_ahead(self, came: int, max_rows: int) -> None:
        if self._thread is None:
            self._thread, self._decoding = ThreadPoolExecutor(1, "ahead"), ThreadPoolExecutor(1, "decode")
        while len(self._ahead) < _DEPTH:
            before = self._ahead[-1][0] if self._ahead else came
            asked = min(max_rows, _GROWTH * before)
            self._ahead.append((asked, self._thread.submit(self._next, asked)))

    def _next(self, max_rows: int) -> _Read:
        with kafka_errors("reader"):
            return self._read(arriving(self._consumer, max_rows, _PATIENT, linger=_PATIENT), self._decoding)

    def _fetched_ahead(self, max_rows: int) -> list[Chunk]:
        """What was fetched meanwhile; if it may be too much, it is fetched again."""
        if any(asked > max_rows for asked, _ in self._ahead):
            self._forget_ahead()
            with kafka_errors("reader"):
                self._begin()
        chunks: list[Chunk] = []
        while self._ahead and not chunks:
            chunks = self._checked(*self._ahead[0][1].result())
            self._ahead.popleft()
        return chunks

    def _checked(self, chunks: list[Chunk], topics: set[str]) -> list[Chunk]:
        """Those that go on from where the reader is."""
        self._check_incarnations(topics)
        return [one for one in chunks if one.next > self._positions[one.topic, one.partition].offset]

    def _read(self, came: Iterable[list[Message]], decoding: Executor | None = None) -> _Read:
        received: dict[Part, Received] = {}
        told: list[Message] = []
        for messages in came:
            if any(map(Message.error, messages)):
                told += [message for message in messages if message.error() is not None]
                messages = [message for message in messages if message.error() is None]
            for part, of_part in _runs(messages, of_one=len(self._topics) == 1):
                if part not in received:
                    received[part] = Received(self._topics[part[0]], part[1], self._bare, decoding)
                received[part].add(of_part)
        ends = dict(map(self._end, told))
        for part, rows in received.items():
            if ends.get(part, 0) <= rows.last:
                self._at_end.discard(part)
        topics = {topic for topic, _ in (*received, *ends)}
        return self._chunks(received, ends), topics

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

    def _chunks(self, received: dict[Part, Received], ends: dict[Part, int]) -> list[Chunk]:
        found: list[Chunk] = []
        for part, rows in received.items():
            found += rows.chunks()
            if part in ends:
                found[-1] = _up_to(found[-1], ends.pop(part))
        return [*found, *(_up_to(self._empty(part), end) for part, end in ends.items())]

    def _empty(self, part: Part) -> Chunk:
        schema = self._topics[part[0]].topic.spec.read_schema
        return Chunk(*part, pa.RecordBatch.from_pylist([], schema), self._clock.now())

    def _check_incarnations(self, topics: set[str]) -> None:
        for name in topics:
            found = self._identify(name)
            for part, position in self._positions.items():
                if part[0] == name and position.incarnation != found:
                    raise reset(part, position, f"incarnation {position.incarnation}", f"incarnation {found}")

    def close(self) -> None:
        self._forget_ahead()
        for thread in (self._thread, self._decoding):
            if thread is not None:
                thread.shutdown()
        self._consumer.close()


def _part(message: Message) -> Part:
    return message.topic() or "", message.partition() or 0


def _count(chunk: Chunk) -> int:
    return int(chunk.records.num_rows) + (0 if chunk.poison is None else int(chunk.poison.num_rows))


def _runs(messages: Sequence[Message], *, of_one: bool) -> Iterator[tuple[Part, list[Message]]]:
    """Messages of the same partition, `of_one` topic, that follow on each other. They are many: nothing is done for each
    in Python."""
    if not messages:
        return
    runs = [(messages[0].topic(), messages)] if of_one else groupby(messages, Message.topic)
    for topic, of_topic in runs:
        for partition, of_part in groupby(of_topic, Message.partition):
            yield (topic or "", partition or 0), list(of_part)


def _up_to(chunk: Chunk, end: int) -> Chunk:
    return Chunk(chunk.topic, chunk.partition, chunk.records, chunk.appended_at, chunk.poison, end)


def reset(part: Part, position: Position, expected: str, found: str) -> SourceReset:
    return SourceReset(
        "The position of a reader is not in the log",
        where=f"{part[0]}, partition {part[1]}, offset {position.offset}",
        expected=expected,
        found=found,
        remedy="Give what reads it, and its outputs, other names: it begins anew.",
    )
