"""How often each value is there: distinct counts and the most frequent values, both exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.sorting import stable_order
from penstock.stream.folding import Columns, Folding, Ranges, counted
from penstock.stream.key_index import KeyIndex
from penstock.stream.word_index import Ints, Keys, WordIndex, grown


class Tally:
    """Pairs of a cell and a value, and how many rows each has. `most`: the result is a list of that many values, the
    most frequent first, of equally frequent ones the lower; otherwise the number of different values."""

    def __init__(self, kind: pa.DataType, *, most: int | None) -> None:
        self._kind, self._most = kind, most
        self._different = np.zeros(0, dtype=np.int64)
        self._values, self._texts = pa.array([], kind), KeyIndex()
        self._begin()

    def _begin(self) -> None:
        self._pairs = WordIndex()
        self._cell, self._value, self._count = (np.zeros(0, dtype=np.int64) for _ in range(3))

    def reserve(self, cells: int) -> None:
        self._different = grown(self._different, cells)

    def fold(self, folding: Folding, values: pa.Array) -> None:
        cells = np.zeros(len(values), dtype=np.int64)
        cells[folding.segments.order] = np.repeat(folding.cells, folding.segments.sizes)
        there = np.asarray(values.is_valid())
        self._add(cells[there], self._slots(values.drop_null()), np.ones(int(there.sum()), dtype=np.int64))

    def merge(self, sources: Ints, targets: Ints) -> None:
        into = np.full(len(self._different), -1, dtype=np.int64)
        into[sources] = targets
        moved = into[self._cell[: len(self._pairs)]] >= 0
        rows = np.flatnonzero(moved)
        self._add(into[self._cell[rows]], self._value[rows], self._count[rows])

    def keep(self, cells: Ints) -> None:
        number = np.full(len(self._different), -1, dtype=np.int64)
        number[cells] = np.arange(len(cells))
        rows = np.flatnonzero(number[self._cell[: len(self._pairs)]] >= 0)
        cell, value, count = number[self._cell[rows]], self._value[rows], self._count[rows]
        held, value = np.unique(value, return_inverse=True)
        values = self._values.take(pa.array(held))
        self._different = np.zeros(len(cells), dtype=np.int64)
        self._values, self._texts = pa.array([], self._kind), KeyIndex()
        self._begin()
        self._add(cell, self._slots(values)[value], count)

    def over(self, ranges: Ranges) -> pa.Array:
        single = len(ranges.lower) == 0 or (ranges.upper - ranges.lower).max() == 1
        if self._most is None and single:
            return pa.array(self._different[ranges.cells[ranges.lower]])
        order = stable_order(ranges.lower + ranges.upper)  # both ascend then
        stays = self._stays(ranges.take(order))
        back = np.empty(len(order), dtype=np.intp)
        back[order] = np.arange(len(order))
        if self._most is None:
            return pa.array(stays.different(len(order))[back])
        wanted, pairs, count = stays.counted(self._count)
        return self._top(order[wanted], self._value[pairs], count, len(order))

    def columns(self, cells: Ints) -> Columns:
        ranges_of, rows = self._rows_of(cells)
        starts = np.concatenate([[0], np.cumsum(np.bincount(ranges_of, minlength=len(cells)))])
        columns = {
            name: pa.LargeListArray.from_arrays(pa.array(starts), values)
            for name, values in (
                ("values", self._values.take(pa.array(self._value[rows]))),
                ("counts", pa.array(self._count[rows])),
            )
        }
        return lambda: columns

    def load(self, cells: Ints, columns: Mapping[str, pa.Array]) -> None:
        values, counts = columns["values"], columns["counts"]
        owner = np.repeat(cells, np.asarray(pc.list_value_length(values)))
        slots, now = self._slots(values.flatten()), counts.flatten().to_numpy()
        self._add(owner, slots, np.zeros(len(owner), dtype=np.int64))
        self._count[self._pairs.find(_pair_keys(owner, slots))] = now

    def _slots(self, values: pa.Array) -> Ints:
        known = len(self._texts)
        slots = self._texts.slots(values)
        if len(self._texts) > known:
            _, first = np.unique(slots, return_index=True)
            new = np.sort(first[np.unique(slots) >= known])
            self._values = pa.concat_arrays([self._values, values.take(pa.array(new))])
        return slots

    def _add(self, cells: Ints, values: Ints, counts: Ints) -> None:
        pairs, new = self._pairs.slots(_pair_keys(cells, values))
        first, length = len(self._pairs) - len(new), len(self._pairs)
        self._cell, self._value, self._count = (grown(one, length) for one in (self._cell, self._value, self._count))
        self._cell[first:length], self._value[first:length] = cells[new], values[new]
        np.add.at(self._count, pairs, counts)
        np.add.at(self._different, cells[new], 1)

    def _rows_of(self, cells: Ints) -> tuple[Ints, Ints]:
        """For each pair of these cells: which of `cells` it belongs to, ascending, and its row."""
        number = np.full(len(self._different), -1, dtype=np.int64)
        number[cells] = np.arange(len(cells))
        owner = number[self._cell[: len(self._pairs)]]
        rows = np.flatnonzero(owner >= 0)
        rows = rows[stable_order(owner[rows])]
        return owner[rows], rows

    def _stays(self, ranges: Ranges) -> Stays:
        """Of the pairs in these cells, those with the same value beside each other, cell by cell."""
        places, pairs = self._rows_of(ranges.cells)
        order = stable_order(self._value[pairs])
        return Stays.of(pairs[order], self._value[pairs[order]], places[order], ranges)

    def _top(self, wanted: Ints, value: Ints, count: Ints, length: int) -> pa.Array:
        values = self._values.take(pa.array(value))
        rank = np.asarray(pc.rank(values, tiebreaker="dense")).astype(np.int64)
        order = np.lexsort([rank, -count, wanted])
        wanted = wanted[order]
        place = np.arange(len(order)) - np.searchsorted(wanted, wanted)
        best = place < (self._most or 0)
        ends = np.cumsum(np.bincount(wanted[best], minlength=length))
        offsets = pa.array(np.concatenate([[0], ends]).astype(np.int32))
        return pa.ListArray.from_arrays(offsets, values.take(pa.array(order[best])))


@dataclass(frozen=True)
class Stays:
    """From which result to which a pair is in the ranges, results in order of their bounds: it comes in at `enters`
    and is out from `leaves` on. Until `last` it is the last one with its value there, from `first` on the first one.
    """

    pairs: Ints
    enters: Ints
    leaves: Ints
    last: Ints
    first: Ints

    @classmethod
    def of(cls, pairs: Ints, values: Ints, places: Ints, ranges: Ranges) -> Stays:
        all_places = np.arange(len(ranges.cells))
        enters = np.searchsorted(ranges.upper, all_places, side="right")[places]
        leaves = np.maximum(np.searchsorted(ranges.lower, all_places, side="right")[places], enters)
        same = values[1:] == values[:-1]
        last, first = leaves.copy(), enters.copy()
        last[:-1] = np.where(same, np.clip(enters[1:], enters[:-1], leaves[:-1]), leaves[:-1])
        first[1:] = np.where(same, np.clip(leaves[:-1], enters[1:], leaves[1:]), enters[1:])
        return cls(pairs, enters, leaves, last, first)

    def different(self, results: int) -> Ints:
        """How many different values each result has."""
        come, go = (np.bincount(at, minlength=results + 1) for at in (self.enters, self.last))
        return np.cumsum(come - go)[:results]

    def counted(self, counts: Ints) -> tuple[Ints, Ints, Ints]:
        """For each result and each value that it has: the result, a pair that has the value, and how often it is there.

        Told by the last pair and by the first one, they come in the same order.
        """
        as_last, as_first = self.last - self.enters, self.leaves - self.first
        until = np.cumsum(counts[self.pairs])
        before = until - counts[self.pairs]
        total = np.repeat(until, as_last) - np.repeat(before, as_first)
        return counted(self.enters, as_last), np.repeat(self.pairs, as_last), total


def _pair_keys(first: Ints, second: Ints) -> Keys:
    words = [(None, one.astype(np.int64).view(np.uint64)) for one in (first, second)]
    return Keys(np.full(len(first), 16, dtype=np.int64), words)
