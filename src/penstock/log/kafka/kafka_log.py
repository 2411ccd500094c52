"""The event log on a Kafka cluster."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Self

from penstock.log.catalog import check_name, check_spec
from penstock.log.kafka.avro_codec import AvroCodec
from penstock.log.kafka.changelog import Changelog, journal, journal_topic
from penstock.log.kafka.client import LIST, KafkaSettings, Transactions, admin
from penstock.log.kafka.committed import Committed, NearReader
from penstock.log.kafka.kafka_group import KafkaGroup
from penstock.log.kafka.kafka_reader import KafkaReader, reset
from penstock.log.kafka.kafka_writers import PROGRESS, PROGRESS_PARTITIONS, KafkaJob, KafkaProducer
from penstock.log.kafka.messages import Codec, Form, is_raw, plain_codec
from penstock.log.kafka.registry import SchemaRegistry
from penstock.log.kafka.table import Notes, Table
from penstock.log.kafka.topics import COMPACTED, Identity, Topics, adopted, as_value, config_of, of_value
from penstock.log.protocol import (
    Capabilities,
    LogError,
    Part,
    Position,
    Reader,
    SourceReset,
    Topic,
    TopicSpec,
    beginning,
)
from penstock.world import World

POSITIONS = "penstock.positions"


class KafkaLog:
    """See `protocol.Log`. Topics of its own begin with `penstock.`."""

    capabilities = Capabilities(contiguous=False, immediate=False, takeover=True, groups=True, apart=False)

    def __init__(self, settings: KafkaSettings, world: World) -> None:
        if settings.encoding not in ("json", "avro") or (settings.encoding == "avro" and settings.registry is None):
            expected = "json, or avro with the address of a schema registry"
            raise LogError("The encoding of messages is not known", expected=expected, found=settings.encoding)
        self._settings = settings
        self._world = world
        self._registry = None if settings.registry is None else SchemaRegistry(settings.registry)
        self._cluster = Topics(admin(settings), settings, world.clock)
        own = {LIST: 1, POSITIONS: 1, PROGRESS: PROGRESS_PARTITIONS}
        self._cluster.make({name: (partitions, COMPACTED) for name, partitions in own.items()})
        self._closing: list[Callable[[], None]] = []
        self._list, self._positions = Table(settings, LIST), Table(settings, POSITIONS)
        self._notes = {name: Notes(settings, name) for name in (LIST, POSITIONS)}
        self._closing += [self._list.close, self._positions.close, *(one.close for one in self._notes.values())]
        self._known: dict[str, tuple[Topic, str | None]] = {}
        self._committed: dict[str, Committed] = {}  # by topic of a job of this process
        self._refresh()

    @classmethod
    def open(cls, settings: KafkaSettings, world: World) -> Self:
        return cls(settings, world)

    def ensure(self, spec: TopicSpec) -> Topic:
        [topic] = self._ensure([spec], None)
        return topic

    def topics(self) -> Mapping[str, Topic]:
        self._refresh()
        return {name: topic for name, (topic, _) in sorted(self._known.items())}

    def bounds(self, topic: str) -> Mapping[int, tuple[int, int]]:
        return self._cluster.bounds(topic, self._topic(topic)[0].spec.partitions)

    def ends(self, topic: str) -> Mapping[int, int]:
        return self._cluster.ends(topic, self._topic(topic)[0].spec.partitions)

    def producer(self, name: str, topic: str) -> KafkaProducer:
        check_name(name)
        job = self._topic(topic)[1]
        if job is not None:
            raise LogError("Only its job writes this topic", where=topic, found=f"job {job}")
        producer = KafkaProducer(self._settings, name, self._form(topic))
        self._closing.append(producer.close)
        return producer

    def reader(self, positions: Mapping[Part, Position], *, bare: bool = False) -> Reader:
        forms = {name: self._form(name) for name, _ in positions}
        for part, position in positions.items():
            self._check(part, position)
        clock = self._world.clock
        reader = KafkaReader(self._settings, forms, positions, self._identify, clock, bare=bare)
        if bare and len(positions) == 1:
            [((topic, _), at)] = positions.items()
            if topic in self._committed:
                return NearReader(reader, self._committed[topic], forms[topic].topic.spec, at.offset, clock)
        return reader

    def positions(self, reader: str) -> Mapping[Part, Position]:
        return self.readers().get(reader, {})

    def save_positions(self, reader: str, positions: Mapping[Part, Position]) -> None:
        values: dict[bytes, bytes | None] = {
            json.dumps([reader, *part]).encode(): json.dumps([at.offset, at.incarnation]).encode()
            for part, at in positions.items()
        }
        self._notes[POSITIONS].write(values)

    def readers(self) -> Mapping[str, Mapping[Part, Position]]:
        found: dict[str, dict[Part, Position]] = {}
        for key, value in self._positions.refresh().items():
            reader, topic, part = json.loads(key)
            found.setdefault(reader, {})[topic, part] = Position(*json.loads(value))
        return found

    def forget(self, reader: str) -> None:
        """The brokers wait for nobody: it is only the positions that go."""
        gone: dict[bytes, bytes | None] = {
            key: None for key in self._positions.refresh() if json.loads(key)[0] == reader
        }
        self._notes[POSITIONS].write(gone)

    def job(self, name: str, inputs: Sequence[str], outputs: Sequence[TopicSpec]) -> KafkaJob:
        check_name(name)
        self._ensure(outputs, name)
        starts: dict[Part, Position] = {}
        for topic in inputs:
            starts |= beginning(self, topic)
        transactions = Transactions(self._settings, f"penstock.job.{name}")
        self._closing.append(transactions.close)
        kept = _longest(self._topic(one)[0].spec for one in (*inputs, *(spec.name for spec in outputs)))
        changelog = Changelog.read(name, self._cluster, self._settings, kept=kept)
        forms = {spec.name: self._form(spec.name) for spec in outputs}
        committed = {spec.name: Committed() for spec in outputs if spec.partitions == 1}
        self._committed |= committed
        made_anew = _made_anew(changelog.positions, starts)
        entries = partial(journal, self._settings, name)
        return KafkaJob(transactions, changelog, entries, forms, starts, committed, self._world.clock, made_anew)

    def group(
        self, name: str, inputs: Sequence[str], outputs: Sequence[TopicSpec], *, session: float = 10.0
    ) -> KafkaGroup:
        """A member of a group that shares the partitions of the inputs (capability `groups`); it keeps no state."""
        check_name(name)
        self._ensure(outputs, name)
        member = KafkaGroup(
            name,
            self._settings,
            {topic: self._form(topic) for topic in inputs},
            {spec.name: self._form(spec.name) for spec in outputs},
            self._identify,
            self._world,
            session=session,
        )
        self._closing.append(member.close)
        return member

    def remove(self, topic: str) -> None:
        """Delete a topic with its rows."""
        self._topic(topic)
        self._cluster.remove(topic)
        self._notes[LIST].write({topic.encode(): None})
        self._known.pop(topic, None)

    def oldest_entry(self, job: str) -> bytes | None:
        check_name(job)
        if self._cluster.identity(journal_topic(job)) is None:
            return None
        with closing(journal(self._settings, job)) as entries:
            return next(entries, None)

    def upkeep(self) -> None:
        """The brokers see to it."""

    def close(self) -> None:
        for close in self._closing:
            close()
        self._closing.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ensure(self, specs: Sequence[TopicSpec], job: str | None) -> list[Topic]:
        for spec in specs:
            check_spec(spec)
        identities = self._cluster.make({spec.name: (spec.partitions, config_of(spec)) for spec in specs})
        self._refresh()
        topics = [self._adopted(spec, job, identities[spec.name]) for spec in specs]
        new = [topic for topic in topics if (topic, job) != self._known.get(topic.spec.name)]
        for topic in new:
            self._cluster.configure(topic.spec.name, config_of(topic.spec))
        if new:
            self._notes[LIST].write({topic.spec.name.encode(): as_value(topic, job) for topic in new})
        self._known |= {topic.spec.name: (topic, job) for topic in topics}
        return topics

    def _adopted(self, spec: TopicSpec, job: str | None, identity: Identity) -> Topic:
        """The topic as the cluster has it; LogError when it is another's, or cannot be what is declared."""
        before, owner = self._known.get(spec.name, (None, job))
        topic = adopted(before, spec, identity)
        if before is not None and before.incarnation == topic.incarnation and owner != job:
            expected, found = f"the owner {owner or 'no job'}", job or "no job"
            raise LogError("The topic exists in another shape", where=spec.name, expected=expected, found=found)
        self._codec(topic)
        return topic

    def _refresh(self) -> None:
        self._known = {key.decode(): of_value(key.decode(), value) for key, value in self._list.refresh().items()}

    def _topic(self, name: str) -> tuple[Topic, str | None]:
        if name not in self._known:
            self._refresh()
        if name not in self._known:
            raise LogError("There is no such topic", where=name, found=", ".join(self._known) or "no topics")
        return self._known[name]

    def _form(self, name: str) -> Form:
        topic, job = self._topic(name)
        return Form(topic, self._codec(topic), of_job=job is not None)

    def _codec(self, topic: Topic) -> Codec:
        if self._registry is not None and self._settings.encoding == "avro" and not is_raw(topic.spec.schema):
            return AvroCodec(topic.spec.name, topic.spec.schema, self._registry)
        return plain_codec(topic.spec.schema)

    def _identify(self, topic: str) -> str | None:
        identity = self._cluster.identity(topic)
        return None if identity is None else identity[0]

    def _check(self, part: Part, position: Position) -> None:
        found = self._identify(part[0])
        if position.incarnation != found:
            raise reset(part, position, f"incarnation {position.incarnation}", f"incarnation {found}")
        first, next = self.bounds(part[0])[part[1]]
        if position.offset < first:
            lost = f"rows from {first}: {first - position.offset} offsets were dropped unread"
            raise reset(part, position, f"an offset from {first}", lost)
        if position.offset > next:
            raise reset(part, position, f"an offset up to {next}", f"offset {position.offset}")


def _longest(specs: Iterable[TopicSpec]) -> timedelta | None:
    """How long the rows of any of the topics are kept; None is for ever."""
    ages = [spec.retention for spec in specs]
    return None if None in ages else max(one for one in ages if one is not None)


def _made_anew(committed: Mapping[Part, Position], starts: Mapping[Part, Position]) -> SourceReset | None:
    for part, start in starts.items():
        at = committed.get(part, start)
        if at.incarnation != start.incarnation:
            return reset(part, at, f"incarnation {at.incarnation}", f"incarnation {start.incarnation}")
    return None
