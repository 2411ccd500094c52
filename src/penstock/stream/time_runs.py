"""Rows by key and time in sorted runs: a range of time of a key is two binary searches in each run, never a scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.stream.number import one_array
from penstock.stream.word_index import Ints, Rows

_LARGEST = 1 << 20  # rows of a run that is merged no further
_RATIO = 4  # a run is merged with the one before it unless that is so much larger


@dataclass(frozen=True)
class Wanted:
    """Keys, best in ascending order, and times to look for; `by_time` puts them by time. Who looks for neighbours in
    turn finds them in the cache."""

    key: Ints
    time: Ints
    by_time: Rows

    @classmethod
    def of(cls, key: Ints, time: Ints) -> Wanted:
        return cls(key, time, np.argsort(time, kind="stable"))


@dataclass(frozen=True)
class Unsorted:
    """Rows to make a run of. `by_time` puts them in some order in which their times are nearly sorted."""

    key: Ints
    time: Ints
    id: Ints
    rows: pa.Table
    numbers: dict[str, Ints]
    by_time: Rows


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
    def of(cls, rows: Unsorted, ties: Sequence[str]) -> Run:
        """Stable sorts, which are quick where a good part is in order already, as where two runs are merged."""
        by_time = rows.by_time[np.argsort(rows.time[rows.by_time], kind="stable")]
        times = rows.time[by_time]
        places = np.empty(len(times), dtype=np.int64)
        places[by_time] = _firsts(times)
        words = _words(rows.key, places, times)
        order = np.argsort(words, kind="stable")
        words = words[order]
        same = words[1:] == words[:-1]
        tied = bool(same.any())
        if tied:
            _order_ties(order, words, same, rows.rows, ties)
        back = np.empty(len(order), dtype=np.intp)
        back[order] = np.arange(len(order))
        return cls(
            key=rows.key[order],
            time=rows.time[order],
            id=rows.id[order],
            rows=rows.rows.take(pa.array(order)).combine_chunks(),
            numbers={name: one[order] for name, one in rows.numbers.items()},
            by_time=back[by_time],
            times=times,
            words=words,
            tied=tied,
        )

    def __len__(self) -> int:
        return len(self.key)

    def at_or_after(self, wanted: Wanted, shift: int | Ints = 0) -> Rows:
        """For each wanted row the first place of its key whose time is not before its time and `shift`."""
        places = np.empty(len(wanted.key), dtype=np.int64)
        places[wanted.by_time] = np.searchsorted(self.times, (wanted.time + shift)[wanted.by_time])
        return np.searchsorted(self.words, _words(wanted.key, places, self.times))

    @cached_property
    def of_key(self) -> Ints:
        """How many rows there are of each key, up to the highest."""
        return np.bincount(self.key)

    def count(self, keys: Ints) -> Ints:
        """How many rows there are of each wanted key."""
        known = np.minimum(keys, len(self.of_key) - 1)
        return np.where(known == keys, self.of_key[known], 0)

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

    def renamed(self, keys: Ints) -> Run:
        """The same rows; the key that is `keys[n]` is n from now on."""
        key = np.searchsorted(keys, self.key)
        places = self.words & ((1 << len(self).bit_length()) - 1)
        return replace(self, key=key, words=_words(key, places, self.times))

    def taken(self, places: Rows, ties: Sequence[str]) -> Run:
        numbers = {name: one[places] for name, one in self.numbers.items()}
        rows = self.rows.take(pa.array(places))
        kept = Unsorted(self.key[places], self.time[places], self.id[places], rows, numbers, np.arange(len(places)))
        return Run.of(kept, ties)


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
            came = Unsorted(keys, times, ids, rows.select(self.schema.names), numbers, np.arange(len(keys)))
            self.runs.append(Run.of(came, self._ties))
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
        by_time = np.concatenate([first.by_time, second.by_time + len(first)])
        rows = pa.concat_tables([first.rows, second.rows])
        return Run.of(Unsorted(keys, times, ids, rows, numbers, by_time), self._ties)


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


def _order_ties(order: Rows, words: Ints, same: np.ndarray, rows: pa.Table, ties: Sequence[str]) -> None:
    """Bring rows of one key and time into the order of the ties; the others stay where they are."""
    edges = np.concatenate([[False], same, [False]])
    tied = np.flatnonzero(edges[1:] | edges[:-1])
    mine = order[tied]
    few = rows.select(list(ties)).take(pa.array(mine))
    ranks = [np.asarray(pc.rank(few[name], tiebreaker="dense")) for name in reversed(ties)]
    order[tied] = mine[np.lexsort([*ranks, words[tied]])]


def _firsts(times: Ints) -> Ints:
    """The first place of each time in sorted times."""
    begins = np.zeros(len(times), dtype=np.int64)
    new = np.flatnonzero(times[1:] != times[:-1]) + 1
    begins[new] = new
    return np.maximum.accumulate(begins)


def _words(keys: Ints, places: Ints, times: Ints) -> Ints:
    return (keys << len(times).bit_length()) | places
