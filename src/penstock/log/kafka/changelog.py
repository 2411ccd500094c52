"""What a job committed besides its rows, as a topic of its own: one entry for each commit, cut into messages.

An entry ends with the message that holds its positions; parts before it belong to it. After a snapshot everything
before its entry is deleted from the topic. The journal has a topic of its own, which is kept as long as the rows.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta

from confluent_kafka import Consumer, Message, Producer

from penstock.log.kafka.client import KafkaSettings, kafka_errors
from penstock.log.kafka.table import assigned, drained
from penstock.log.kafka.topics import Topics, kept_for
from penstock.log.protocol import LogError, Part, Position

_PIECE = 900_000  # bytes of a message; a broker takes a million unless told otherwise


@dataclass(frozen=True)
class Entry:
    """One commit: all positions as they are after it, and what changed."""

    positions: Mapping[Part, Position]
    snapshot: bytes | None
    delta: bytes | None
    journal: bytes | None
    again: tuple[bytes, ...] = ()  # deltas of earlier entries that come after this snapshot


@dataclass
class Changelog:
    """The entries of a job, as committed."""

    topic: str
    journal: str  # its topic
    topics: Topics
    positions: dict[Part, Position] = field(default_factory=dict)
    snapshot: bytes | None = None
    deltas: list[bytes] = field(default_factory=list)
    _first: int | None = None

    @classmethod
    def read(cls, job: str, topics: Topics, settings: KafkaSettings, *, kept: timedelta | None) -> Changelog:
        """As the last committed transaction left it; to be read after the job's transactional id was taken over. The
        journal is `kept` for a time, or for ever."""
        found = cls(_topic(job), journal_topic(job), topics)
        topics.make({found.topic: (1, kept_for(None)), found.journal: (1, kept_for(kept))})
        topics.configure(found.journal, kept_for(kept))
        for key, value in _read(settings, found.topic):
            found._take(key, value or b"")
        return found

    def merged(self, positions: Mapping[Part, Position]) -> dict[Part, Position]:
        return self.positions | dict(positions)

    def last_deltas(self, count: int) -> tuple[bytes, ...]:
        return tuple(self.deltas[len(self.deltas) - count :])

    def write(self, producer: Producer, entry: Entry) -> None:
        """Within a transaction."""
        self._first = None
        self._parts: dict[str, list[bytes]] = {}
        parts = (("snapshot", entry.snapshot), ("again", b"".join(entry.again)), ("delta", entry.delta))
        for kind, data in parts:
            for start in range(0, len(data or b""), _PIECE):
                producer.produce(
                    self.topic, (data or b"")[start : start + _PIECE], kind.encode(), 0, on_delivery=self._note
                )
        facts = {
            "positions": [[*part, at.offset, at.incarnation] for part, at in entry.positions.items()],
            "snapshot": _facts(entry.snapshot),
            "delta": _facts(entry.delta),
            "again": [len(one) for one in entry.again],
        }
        producer.produce(self.topic, json.dumps(facts).encode(), b"entry", 0, on_delivery=self._note)
        if entry.journal is not None:
            producer.produce(self.journal, entry.journal, b"entry", 0)

    def _note(self, error: object, message: Message) -> None:
        offset = None if error is not None else message.offset()
        if offset is not None:
            self._first = offset if self._first is None else min(self._first, offset)

    def apply(self, entry: Entry) -> None:
        """After the transaction was committed."""
        self.positions = dict(entry.positions)
        if entry.snapshot is not None:
            self.snapshot, self.deltas = entry.snapshot, list(entry.again)
            if self._first is not None:
                self.topics.drop_before(self.topic, self._first)
        if entry.delta is not None:
            self.deltas.append(entry.delta)

    def _take(self, key: bytes, value: bytes) -> None:
        """One message of the topic, in order."""
        if key != b"entry":
            self._parts.setdefault(key.decode(), []).append(value)
            return
        facts = json.loads(value)
        snapshot = self._whole("snapshot", facts["snapshot"])
        delta = self._whole("delta", facts["delta"])
        self.positions = {(topic, part): Position(at, which) for topic, part, at, which in facts["positions"]}
        if snapshot is not None:
            self.snapshot, self.deltas = snapshot, list(self._again(facts.get("again", [])))
        if delta is not None:
            self.deltas.append(delta)
        self._parts = {}

    def _again(self, sizes: Sequence[int]) -> Iterator[bytes]:
        data, at = b"".join(self._parts.get("again", [])), 0
        for size in sizes:
            yield data[at : at + size]
            at += size

    def _whole(self, kind: str, facts: list[int] | None) -> bytes | None:
        if facts is None:
            return None
        data = b"".join(self._parts.get(kind, []))
        if _facts(data) != facts:
            raise LogError(
                "The state of the job is damaged", where=self.topic, expected=str(facts), found=str(_facts(data))
            )
        return data

    def __post_init__(self) -> None:
        self._parts = {}


def journal(settings: KafkaSettings, job: str) -> Generator[bytes]:
    """The entries that a job committed, oldest first."""
    for _, value in _read(settings, journal_topic(job)):
        yield value or b""


def journal_topic(job: str) -> str:
    return f"{_topic(job)}.journal"


def _topic(job: str) -> str:
    return f"penstock.job.{job}"


def _facts(data: bytes | None) -> list[int] | None:
    """Size and checksum."""
    return None if data is None else [len(data), zlib.crc32(data)]


def _read(settings: KafkaSettings, topic: str) -> Generator[tuple[bytes, bytes | None]]:
    with kafka_errors(topic), closing(Consumer(settings.consumer())) as consumer:
        yield from drained(consumer, assigned(consumer, topic, (0,)), {})
