"""Appends the live shop's events to the topics of an event log, each once, however often it is stopped.

The number of a batch is the sequence of its append in every topic. A stopped simulator finds in the log how far it
came, makes what was told and not appended again, and goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

import pyarrow as pa

from penstock.log.protocol import Log, LogStorageError, Producer, TopicSpec
from penstock.runtime.topology import declared_topic
from penstock.spec.project import Project
from penstock.spec.stream import Topic
from penstock.stream.outgoing import records
from penstock.world import Clock
from simulator.live.happening import World
from simulator.live.journal import Journal, LostTruth
from simulator.live.rows import TOPICS, Rows, rows_of

NAME = "simulator"
FLAT_OUT = 50_000  # events of a batch, and events a second of event time, when nothing is waited for
_FLAT_PACE = 1_000
_RETRY = 1.0  # seconds until a log that refuses is asked again
_UPKEEP = 60.0
_LOOK = 0.1


@dataclass
class Outlet:
    """A declared topic with the simulator's producer of it."""

    topic: Topic
    spec: TopicSpec
    producer: Producer
    tenant: str
    last: int

    def append(self, rows: pa.Table, batch: int) -> None:
        if batch <= self.last:
            return
        self.producer.append(self._records(rows), sequence=batch)
        self.last = batch

    def _records(self, rows: pa.Table) -> pa.RecordBatch:
        """Also of no rows: every batch is a sequence of every topic."""
        if rows.num_rows == 0:
            return pa.RecordBatch.from_pylist([], self.spec.record_schema)
        typed = rows.select(self.spec.schema.names).cast(self.spec.schema)
        return records(typed, tenant=self.tenant, key=self.topic.key, time=self.topic.time)


@dataclass
class Feed:
    """What is appended where; `stopped` is asked between batches."""

    log: Log
    outlets: dict[str, Outlet]
    world: World
    journal: Journal
    clock: Clock
    stopped: Callable[[], bool]
    events: int = 0
    kept: float = 0.0

    def paced(self, rate: int, *, most: int | None, seconds: float) -> None:
        """`rate` events a second, `most` in all, in batches of so many `seconds`. The schedule waits for nobody: what
        could not be appended in time follows as fast as it can, dated when it was due."""
        self._begin(pace=rate, size=max(1, round(rate * seconds)), at=self._now())
        while self._goes_on(most):
            batch = self.journal.last + 1
            self._wait(self.journal.schedule.due(batch))
            if self.stopped():
                return
            self._append(batch)

    def flat_out(self, most: int) -> None:
        """`most` events as fast as they can be made, dated as if the last of a thousand a second were now."""
        self._begin(pace=_FLAT_PACE, size=min(FLAT_OUT, most), at=self._now() - most * 1_000_000 // _FLAT_PACE)
        while self._goes_on(most):
            self._append(self.journal.last + 1)

    def _begin(self, *, pace: int, size: int, at: int) -> None:
        """Finish what was begun by an earlier simulator, then start anew behind it."""
        came = max(outlet.last for outlet in self.outlets.values())
        newest = max(came, self.journal.last)
        if newest >= 0 and not self.journal.schedule.starts:
            raise LostTruth("the topics hold rows of a live shop whose truth file is gone: name that file")
        for batch in range(min(outlet.last for outlet in self.outlets.values()) + 1, newest + 1):
            self._append(batch)
        self.journal.begin(newest, at=at, pace=pace, size=size)
        self.events = 0

    def _goes_on(self, most: int | None) -> bool:
        return not self.stopped() and (most is None or self.events < most)

    def _append(self, batch: int) -> None:
        first, after = self.journal.schedule.events_of(batch)
        rows = rows_of(self.world, self.journal.schedule, first, after)
        self.journal.tell(batch, rows)
        for name in TOPICS:
            self._insist(name, rows, batch)
        self.events += after - first
        self._keep_up()

    def _insist(self, topic: str, rows: Rows, batch: int) -> None:
        """Append, and while the log has no room try again."""
        while True:
            try:
                return self.outlets[topic].append(rows.topics[topic], batch)
            except LogStorageError:
                if self.stopped():
                    raise
                self.clock.sleep(_RETRY)

    def _keep_up(self) -> None:
        """Let the log drop what is beyond its retention."""
        if self.clock.monotonic() - self.kept >= _UPKEEP:
            self.kept = self.clock.monotonic()
            self.log.upkeep()

    def _wait(self, due: int) -> None:
        while not self.stopped() and (left := (due - self._now()) / 1_000_000) > 0:
            self.clock.sleep(min(left, _LOOK))

    def _now(self) -> int:
        return int(self.clock.now().timestamp() * 1_000_000)


@contextmanager
def feed(
    project: Project, log: Log, world: World, journal: Journal, clock: Clock, stopped: Callable[[], bool]
) -> Iterator[Feed]:
    """The feed of all topics of the live shop, which are made when they are not there."""
    with ExitStack() as opened:
        outlets = {}
        for name in TOPICS:
            spec = declared_topic(project, name)
            log.ensure(spec)
            producer = opened.enter_context(closing(log.producer(NAME, name)))
            topic = project.streams.topics[name]
            outlets[name] = Outlet(topic, spec, producer, project.tenant, producer.last_sequence)
        yield Feed(log, outlets, world, journal, clock, stopped, kept=clock.monotonic())
