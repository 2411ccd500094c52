"""The embedded runner: reads a round of rows, takes them through the graph, and commits everything at once.

One commit of the job holds the rows it made, what changed in its state, the journal's entry and the positions of what
it read. A restart goes on from the last commit; nothing that was made is made again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.log.protocol import Job, Log, Part, Position, Prepared, Reader, is_read
from penstock.stream.chunks import by_topic, ranges_of, unreadable
from penstock.stream.commits import Commits, Made
from penstock.stream.graph import Graph
from penstock.stream.journal import Range, Round
from penstock.stream.outgoing import Outgoing
from penstock.stream.pipeline import Came, Outcome, Pipeline
from penstock.stream.reference import LookupStage, References
from penstock.stream.schema import PARTITION
from penstock.stream.stage import Frozen, Moment
from penstock.stream.state import about, check_same, fingerprints
from penstock.stream.watermark import BEGINNING, Progress, advanced, horizon
from penstock.world import Clock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


MICROS_PER_TICK = 50_000  # how far event time goes, while nothing comes, before windows are asked


@dataclass(frozen=True)
class Limits:
    """How many rows a round takes, and when the whole state is written: after so many rounds, or when what changed since
    outweighs it and `delta_bytes`, so that a restart reads the state at most twice. `rows_apart`: while so many wait,
    live tables are worth a process of their own. `rows_aside`: the commit of a round of so many may be made aside."""

    rows: int = 200_000
    rounds_per_snapshot: int = 500
    delta_bytes: int = 8 << 20
    rows_apart: int = 1_000_000
    rows_aside: int = 50_000


@dataclass
class Runner:
    """A topology at work: `resume`, then `turn` as often as wanted."""

    graph: Graph
    pipeline: Pipeline
    log: Log
    job: Job
    clock: Clock
    tenant: str
    limits: Limits = field(default_factory=Limits)
    references: References | None = None
    beside: Executor | None = None  # where the whole state is written; None: within the round
    aside: Executor | None = None  # where a large round is committed while the next is worked on; None: within its turn
    last: Round | None = None  # that was committed
    arrived: tuple[tuple[datetime, int], ...] = ()  # of what the last turn returned: when the log took rows, how many
    _since_snapshot: int = 0  # deltas
    _delta_bytes: int = 0
    _snapshot_bytes: int = 0

    def __post_init__(self) -> None:
        self._outgoing = Outgoing(self.graph, tenant=self.tenant)
        self._made_by = fingerprints(self.graph)
        self._progress = Progress()
        self._positions: dict[Part, Position] = {}
        self._reader: Reader | None = None
        self._lookups = {name: one for name, one in self.pipeline.stages.items() if isinstance(one, LookupStage)}
        self._looked: float | None = None  # when the version of the tables was asked for, by the stopwatch
        self._version: int | None = None
        self._prepared: Future[tuple[Prepared, int]] | None = None  # and its size
        self._newest: Round | None = None  # that was made
        self._commits = Commits(self.aside, rows=self.limits.rows_aside)
        self._adopted = False  # whether steps began anew: the next commit says so, and what they remembered is gone
        self._more = True  # whether a round may make rows though none come: at first nobody knows

    def resume(self, *, adopt: bool = False) -> None:
        """Go to where the last commit left everything.

        StateMismatch when the topology is not the one that the state was made by; with `adopt`, steps that did not
        change keep their state and the others begin anew: the first turn commits that.
        """
        state = self.job.restore()
        snapshot, deltas = state.snapshot, tuple(state.deltas)
        self._snapshot_bytes, self._delta_bytes = len(snapshot or b""), sum(map(len, deltas))
        self._since_snapshot = len(deltas)
        latest = deltas[-1] if deltas else snapshot
        if latest is not None:
            before = _made_by(latest)
            kept = check_same(self.graph, before, adopt=adopt)
            self._adopted = not (self._made_by.keys() == before.keys() == set(kept))
            self.pipeline.restore(snapshot, deltas, only=kept)
            self.last = self._newest = Round.of_record(about(latest)["round"])
            self._progress = self.last.progress
        now = self.now()
        self._positions = dict(self.job.positions())
        self._progress = self._progress.looked_at(self._positions, now)
        self._reader = self.log.reader(self._positions, bare=True)

    def turn(self, *, timeout: float = 0.0) -> Round | None:
        """Take what is there, at most a round, and commit it; None when there was nothing to do, or when the commit is
        made aside: a later turn returns the round, or raises why there is none."""
        if self._reader is None:
            raise AssertionError("resume first")
        chunks = self._reader.poll(self.limits.rows, timeout)
        arrived = tuple((chunk.appended_at, chunk.records.num_rows) for chunk in chunks)
        if chunks or self._version is None:  # what closes without new rows may be looked up as well
            self._refresh()
        now = self.now()
        came = self.pipeline.take(by_topic(chunks), unreadable(chunks))
        ranges = tuple(ranges_of(chunks, self._positions))
        positions = self._after(ranges)
        progress = advanced(
            self._progress, self.graph.topology.time, self._events(came, now), now, behind=self._behind(positions)
        )
        ticks = progress.watermark >= self._progress.watermark + MICROS_PER_TICK
        if not chunks and not ticks and not self._more:
            return self._told(self._commits.finished())
        outcome = self.pipeline.process(came, Moment(now, self._progress.watermark, progress.watermark))
        self._more = outcome.more
        if not (chunks or outcome.made or self._adopted):
            self._progress = progress  # nothing came of it: the next commit tells of it
            return self._told(self._commits.finished())
        return self._commit(ranges, outcome, positions, progress, now, arrived)

    def _commit(
        self,
        ranges: tuple[Range, ...],
        outcome: Outcome,
        positions: dict[Part, Position],
        progress: Progress,
        now: int,
        arrived: tuple[tuple[datetime, int], ...],
    ) -> Round | None:
        made = Round(
            number=0 if self._newest is None else self._newest.number + 1,
            now=now,
            ranges=ranges,
            before=self._progress.watermark,
            progress=progress,
            topology=self.graph.topology.fingerprint,
            tables={name: stage.version or 0 for name, stage in self._lookups.items()},
            counts={**{name: value for name, value in vars(outcome.counts).items() if value}, "late": outcome.late},
        )
        facts = {"round": made.as_record(), "made_by": self._made_by}
        within = self._adopted or (self.beside is None and self._is_whole_due())
        delta = None if within else self.pipeline.delta(facts)
        snapshot, size = _prepared(self.job, self.pipeline.snapshot(facts)) if within else self._written_beside()
        if snapshot is not None:
            self._snapshot_bytes = size
        commit = partial(
            self.job.commit,
            outputs=self._outgoing.records(outcome.outputs),
            state_delta=delta,
            snapshot=snapshot,
            journal=made.as_bytes(),
            positions=positions,
            kept=0 if snapshot is None or within else self._since_snapshot,
        )
        done = self._commits.begin(commit, Made(made, arrived))
        if delta is None:
            self._since_snapshot, self._delta_bytes = 0, 0
        else:
            self._since_snapshot, self._delta_bytes = self._since_snapshot + 1, self._delta_bytes + len(delta)
        self._positions, self._progress, self._newest, self._adopted = positions, progress, made, False
        if self.beside is not None and self._prepared is None and self._is_whole_due():
            self._write_beside(self.beside, facts)
        return self._told(done)

    def _told(self, made: Made | None) -> Round | None:
        """What was committed, as the turn returns it."""
        self.arrived = () if made is None else made.arrived
        if made is None:
            return None
        self.last = made.round
        return made.round

    @property
    def is_committing(self) -> bool:
        """Whether a round was made that no turn has returned yet."""
        return self._commits.is_under_way

    def _is_whole_due(self) -> bool:
        too_much = max(self._snapshot_bytes, self.limits.delta_bytes)
        return self._since_snapshot + 1 >= self.limits.rounds_per_snapshot or self._delta_bytes > too_much

    def _write_beside(self, beside: Executor, facts: Mapping[str, object]) -> None:
        """The state as it is after this commit; the deltas of those that come meanwhile are kept with it."""
        self._prepared = beside.submit(_prepared, self.job, self.pipeline.snapshot(facts))
        self._since_snapshot, self._delta_bytes = 0, 0

    def _written_beside(self) -> tuple[Prepared | None, int]:
        """The state that was written beside the rounds, once it is there."""
        if self._prepared is None or not self._prepared.done():
            return None, 0
        done, self._prepared = self._prepared, None
        return done.result()

    def lag(self) -> int:
        """How many rows are there that were not taken yet."""
        return sum(rows for _, rows in self._unread(self._positions))

    def is_through(self) -> bool:
        """Whether all that was written to its topics is taken and committed, also what was durable before it could be
        read."""
        return not self.is_committing and is_read(self.log, self._positions)

    def close(self) -> None:
        if self._prepared is not None:  # it uses the job
            wait([self._prepared])
        self._commits.close()
        if self._reader is not None:
            self._reader.close()

    def _refresh(self) -> None:
        """Look tables up at the newest version from now on; asked at most once a second."""
        if self.references is None or not self._lookups:
            return
        at = self.clock.monotonic()
        if self._looked is not None and at - self._looked < 1:
            return
        self._looked, newest = at, self.references.newest()
        if newest == self._version:
            return
        for stage in self._lookups.values():
            stage.refresh(self.references.fetch(stage.lookup.table, stage.columns))
        self._version = newest

    def _after(self, ranges: Sequence[Range]) -> dict[Part, Position]:
        moved = dict(self._positions)
        for one in ranges:
            part = (one.topic, one.partition)
            moved[part] = Position(one.next, moved[part].incarnation)
        return moved

    def _behind(self, positions: Mapping[Part, Position]) -> frozenset[Part]:
        """Partitions with rows that are not read yet, be it that they cannot be: such a partition is not idle."""
        return frozenset(part for part, rows in self._unread(positions) if rows > 0)

    def _unread(self, positions: Mapping[Part, Position]) -> Iterator[tuple[Part, int]]:
        for topic in self.graph.topology.inputs():
            for partition, next in self.log.ends(topic).items():
                yield (topic, partition), next - positions[topic, partition].offset

    def _events(self, came: Came, now: int) -> dict[Part, int]:
        """The latest event of each partition that is not dated into the future."""
        found: dict[Part, int] = {}
        limit = horizon(self.graph.topology.time, now)
        for node, intake in self.graph.intakes:
            rows = came.rows[node.name]
            if node.time is None or rows.num_rows == 0:
                continue
            times, parts = pc.cast(rows[node.time], pa.int64()).to_numpy(), rows[PARTITION].to_numpy()
            begins = np.flatnonzero(np.diff(parts, prepend=-1))  # rows of a partition stand together
            latest = np.maximum.reduceat(np.where(times <= limit, times, BEGINNING), begins)
            for number, at in zip(parts[begins].tolist(), latest.tolist(), strict=True):
                part = (intake.topic, number)
                if at > BEGINNING:
                    found[part] = max(int(at), found.get(part, BEGINNING))
        return found

    def now(self) -> int:
        """Microseconds since 1970."""
        return (self.clock.now() - _EPOCH) // timedelta(microseconds=1)


def _prepared(job: Job, state: Frozen) -> tuple[Prepared, int]:
    data = state()
    return job.prepare(data), len(data)


def _made_by(state: bytes) -> Mapping[str, str]:
    made_by: Mapping[str, str] = about(state)["made_by"]
    return made_by
