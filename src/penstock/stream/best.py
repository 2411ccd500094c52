"""The lowest, highest, first or last value by cell, of values of any kind that has an order."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.spec.stream import Measure
from penstock.stream.folding import Columns, Folding, Ranges
from penstock.stream.number import one_array
from penstock.stream.segment import Segments
from penstock.stream.word_index import Ints, Rows, grown

_NOBODY = -1
_CHUNKS = 32


class Best:
    """min, max, first, last. Of values at one time the first is the lowest and the last the highest: ties are decided
    by what the rows say, never by when they came."""

    def __init__(self, kind: pa.DataType, measure: Measure) -> None:
        self._kind = kind
        self._timed = measure in (Measure.FIRST, Measure.LAST)
        self._lowest = measure in (Measure.MIN, Measure.FIRST)
        self._choose = np.minimum if self._lowest else np.maximum
        self._worst = np.iinfo(np.int64).max if self._lowest else -1  # rank of no value
        self._values = pa.chunked_array([], kind)  # with some that were overtaken
        self._at = np.zeros(0, dtype=np.int64)
        self._times = np.zeros(0, dtype=np.int64)

    def reserve(self, cells: int) -> None:
        filled = len(self._at)
        self._at, self._times = grown(self._at, cells), grown(self._times, cells)
        self._at[filled:] = _NOBODY

    def fold(self, folding: Folding, values: pa.Array) -> None:
        ranks = self._ranks(values, folding.times)
        ordered = folding.by_cell(ranks)
        winners = self._choose.reduceat(ordered, folding.segments.starts)
        there = winners != self._worst
        rows = folding.segments.order[_places_of(ordered, winners, folding.segments)[there]]
        self._challenge(folding.cells[there], values.take(pa.array(rows)), folding.times[rows])

    def merge(self, sources: Ints, targets: Ints) -> None:
        has = self._at[sources] >= 0
        sources, targets = sources[has], targets[has]
        folding = Folding.of(targets, self._times[sources])
        if len(sources):
            self.fold(folding, self._take(self._at[sources]))

    def keep(self, cells: Ints) -> None:
        self._at, self._times = self._at[cells], self._times[cells]
        self._tidy()

    def over(self, ranges: Ranges) -> pa.Array:
        at = self._at[ranges.cells]
        if len(ranges.lower) and (ranges.upper - ranges.lower).max() > 1:
            at = self._best_of(ranges, at)
        else:
            at = at[ranges.lower]
        return self._take(at)

    def columns(self, cells: Ints) -> Columns:
        at = self._at[cells]
        columns = {"value": self._take(at), "time": pa.array(self._times[cells])}
        return lambda: columns

    def load(self, cells: Ints, columns: Mapping[str, pa.Array]) -> None:
        values = columns["value"]
        self._enter(cells, values, columns["time"].to_numpy())
        self._at[cells[np.asarray(values.is_null())]] = _NOBODY

    def _take(self, at: Ints) -> pa.Array:
        return one_array(self._values.take(pa.array(at, mask=at < 0)))

    def _ranks(self, values: pa.Array, times: Ints) -> Ints:
        """The order of the values as numbers, `_worst` for no value."""
        ranks = np.asarray(pc.rank(values, sort_keys="ascending", tiebreaker="dense")).astype(np.int64)
        if self._timed:
            _, moments = np.unique(times, return_inverse=True)
            ranks = moments * (len(ranks) + 1) + ranks
        ranks[np.asarray(values.is_null())] = self._worst
        return ranks

    def _challenge(self, cells: Ints, values: pa.Array, times: Ints) -> None:
        """Let each value take its cell where it is better than the one there."""
        at = self._at[cells]
        old = self._take(at)
        better = np.asarray(pc.fill_null((pc.less if self._lowest else pc.greater)(values, old), False))
        if self._timed:
            then = self._times[cells]
            better = (better & (times == then)) | (times < then if self._lowest else times > then)
        better |= at < 0
        self._enter(cells[better], values.filter(pa.array(better)), times[better])

    def _enter(self, cells: Ints, values: pa.Array, times: Ints) -> None:
        self._at[cells] = len(self._values) + np.arange(len(cells))
        self._times[cells] = times
        self._values = pa.chunked_array([*self._values.chunks, values])
        if self._values.num_chunks > _CHUNKS:
            self._tidy()

    def _tidy(self) -> None:
        """Forget the values that were overtaken."""
        held = np.flatnonzero(self._at >= 0)
        self._values = pa.chunked_array([self._take(self._at[held])])
        self._at[held] = np.arange(len(held))

    def _best_of(self, ranges: Ranges, at: Ints) -> Ints:
        """The best of each range, by minima over all stretches of 2, 4, 8, ... cells."""
        ranks = self._ranks(self._take(at), self._times[ranges.cells])
        coded = np.where(at < 0, self._worst, ranks)
        order = np.argsort(coded, kind="stable")
        level, best = coded, np.zeros(len(ranges.lower), dtype=np.int64)
        lengths = ranges.upper - ranges.lower
        power = 0
        while True:
            mine = (lengths >> power) == 1
            last = ranges.upper[mine] - (1 << power)
            best[mine] = self._choose(level[ranges.lower[mine]], level[last])
            if not (lengths >> (power + 1)).any():
                break
            level = self._choose(level[: -(1 << power)], level[1 << power :])
            power += 1
        found = order[np.minimum(np.searchsorted(coded[order], best), len(order) - 1)]
        return np.where(best == self._worst, _NOBODY, at[found])


def _places_of(ranks: Ints, winners: Ints, segments: Segments) -> Rows:
    """For each cell the place of a row that has the winning rank."""
    sizes = segments.sizes
    wins = ranks == np.repeat(winners, sizes)
    places = np.flatnonzero(wins)
    cell_of = np.repeat(np.arange(len(sizes)), sizes)[places]
    first = np.zeros(len(sizes), dtype=np.intp)
    first[cell_of[::-1]] = places[::-1]
    return first
