"""Temporal join: each row with the row of the other side of its key that is closest in event time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from penstock.spec.stream import Direction, Join
from penstock.stream.key_index import KeyIndex, has_null, row_keys
from penstock.stream.keyed import from_bytes, to_bytes
from penstock.stream.number import Flags
from penstock.stream.schema import OFFSET, PARTITION, SYSTEM, join_fields
from penstock.stream.stage import Frozen, Moment, Produced
from penstock.stream.state import about, pack, unpack
from penstock.stream.time_runs import Run, TimeRuns, Wanted, lower
from penstock.stream.watermark import BEGINNING
from penstock.stream.window import micros, timely
from penstock.stream.word_index import Ints, Rows

_MATCH = "match"  # what was told: 0 nothing yet, 1 that there is no match, id + 2 of the match
_NONE = np.zeros(0, dtype=np.int64)
_FEW = 1024
_THIS, _OTHER = "this", "other"


@dataclass(frozen=True)
class Asked:
    """Rows of this side by run and place."""

    run: Ints
    place: Rows

    @classmethod
    def of(cls, places: Sequence[Rows]) -> Asked:
        """Places of each run in turn."""
        runs = [np.full(len(mine), number, dtype=np.int64) for number, mine in enumerate(places)]
        return cls(np.concatenate([_NONE, *runs]), np.concatenate([_NONE, *places]))

    def of_each(self, runs: Sequence[Run], values: Callable[[Run], Ints]) -> Ints:
        """A value of each row."""
        found = np.zeros(len(self.run), dtype=np.int64)
        for number, run in enumerate(runs):
            mine = self.run == number
            found[mine] = values(run)[self.place[mine]]
        return found

    def only(self, rows: Flags | Rows) -> Asked:
        return Asked(self.run[rows], self.place[rows])


@dataclass(frozen=True)
class Found:
    """For each row the best of the other side: its run (-1: none), place, time and id; and how many are in reach."""

    run: Ints
    place: Rows
    time: Ints
    id: Ints
    reach: Ints

    @classmethod
    def nothing(cls, count: int) -> Found:
        nothing = np.full(count, -1, dtype=np.int64)
        return cls(nothing, nothing.copy(), nothing.copy(), nothing.copy(), np.zeros(count, dtype=np.int64))


class JoinStage:
    """Joins rows within a tolerance, which counts.

    A row is told of at once, with nulls while nothing matches it, again when a row that comes later matches better,
    and once more when it is final: when the watermark has passed every time that could match. `version` is one more
    than the number of rows in reach, and again one more when it is final, so it grows and depends on no batches. Of
    two that are as near the earlier counts, of two at one time the lower by `ties`, then by the columns taken. Null
    keys match nothing. A row of either side is late when nothing can become of it any more, or when it has no time.
    """

    def __init__(self, join: Join, rows: pa.Schema, other: pa.Schema, *, time: str, other_time: str) -> None:
        self.join = join
        self._schema = pa.schema([*SYSTEM, *rows, *join_fields(join, other)])
        self._rows, self._other = rows, other
        self._times = (time, other_time)
        self._tolerance = micros(join.tolerance)
        self._backward, self._forward = (
            join.direction in (one, Direction.NEAREST) for one in (Direction.BACKWARD, Direction.FORWARD)
        )
        self._reach = (-self._tolerance if self._backward else 0, self._tolerance if self._forward else 0)
        self._ties = tuple(dict.fromkeys([*join.ties, *(theirs for _, theirs in join.columns)]))
        self._on = (tuple(mine for mine, _ in join.on), tuple(theirs for _, theirs in join.on))
        self._begin()

    def _begin(self) -> None:
        kept = dict.fromkeys([*self._on[1], self._times[1], *self._ties])
        self._keys = KeyIndex()
        self._these = TimeRuns(pa.schema([*SYSTEM, *self._rows]), numbers=(_MATCH,))
        self._others = TimeRuns(pa.schema([self._other.field(name) for name in kept]), self._ties)
        self._log: tuple[list[pa.Table], list[pa.Table]] = ([], [])
        self._watermark = BEGINNING

    def process(self, inputs: tuple[pa.Table, ...], moment: Moment) -> Produced:
        limits, closed = self._limits(moment.before), self._limits(moment.after)
        here, late_here = _open(inputs[0], self._times[0], limits[0])
        there, late_there = _open(inputs[1], self._times[1], limits[1])
        changed = self._add_others(there, limits[0])
        changed += self._add_these(here)
        told = self._told(Asked.of(changed), limits[0], closed[0])
        self._these.forget(closed[0])
        self._others.forget(closed[1])
        self._these.merge()
        self._others.merge()
        self._forget_keys()
        self._watermark = moment.after
        late = pa.concat_tables([rows.select([PARTITION, OFFSET]) for rows in (late_here, late_there)])
        return Produced(told, late if late.num_rows else None)

    def _limits(self, watermark: int) -> tuple[int, int]:
        """The earliest time of this side that is not final, and of the other side that can still match one."""
        this = watermark - (self._tolerance if self._forward else 0)
        return this, this - (self._tolerance if self._backward else 0)

    def _add_others(self, rows: pa.Table, limit: int) -> list[Rows]:
        """Take rows of the other side; the places of open rows, run by run, that they may be the match of."""
        rows = rows.filter(pa.array(~has_null(rows, self._on[1])))
        rows, times, _ = timely(rows, self._times[1])
        self._log[1].append(rows.select(self._others.schema.names))
        keys = self._keys.slots(row_keys(rows, self._on[1]))
        self._others.add(keys, times, rows)
        order = np.argsort(keys, kind="stable")
        wanted = Wanted.of(keys[order], times[order])
        first = np.maximum(-self._tolerance if self._forward else 0, limit - wanted.time)
        next = np.maximum(1 + (self._tolerance if self._backward else 0), first)
        return [_within(run, *(run.at_or_after(wanted, shift) for shift in (first, next))) for run in self._these.runs]

    def _add_these(self, rows: pa.Table) -> list[Rows]:
        rows, times, _ = timely(rows, self._times[0])
        self._log[0].append(rows.select(self._these.schema.names))
        runs = len(self._these.runs)
        self._these.add(self._keys.slots(row_keys(rows, self._on[0])), times, rows)
        return [np.arange(len(run)) for run in self._these.runs[runs:]]

    def _forget_keys(self) -> None:
        """Forget keys without rows, once they are the most."""
        if len(self._keys) <= 2 * self.size() + _FEW:
            return
        keys = np.unique(np.concatenate([_NONE, *(run.key for side in self._sides for run in side.runs)]))
        held, self._keys = self._keys.keys().take(pa.array(keys)), KeyIndex()
        self._keys.slots(held)
        for side in self._sides:
            side.runs = [run.renamed(keys) for run in side.runs]

    def _told(self, changed: Asked, limit: int, closed: int) -> pa.Table:
        """Rows that are new or have another match, and rows that are final now, in the order in which they came."""
        runs = self._these.runs
        changed = changed.only(changed.of_each(runs, lambda run: run.time) >= closed)
        final = Asked.of([run.between(limit, closed) for run in runs])
        asked = Asked(np.concatenate([changed.run, final.run]), np.concatenate([changed.place, final.place]))
        if len(asked.run) == 0:
            return self._schema.empty_table()
        found = self._match(asked)
        finals = np.arange(len(asked.run)) >= len(changed.run)
        untold = asked.of_each(runs, lambda run: run.numbers[_MATCH])
        tell = finals | (untold != found.id + 2)
        for number, run in enumerate(runs):
            mine = asked.run == number
            run.numbers[_MATCH][asked.place[mine]] = found.id[mine] + 2
        rows = np.flatnonzero(tell)
        rows = rows[np.argsort(asked.of_each(runs, lambda run: run.id)[rows])]
        taken = self._others.take(found.run[rows], found.place[rows])
        columns = [*self._these.take(asked.run[rows], asked.place[rows]).columns]
        columns += [taken[theirs] for _, theirs in self.join.columns]
        version, final_rows = found.reach[rows] + 1 + finals[rows], pa.array(finals[rows])
        return pa.table([*columns, pa.array(version), final_rows], schema=self._schema)

    def _match(self, asked: Asked) -> Found:
        """The best match of each row, run by run of the other side, the latest first: most rows have theirs then, and
        of the other runs they need no more than the number of rows in reach."""
        keys, times = (asked.of_each(self._these.runs, one) for one in (lambda run: run.key, lambda run: run.time))
        order = np.argsort(keys, kind="stable")  # neighbours are searched for in turn
        keys, times = keys[order], times[order]
        first, last = (times + shift for shift in self._reach)
        best = Found.nothing(len(keys))
        for number, run in reversed(list(enumerate(self._others.runs))):
            earliest, latest = run.times[0], run.times[-1]
            near = (latest >= first) & (earliest <= last)
            whole = (earliest >= first) & (latest <= last)
            distance = np.maximum(np.maximum(times - latest, earliest - times), 0)
            better = near & ((best.run < 0) | (distance <= np.abs(best.time - times)))
            counted = np.flatnonzero(whole & ~better)
            best.reach[counted] += run.count(keys[counted])
            searched = np.flatnonzero(better | (near & ~whole))
            self._search(best, searched, number, Wanted.of(keys[searched], times[searched]))
        back = np.empty(len(order), dtype=np.intp)
        back[order] = np.arange(len(order))
        return Found(*(one[back] for one in (best.run, best.place, best.time, best.id, best.reach)))

    def _search(self, best: Found, rows: Rows, number: int, wanted: Wanted) -> None:
        """Look for better matches of `rows` in a run."""
        run = self._others.runs[number]
        first, last = self._reach
        begin, end = run.at_or_after(wanted, first), run.at_or_after(wanted, last + 1)
        best.reach[rows] += end - begin
        middle = end if not self._forward else begin if not self._backward else run.at_or_after(wanted, 1)
        if self._backward:
            mine = np.flatnonzero(middle > begin)
            self._challenge(best, wanted.time[mine], rows[mine], number, run.first_of(middle[mine] - 1))
        if self._forward:
            mine = np.flatnonzero(end > middle)
            self._challenge(best, wanted.time[mine], rows[mine], number, middle[mine])

    def _challenge(self, best: Found, times: Ints, rows: Rows, number: int, places: Rows) -> None:
        """Let rows of a run be the match of `rows` where they are better."""
        run = self._others.runs[number]
        theirs, held = run.time[places], best.time[rows]
        far, held_far = np.abs(theirs - times), np.abs(held - times)
        better = (best.run[rows] < 0) | (far < held_far) | ((far == held_far) & (theirs < held))
        equal = np.flatnonzero((best.run[rows] >= 0) & (theirs == held))
        if len(equal):
            mine = run.rows.take(pa.array(places[equal]))
            other = self._others.take(best.run[rows[equal]], best.place[rows[equal]])
            better[equal] = lower(mine, other, self._ties)
        rows, places = rows[better], places[better]
        best.run[rows], best.place[rows], best.time[rows], best.id[rows] = (
            number,
            places,
            run.time[places],
            run.id[places],
        )

    def delta(self) -> bytes:
        """The rows that came since the last delta or snapshot; what was told of them follows from them."""
        logged = [
            pa.concat_tables([runs.schema.empty_table(), *rows])
            for runs, rows in zip(self._sides, self._log, strict=True)
        ]
        return self._written(logged[0], logged[1])()

    def snapshot(self) -> Frozen:
        this, other = self._limits(self._watermark)
        return self._written(self._these.all_since(this), self._others.all_since(other))

    def _written(self, this: pa.Table, other: pa.Table) -> Frozen:
        self._log = ([], [])
        facts = {"watermark": self._watermark}
        return lambda: pack({_THIS: to_bytes(this), _OTHER: to_bytes(other)}, facts)

    def restore(self, snapshot: bytes | None, deltas: tuple[bytes, ...]) -> None:
        self._begin()
        written = [*([] if snapshot is None else [snapshot]), *deltas]
        if not written:
            return
        self._watermark = int(about(written[-1])["watermark"])
        this, other = self._limits(self._watermark)
        self._add_others(self._read(written, _OTHER, self._times[1], other), this)
        self._add_these(self._read(written, _THIS, self._times[0], this))
        everything = Asked.of([np.arange(len(run)) for run in self._these.runs])
        if len(everything.run):
            found = self._match(everything)
            for number, run in enumerate(self._these.runs):
                run.numbers[_MATCH][everything.place[everything.run == number]] = found.id[everything.run == number] + 2
        self._log = ([], [])

    def _read(self, written: Sequence[bytes], side: str, time: str, limit: int) -> pa.Table:
        rows = pa.concat_tables([from_bytes(unpack(part)[side]) for part in written])
        return _open(rows, time, limit)[0]

    @property
    def _sides(self) -> tuple[TimeRuns, TimeRuns]:
        return self._these, self._others

    def size(self) -> int:
        return len(self._these) + len(self._others)


def _open(rows: pa.Table, time: str, limit: int) -> tuple[pa.Table, pa.Table]:
    """The rows that are not before `limit`, and the others."""
    rows, times, late = timely(rows, time)
    behind = times < limit
    if behind.any():
        late = pa.concat_tables([late, rows.filter(pa.array(behind))])
        rows = rows.filter(pa.array(~behind))
    return rows, late


def _within(run: Run, first: Rows, next: Rows) -> Rows:
    """The places of a run that lie in one of the ranges."""
    lengths = next - first
    total = int(lengths.sum())
    if total > len(run):
        edges = np.bincount(first, minlength=len(run) + 1) - np.bincount(next, minlength=len(run) + 1)
        return np.flatnonzero(np.cumsum(edges)[:-1] > 0)
    places = np.repeat(first - (np.cumsum(lengths) - lengths), lengths) + np.arange(total)
    return np.unique(places)
