"""The embedded log against plain lists: whatever is done to both, in whatever order, they tell the same."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from penstock.errors import Fenced
from penstock.log.embedded import EmbeddedLog, EmbeddedProducer
from penstock.log.protocol import Part, Position, TopicSpec, beginning
from penstock.log.volume import Limits
from penstock.testing.log_rows import PAYLOAD, numbered, read
from penstock.testing.world import manual_world

PARTITIONS = 2
OUT = TopicSpec("out", 1, PAYLOAD)


class LogMachine(RuleBasedStateMachine):
    """`held` is the oracle: rows of each partition as a list, state as a list of deltas."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.opened = 0
        self.log = self._open()
        self.log.ensure(TopicSpec("in", PARTITIONS, PAYLOAD))
        self.held: dict[int, list[int]] = {part: [] for part in range(PARTITIONS)}
        self.out: list[int] = []
        self.sequence = -1
        self.made = 0
        self.snapshot: bytes | None = None
        self.deltas: list[bytes] = []
        self.journal: list[bytes] = []
        self.done: dict[Part, int] = {("in", part): 0 for part in range(PARTITIONS)}

    def _open(self) -> EmbeddedLog:
        self.opened += 1
        world = manual_world(seed=str(self.opened))
        return EmbeddedLog.open(Path(self._folder.name), world, limits=Limits(segment_bytes=4000))

    @initialize()
    def begin(self) -> None:
        self.take_over()

    def take_over(self) -> None:
        self.producer: EmbeddedProducer = self.log.producer("writer", "in")
        self.job = self.log.job("copy", ["in"], [OUT])

    @rule(part=st.integers(0, PARTITIONS - 1), count=st.integers(0, 30))
    def append(self, part: int, count: int) -> None:
        rows = numbered(self.made, self.made + count)
        appended = self.producer.append(rows, sequence=self.sequence + 1, partition=part)
        first = len(self.held[part])
        assert appended.ranges == ({part: (first, first + count)} if count else {})
        self.held[part] += range(self.made, self.made + count)
        self.made += count
        self.sequence += 1

    @rule(back=st.integers(0, 3))
    def append_again(self, back: int) -> None:
        if self.sequence - back >= 0:
            assert self.producer.append(numbered(0, 5), sequence=self.sequence - back, partition=0).duplicate

    @rule()
    def newer_producer(self) -> None:
        older, self.producer = self.producer, self.log.producer("writer", "in")
        assert self.producer.last_sequence == self.sequence
        self._fenced(lambda: older.append(numbered(0, 5), sequence=self.sequence + 1))

    @rule()
    def newer_job(self) -> None:
        older, self.job = self.job, self.log.job("copy", ["in"], [OUT])
        self._fenced(
            lambda: older.commit(
                outputs={"out": numbered(0, 5)}, state_delta=b"x", snapshot=None, journal=None, positions={}
            )
        )

    @rule()
    def reopen(self) -> None:
        self.log.close()
        self.log = self._open()
        self.take_over()

    @rule(most=st.integers(1, 40), whole=st.booleans(), since=st.integers(0, 3))
    def work(self, most: int, whole: bool, since: int) -> None:
        """The job copies what it has not read yet."""
        positions = dict(self.job.positions())
        outputs = {}
        for chunk in self.log.reader(positions).poll(most, 0.0)[:1]:
            outputs["out"] = chunk.records.drop_columns(["_offset"])
            positions[chunk.topic, chunk.partition] = Position(chunk.next, positions["in", 0].incarnation)
            at = self.done["in", chunk.partition]
            self.out += self.held[chunk.partition][at : chunk.next]
            self.done["in", chunk.partition] = chunk.next
        entry, kept = str(len(self.journal)).encode(), min(since, len(self.deltas)) if whole else 0
        self.job.commit(
            outputs=outputs,
            state_delta=entry,
            snapshot=b"state " + entry if whole else None,
            journal=entry,
            positions=positions,
            kept=kept,
        )
        if whole:
            self.snapshot, self.deltas = b"state " + entry, self.deltas[len(self.deltas) - kept :]
        self.deltas.append(entry)
        self.journal.append(entry)

    @rule(part=st.integers(0, PARTITIONS - 1), most=st.integers(1, 50), data=st.data())
    def read_on(self, part: int, most: int, data: st.DataObject) -> None:
        offset = data.draw(st.integers(0, len(self.held[part])))
        position = Position(offset, self.log.topics()["in"].incarnation)
        chunks = read(self.log, {("in", part): position}, most=most)
        assert [one for chunk in chunks for one in chunk.records.column("id").to_pylist()] == self.held[part][offset:]

    @invariant()
    def everything_is_told(self) -> None:
        if not hasattr(self, "job"):
            return
        assert self.log.bounds("in") == {part: (0, len(rows)) for part, rows in self.held.items()}
        chunks = read(self.log, beginning(self.log, "out"))
        assert [one for chunk in chunks for one in chunk.records.column("id").to_pylist()] == self.out
        assert {part: at.offset for part, at in self.job.positions().items()} == self.done
        restored = self.job.restore()
        assert (restored.snapshot, list(restored.deltas)) == (self.snapshot, self.deltas)
        assert list(self.job.journal()) == self.journal

    def _fenced(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Fenced:
            return
        raise AssertionError("a fenced writer wrote")

    def teardown(self) -> None:
        self.log.close()
        self._folder.cleanup()


TestLogAgainstLists = LogMachine.TestCase
TestLogAgainstLists.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
