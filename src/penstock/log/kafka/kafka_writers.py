"""Producers and jobs on Kafka: each is a transactional id, so that a newer one of its name fences it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
from confluent_kafka import Producer

from penstock.errors import PenstockError
from penstock.log.kafka.changelog import Changelog, Entry
from penstock.log.kafka.client import KafkaSettings, Transactions
from penstock.log.kafka.committed import Commit, Committed
from penstock.log.kafka.messages import Form, Sent, send
from penstock.log.kafka.table import Table
from penstock.log.partitioning import partition_of
from penstock.log.protocol import Appended, LogError, Part, Position, Prepared, Restored
from penstock.world import Clock

PROGRESS = "penstock.producers"
PROGRESS_PARTITIONS = 8


class KafkaProducer:
    """See `protocol.Producer`. Rows and how far the producer came are written in one transaction."""

    def __init__(self, settings: KafkaSettings, name: str, form: Form) -> None:
        self._form, spec = form, form.topic.spec
        self._key = f"{spec.name}/{name}".encode()
        self._part = partition_of(self._key, PROGRESS_PARTITIONS)
        self._transactions = Transactions(settings, f"penstock.producer.{spec.name}.{name}")
        table = Table(settings, PROGRESS, (self._part,))
        try:
            known = json.loads(table.refresh().get(self._key, b'{"sequence": -1, "ranges": {}}'))
        finally:
            table.close()
        self._sequence: int = known["sequence"]
        self._ranges = {int(part): (first, next) for part, (first, next) in known["ranges"].items()}

    @property
    def last_sequence(self) -> int:
        return self._sequence

    def append(self, records: pa.RecordBatch, *, sequence: int, partition: int | None = None) -> Appended:
        if sequence <= self._sequence:
            return Appended(self._ranges if sequence == self._sequence else {}, duplicate=True)
        if sequence > self._sequence + 1:
            expected, found = f"sequence {self._sequence + 1}", f"sequence {sequence}"
            where, remedy = self._key.decode(), "Go on from last_sequence."
            raise LogError("An append is missing", where=where, expected=expected, found=found, remedy=remedy)
        sent = Sent.nothing()

        def fill(producer: Producer) -> None:
            nonlocal sent
            sent = send(producer, self._form, records, sequence=sequence, partition=partition)
            producer.flush()
            progress = json.dumps({"sequence": sequence, "ranges": sent.ranges}).encode()
            producer.produce(PROGRESS, progress, self._key, self._part)

        self._transactions.run(fill)
        self._sequence, self._ranges = sequence, sent.ranges
        return Appended(sent.ranges)

    def close(self) -> None:
        self._transactions.close()


@dataclass
class KafkaJob:
    """See `protocol.Job`. State, journal and positions are in a topic of the job, in the transaction of its rows."""

    _transactions: Transactions
    _changelog: Changelog
    _journal: Callable[[], Iterator[bytes]]
    _outputs: Mapping[str, Form]
    _starts: Mapping[Part, Position]
    _committed: Mapping[str, Committed]  # by topic of one partition, for readers of this process
    _clock: Clock
    _checked: PenstockError | None = None
    _count: int = 0

    def positions(self) -> Mapping[Part, Position]:
        if self._checked is not None:
            raise self._checked
        known = self._changelog.positions
        return {part: known.get(part, start) for part, start in self._starts.items()}

    def restore(self) -> Restored:
        return Restored(self._changelog.snapshot, tuple(self._changelog.deltas))

    def journal(self) -> Iterator[bytes]:
        return self._journal()

    def commit(
        self,
        *,
        outputs: Mapping[str, pa.RecordBatch],
        state_delta: bytes | None,
        snapshot: bytes | Prepared | None,
        journal: bytes | None,
        positions: Mapping[Part, Position],
        kept: int = 0,
    ) -> None:
        for topic in outputs:
            if topic not in self._outputs:
                raise LogError("The job does not own this topic", where=topic, expected=", ".join(self._outputs))
        self._count += 1
        whole: bytes | None = snapshot.content if isinstance(snapshot, Prepared) else snapshot
        again = self._changelog.last_deltas(kept) if whole is not None else ()
        entry = Entry(self._changelog.merged(positions), whole, state_delta, journal, again)

        sent: dict[str, Sent] = {}

        def fill(producer: Producer) -> None:
            for topic, records in outputs.items():
                sent[topic] = send(producer, self._outputs[topic], records, sequence=self._count)
            self._changelog.write(producer, entry)

        try:
            self._transactions.run(fill)
        except BaseException:
            self._forget()
            raise
        self._changelog.apply(entry)
        for topic in outputs.keys() & self._committed.keys():
            self._note(topic, outputs[topic], sent[topic])

    def _note(self, topic: str, records: pa.RecordBatch, sent: Sent) -> None:
        """For those who read it here. What did not go in one piece, they have to read from the brokers."""
        if records.num_rows == 0:
            return
        first, next = sent.ranges.get(0, (0, 0))
        if next - first == records.num_rows:
            payload = records.select(self._outputs[topic].topic.spec.schema.names)
            self._committed[topic].note(Commit(first, payload, self._clock.now()))
        else:
            self._committed[topic].clear()

    def _forget(self) -> None:
        for one in self._committed.values():
            one.clear()

    def prepare(self, snapshot: bytes) -> Prepared:
        """It goes with the commit that names it: a transaction is all that Kafka keeps together."""
        return Prepared(snapshot)

    def close(self) -> None:
        self._forget()
        self._transactions.close()
