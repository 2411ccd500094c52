"""Several processes share the partitions of a topic under one name; what each makes is committed with its positions.

Partitions move one by one (cooperative rebalance). A member commits only for partitions that it has had without
interruption since it read the rows: the coordinator refuses a member that it gave up, and this one refuses the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, Producer, TopicPartition

from penstock.errors import PenstockError
from penstock.log.kafka.client import PATIENCE, GroupMoved, KafkaSettings, Transactions, as_error, kafka_errors
from penstock.log.kafka.kafka_reader import reset
from penstock.log.kafka.messages import Form, Received, send
from penstock.log.kafka.table import arrived
from penstock.log.protocol import Chunk, LogStorageError, Part, Position
from penstock.world import World


class Rebalanced(PenstockError):
    """Partitions went to another member before the commit: nothing was written, and their new owner reads the rows."""

    retryable = True


class KafkaGroup:
    """A member. Not for several threads at once.

    `identify` asks the cluster for a topic's incarnation. The member is not waited for longer than `session` seconds.
    """

    def __init__(
        self,
        name: str,
        settings: KafkaSettings,
        inputs: Mapping[str, Form],
        outputs: Mapping[str, Form],
        identify: Callable[[str], str | None],
        world: World,
        *,
        session: float = 10.0,
    ) -> None:
        self._inputs, self._outputs = inputs, outputs
        self._identify = identify
        self._held: set[Part] = set()
        self._wrong: PenstockError | None = None
        self._count = 0
        self._name = f"penstock.group.{name}"
        self._transactions = Transactions(settings, f"{self._name}.{world.ids.new()}")
        with kafka_errors(self._name):
            self._consumer = Consumer(
                settings.consumer(
                    group=self._name,
                    partition_assignment_strategy="cooperative-sticky",
                    session_timeout_ms=int(session * 1000),
                    heartbeat_interval_ms=int(session * 100),
                )
            )
            self._consumer.subscribe(
                list(inputs), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
            )

    @property
    def partitions(self) -> frozenset[Part]:
        """Those that this member has now."""
        return frozenset(self._held)

    def incarnation(self, topic: str) -> str:
        """What a position of the topic counts in."""
        return self._inputs[topic].topic.incarnation

    def poll(self, max_rows: int, timeout: float) -> list[Chunk]:
        """Rows of its partitions after those that it read; SourceReset when a topic was made anew."""
        with kafka_errors(self._name):
            messages = arrived(self._consumer, max_rows, timeout)
        if self._wrong is not None:
            raise self._wrong
        by_part: dict[Part, list[Message]] = {}
        for message in messages:
            error, part = message.error(), (message.topic() or "", message.partition() or 0)
            if error is None:
                by_part.setdefault(part, []).append(message)
            elif error.code() != KafkaError._PARTITION_EOF:
                raise as_error(error, f"{part[0]}, partition {part[1]}")
        for topic in {topic for topic, _ in by_part}:
            self._check(topic, self._inputs[topic].topic.incarnation)
        return [
            chunk
            for part, of_part in by_part.items()
            if part in self._held
            for chunk in Received(self._inputs[part[0]], part[1]).add(of_part).chunks()
        ]

    def commit(self, outputs: Mapping[str, pa.RecordBatch], positions: Mapping[Part, Position]) -> None:
        """Rows and positions in one transaction; Rebalanced when that is no longer this member's to say."""
        if not set(positions) <= self._held:
            self._go_back()
            raise self._rebalanced(str(sorted(set(positions) - self._held)))
        self._count += 1
        offsets = [TopicPartition(*part, at.offset, at.incarnation) for part, at in positions.items()]

        def fill(producer: Producer) -> None:
            for topic, records in outputs.items():
                send(producer, self._outputs[topic], records, sequence=self._count)
            producer.send_offsets_to_transaction(offsets, self._consumer.consumer_group_metadata(), PATIENCE)

        try:
            self._transactions.run(fill)
        except GroupMoved as error:
            self._go_back()
            raise self._rebalanced(str(error.found)) from error
        except LogStorageError:
            self._go_back()
            raise

    def close(self) -> None:
        self._consumer.close()
        self._transactions.close()

    def _assigned(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        consumer.incremental_assign(self._starts(consumer, parts))
        self._held |= {(one.topic, one.partition) for one in parts}

    def _revoked(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        self._held -= {(one.topic, one.partition) for one in parts}
        consumer.incremental_unassign(parts)

    def _starts(self, consumer: Consumer, parts: list[TopicPartition]) -> list[TopicPartition]:
        """Where the group came to; from the oldest row where nothing was committed."""
        found = []
        for one in consumer.committed(parts, PATIENCE):
            if one.offset >= 0:
                self._compare(one)
            start = one.offset if one.offset >= 0 else OFFSET_BEGINNING
            found.append(TopicPartition(one.topic, one.partition, start))
        return found

    def _go_back(self) -> None:
        """Read again what was not committed."""
        parts = [TopicPartition(*part) for part in sorted(self._held)]
        if parts:
            with kafka_errors(self._name):
                for start in self._starts(self._consumer, parts):
                    self._consumer.seek(start)

    def _compare(self, committed: TopicPartition) -> None:
        found = self._inputs[committed.topic].topic.incarnation
        if committed.metadata != found:
            part, at = (committed.topic, committed.partition), Position(committed.offset, committed.metadata or "")
            self._wrong = reset(part, at, f"incarnation {at.incarnation}", f"incarnation {found}")

    def _check(self, topic: str, known: str) -> None:
        found = self._identify(topic)
        if found != known:
            part = (topic, 0)
            raise reset(part, Position(0, known), f"incarnation {known}", f"incarnation {found}")

    def _rebalanced(self, found: str) -> Rebalanced:
        return Rebalanced("Partitions went to another member", where=self._name, found=found, remedy="Poll again.")
