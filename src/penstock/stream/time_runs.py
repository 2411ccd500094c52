"""Rows by key and time in sorted runs: a range of time of a key is two binary searches in each run, never a scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.stream.number import one_array
from penstock.stream.word_index import Ints, Rows

_LARGEST = 1 << 20  # rows of a run that is merged no further
_RATIO = 4  # a run is merged with the one before it unless that is so much larger


@dataclass(frozen=True)
class Run:
    """Rows in order of (key, time, ties). `id` names a row in the order in which the rows came; `numbers` change.

    A place of time is how many rows of the run are earlier; key and place of time together are one word, which is
    what is searched, so that no time is too far away to fit.
    """

    key: Ints
    time: Ints
    id: Ints
    rows: pa.Table
    numbers: dict[str, Ints]
    by_time: Rows
    times: Ints  # ascending
    words: Ints
    tied: bool  # whether two rows have the same key and time

    @classmethod
    def of(
        cls, key: Ints, time: Ints, id: Ints, rows: pa.Table, *, ties: Sequence[str], numbers: dict[str, Ints]
    ) -> Run:
        order = _order(key, time, rows, ties)
        key, time = key[order], time[order]
        by_time = np.argsort(time, kind="stable")
        times = time[by_time]
        rows = rows.take(pa.array(order)).combine_chunks()
        moved = {name: one[order] for name, one in numbers.items()}
        words = _words(key, np.searchsorted(times, time), times)
        tied = bool((words[1:] == words[:-1]).any())
        return cls(key, time, id[order], rows, moved, by_time, times, words, tied)

    def __len__(self) -> int:
        return len(self.key)

    def at_or_after(self, keys: Ints, times: Ints) -> Rows:
        """For each key the first place whose time is not before the given one."""
        return np.searchsorted(self.words, _words(keys, np.searchsorted(self.times, times), self.times))

    def first_of(self, places: Rows) -> Rows:
        """The first place with the key and time of each place."""
        return np.searchsorted(self.words, self.words[places]) if self.tied else places

    def between(self, first: int, next: int) -> Rows:
        """The places of all rows with a time in [first, next)."""
        begin, end = np.searchsorted(self.times, [first, next])
        return self.by_time[begin:end]

    def since(self, limit: int, ties: Sequence[str]) -> Run | None:
        """The run without rows before `limit`; itself while most of it is later."""
        begin = int(np.searchsorted(self.times, limit))
        if begin == len(self):
            return None
        if 2 * begin < len(self):
            return self
        return self.taken(np.sort(self.by_time[begin:]), ties)

    def taken(self, places: Rows, ties: Sequence[str]) -> Run:
        numbers = {name: one[places] for name, one in self.numbers.items()}
        rows = self.rows.take(pa.array(places))
        return Run.of(self.key[places], self.time[places], self.id[places], rows, ties=ties, numbers=numbers)


class TimeRuns:
    """Runs of growing size, the smallest last. `ties` order rows of one key and time."""

    def __init__(self, schema: pa.Schema, ties: Sequence[str] = (), numbers: Sequence[str] = ()) -> None:
        self.runs: list[Run] = []
        self.schema, self._ties, self._numbers = schema, ties, numbers
        self._next_id = 0

    def __len__(self) -> int:
        return sum(len(run) for run in self.runs)

    def add(self, keys: Ints, times: Ints, rows: pa.Table) -> Ints:
        """Add rows in the order in which they came; their ids."""
        ids = self._next_id + np.arange(len(keys))
        self._next_id += len(keys)
        if len(keys):
            numbers = {name: np.zeros(len(keys), dtype=np.int64) for name in self._numbers}
            self.runs.append(Run.of(keys, times, ids, rows.select(self.schema.names), ties=self._ties, numbers=numbers))
        return ids

    def merge(self) -> None:
        """Keep the number of runs small; places in runs change."""
        while len(self.runs) > 1 and len(self.runs[-2]) < min(_RATIO * len(self.runs[-1]), _LARGEST):
            last, before = self.runs.pop(), self.runs.pop()
            self.runs.append(self._merged(before, last))

    def forget(self, limit: int) -> None:
        """Rows before `limit` are not asked for any more."""
        kept = (run.since(limit, self._ties) if run.times[0] < limit else run for run in self.runs)
        self.runs = [run for run in kept if run is not None]

    def all_since(self, limit: int) -> pa.Table:
        """The rows that are not before `limit`, in the order in which they came."""
        places = [np.flatnonzero(run.time >= limit) for run in self.runs]
        tables = [run.rows.take(pa.array(mine)) for run, mine in zip(self.runs, places, strict=True)]
        ids = np.concatenate(
            [np.zeros(0, dtype=np.int64)] + [r.id[mine] for r, mine in zip(self.runs, places, strict=True)]
        )
        whole = pa.concat_tables([self.schema.empty_table(), *tables])
        return whole.take(pa.array(np.argsort(ids)))

    def take(self, run: Ints, place: Rows) -> pa.Table:
        """The rows at these places of runs; a row of nulls where the run is -1."""
        parts, source = [pa.Table.from_pylist([{}], self.schema)], np.zeros(len(run), dtype=np.int64)
        filled = 1
        for number, one in enumerate(self.runs):
            mine = np.flatnonzero(run == number)
            parts.append(one.rows.take(pa.array(place[mine])))
            source[mine] = filled + np.arange(len(mine))
            filled += len(mine)
        return pa.concat_tables(parts).combine_chunks().take(pa.array(source))

    def _merged(self, first: Run, second: Run) -> Run:
        pairs = ((first.key, second.key), (first.time, second.time), (first.id, second.id))
        keys, times, ids = (np.concatenate(pair) for pair in pairs)
        numbers = {name: np.concatenate([first.numbers[name], second.numbers[name]]) for name in first.numbers}
        rows = pa.concat_tables([first.rows, second.rows])
        return Run.of(keys, times, ids, rows, ties=self._ties, numbers=numbers)


def lower(first: pa.Table, second: pa.Table, ties: Sequence[str]) -> np.ndarray:
    """Where the first row is lower than the second by the columns in turn; null is higher than any value."""
    less, same = np.zeros(first.num_rows, dtype=bool), np.ones(first.num_rows, dtype=bool)
    for name in ties:
        a, b = one_array(first[name]), one_array(second[name])
        a_null, b_null = np.asarray(a.is_null()), np.asarray(b.is_null())
        below = np.asarray(pc.fill_null(pc.less(a, b), False)) | (~a_null & b_null)
        less |= same & below
        same &= np.asarray(pc.fill_null(pc.equal(a, b), False)) | (a_null & b_null)
    return less


def _order(key: Ints, time: Ints, rows: pa.Table, ties: Sequence[str]) -> Rows:
    """By key and time; by the ties only where there are some."""
    order = np.lexsort([time, key])
    keys, times = key[order], time[order]
    same = np.zeros(len(order) + 1, dtype=bool)
    same[1:-1] = (keys[1:] == keys[:-1]) & (times[1:] == times[:-1])
    tied = np.flatnonzero(same[1:] | same[:-1])
    if len(tied) and ties:
        mine = order[tied]
        few = rows.select(list(ties)).take(pa.array(mine))
        ranks = [np.asarray(pc.rank(few[name], tiebreaker="dense")) for name in reversed(ties)]
        order[tied] = mine[np.lexsort([*ranks, times[tied], keys[tied]])]
    return order


def _words(keys: Ints, places: Ints, times: Ints) -> Ints:
    return (keys << len(times).bit_length()) | places
