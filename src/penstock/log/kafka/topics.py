"""Topics of a Kafka cluster: made, described by their id, and listed with the columns they were declared with."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeAlias, TypeVar

import pyarrow as pa
from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # they are exported, but not declared so
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    TopicDescription,
)

from penstock.log.columns import check_change
from penstock.log.kafka.client import PATIENCE, KafkaSettings, as_error, kafka_errors
from penstock.log.protocol import LogError, LogStorageError, Topic, TopicSpec
from penstock.world import Clock

T = TypeVar("T")
Identity: TypeAlias = "tuple[str, int]"  # a topic's id, and its number of partitions
COMPACTED = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.1"}
_PAUSE = 0.01  # seconds


def waited(future: Callable[[float], T], where: str) -> T:
    """The answer of the admin client."""
    with kafka_errors(where):
        return future(PATIENCE)


@dataclass(frozen=True)
class Topics:
    """What the cluster says of topics. Nothing is remembered."""

    admin: AdminClient
    settings: KafkaSettings
    clock: Clock

    def identity(self, topic: str) -> Identity | None:
        """None when there is no such topic."""
        return self._identities([topic])[topic]

    def _identities(self, topics: Sequence[str]) -> dict[str, Identity | None]:
        if not topics:
            return {}
        asked = self.admin.describe_topics(TopicCollection(list(topics)), request_timeout=PATIENCE)
        return {topic: _identity(topic, future) for topic, future in asked.items()}

    def make(self, topics: Mapping[str, tuple[int, dict[str, str]]]) -> dict[str, Identity]:
        """Make those of the topics (partitions, configuration) that are not there, by one request, and wait until they can
        be used."""
        found = self._identities(list(topics))
        new = [
            NewTopic(name, partitions, self.settings.replication, config=config)
            for name, (partitions, config) in topics.items()
            if found[name] is None
        ]
        if new:
            for name, future in self.admin.create_topics(new, operation_timeout=PATIENCE).items():
                _made(name, future)
            self._wait(partial(self._are_served, list(topics)), ", ".join(one.topic for one in new))
            found = self._identities(list(topics))
        return {name: one for name, one in found.items() if one is not None}

    def remove(self, topic: str) -> None:
        waited(self.admin.delete_topics([topic], operation_timeout=PATIENCE)[topic].result, topic)
        self._wait(lambda: self.identity(topic) is None, topic)

    def configure(self, topic: str, config: dict[str, str]) -> None:
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in config.items()
        ]
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=entries)
        waited(self.admin.incremental_alter_configs([resource])[resource].result, topic)

    def bounds(self, topic: str, partitions: int) -> dict[int, tuple[int, int]]:
        """By partition: the oldest offset, and the one after the newest that may be read."""
        first = self._offsets(topic, partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        next = self._offsets(topic, partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        return {part: (first[part], next[part]) for part in range(partitions)}

    def ends(self, topic: str, partitions: int) -> dict[int, int]:
        """By partition the offset after the newest, whether it may be read or not."""
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        return self._offsets(topic, partitions, latest, IsolationLevel.READ_UNCOMMITTED)

    def _offsets(
        self,
        topic: str,
        partitions: int,
        spec: OffsetSpec,
        isolation: IsolationLevel = IsolationLevel.READ_COMMITTED,
    ) -> dict[int, int]:
        asked = {TopicPartition(topic, part): spec for part in range(partitions)}
        answers = self.admin.list_offsets(asked, isolation_level=isolation)
        return {part.partition: waited(one.result, topic).offset for part, one in answers.items()}

    def drop_before(self, topic: str, offset: int) -> None:
        future = self.admin.delete_records([TopicPartition(topic, 0, offset)])
        waited(next(iter(future.values())).result, topic)

    def _are_served(self, topics: Sequence[str]) -> bool:
        """Whether the topics are there, and each partition has a broker that leads it already: that they do is known a
        moment before."""
        found = {name: one for name, one in self._identities(topics).items() if one is not None}
        if len(found) < len(topics):
            return False
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = {TopicPartition(name, part): latest for name, (_, count) in found.items() for part in range(count)}
        return all(one.exception(PATIENCE) is None for one in self.admin.list_offsets(asked).values())

    def _wait(self, done: Callable[[], bool], where: str) -> None:
        for _ in range(int(PATIENCE / _PAUSE)):
            if done():
                return
            self.clock.sleep(_PAUSE)
        raise LogStorageError("Kafka does not make up its mind about a topic", where=where)


def _identity(topic: str, described: Future[TopicDescription]) -> Identity | None:
    try:
        found = described.result(PATIENCE)
    except KafkaException as error:
        if error.args[0].code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):
            return None
        raise as_error(error.args[0], topic) from error
    return str(found.topic_id), len(found.partitions)


def _made(topic: str, created: Future[None]) -> None:
    """Somebody else may have made it meanwhile."""
    try:
        created.result(PATIENCE)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise as_error(error.args[0], topic) from error


def config_of(spec: TopicSpec) -> dict[str, str]:
    """Retention as Kafka has it: by age and size it waits for nobody. Age counts from appending, not from the event."""
    size = -1 if spec.max_bytes is None else max(spec.max_bytes // spec.partitions, 1)
    return kept_for(spec.retention) | {"retention.bytes": str(size), "message.timestamp.type": "LogAppendTime"}


def kept_for(age: timedelta | None) -> dict[str, str]:
    """For ever when it is None, and whatever the size."""
    milliseconds = -1 if age is None else age // timedelta(milliseconds=1)
    return {"cleanup.policy": "delete", "retention.ms": str(milliseconds), "retention.bytes": "-1"}


def as_value(topic: Topic, job: str | None) -> bytes:
    spec = topic.spec
    fields = {
        "incarnation": topic.incarnation,
        "partitions": spec.partitions,
        "arrow": base64.b64encode(spec.schema.serialize().to_pybytes()).decode(),
        "retention": None if spec.retention is None else spec.retention // timedelta(microseconds=1),
        "max_bytes": spec.max_bytes,
        "job": job,
    }
    return json.dumps(fields).encode()


def of_value(name: str, value: bytes) -> tuple[Topic, str | None]:
    """The topic, and the job that owns it."""
    fields = json.loads(value)
    age = None if fields["retention"] is None else timedelta(microseconds=fields["retention"])
    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(fields["arrow"])))
    spec = TopicSpec(name, fields["partitions"], schema, age, fields["max_bytes"])
    return Topic(spec, fields["incarnation"]), fields["job"]


def adopted(before: Topic | None, spec: TopicSpec, identity: Identity) -> Topic:
    """The declared topic in the cluster; LogError when what is there has another shape."""
    incarnation, partitions = identity
    if before is not None and before.incarnation == incarnation:
        check_change(before.spec, spec)
    elif partitions != spec.partitions:
        expected, found = f"{partitions} partitions", str(spec.partitions)
        raise LogError("The topic exists in another shape", where=spec.name, expected=expected, found=found)
    return Topic(spec, incarnation)
