"""What a window computes: state in arrays by cell (a key in a window or pane), folded in batches, in any order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.spec.stream import Aggregate, Measure
from penstock.stream.exact import Wide
from penstock.stream.number import one_array, parts_of, unit_of
from penstock.stream.segment import Segments
from penstock.stream.tally import Tally
from penstock.stream.word_index import Ints, Rows, grown

_NOBODY = -1
_CHUNKS = 32
_HALF = (1 << 30) - 1


@dataclass(frozen=True)
class Folding:
    """Rows of a batch by the cells that they belong to; `times` in microseconds."""

    segments: Segments
    times: Ints

    @property
    def cells(self) -> Ints:
        return self.segments.slots[self.segments.starts]

    def by_cell(self, values: np.ndarray) -> np.ndarray:
        return values[self.segments.order]


@dataclass(frozen=True)
class Ranges:
    """Results wanted: each of the cells `cells[lower:upper]`, at least one."""

    cells: Ints
    lower: Ints
    upper: Ints

    @classmethod
    def single(cls, cells: Ints) -> Ranges:
        places = np.arange(len(cells))
        return cls(cells, places, places + 1)


class MeasureState(Protocol):
    """One aggregate. Null is no value."""

    def reserve(self, cells: int) -> None: ...
    def fold(self, folding: Folding, values: pa.Array) -> None: ...
    def merge(self, sources: Ints, targets: Ints) -> None:
        """Take the sources, each another cell, into the targets; a target may have several."""

    def keep(self, cells: Ints) -> None:
        """Forget all but these cells, which are numbered anew in this order."""

    def over(self, ranges: Ranges) -> pa.Array: ...
    def columns(self, cells: Ints) -> Mapping[str, pa.Array]: ...
    def load(self, cells: Ints, columns: Mapping[str, pa.Array]) -> None:
        """Make the state of these cells what `columns` gave."""


def make_measure(aggregate: Aggregate, kind: pa.DataType) -> MeasureState:
    """The state of an aggregate over values of a type."""
    match aggregate.measure:
        case Measure.COUNT:
            return Count()
        case Measure.SUM | Measure.MEAN:
            return Sum(kind, mean=aggregate.measure is Measure.MEAN)
        case Measure.DISTINCT | Measure.TOP:
            return Tally(kind, most=aggregate.most)
        case measure:
            return Best(kind, measure)


class Count:
    """How many values there are."""

    def __init__(self) -> None:
        self.counts = np.zeros(0, dtype=np.int64)

    def reserve(self, cells: int) -> None:
        self.counts = grown(self.counts, cells)

    def fold(self, folding: Folding, values: pa.Array) -> None:
        there = folding.by_cell(np.asarray(values.is_valid()).astype(np.int64))
        self.counts[folding.cells] += _totals(there, folding)

    def merge(self, sources: Ints, targets: Ints) -> None:
        np.add.at(self.counts, targets, self.counts[sources])

    def keep(self, cells: Ints) -> None:
        self.counts = self.counts[cells]

    def over(self, ranges: Ranges) -> pa.Array:
        return pa.array(ranged(self.counts[ranges.cells], ranges))

    def columns(self, cells: Ints) -> Mapping[str, pa.Array]:
        return {"count": pa.array(self.counts[cells])}

    def load(self, cells: Ints, columns: Mapping[str, pa.Array]) -> None:
        self.counts[cells] = columns["count"].to_numpy()


class Sum:
    """Exact sums; floats are rounded to multiples of 2^-40 first, so that no order can change them."""

    def __init__(self, kind: pa.DataType, *, mean: bool) -> None:
        self._kind, self._mean = kind, mean
        self.counts, self.high, self.low = (np.zeros(0, dtype=np.int64) for _ in range(3))

    def reserve(self, cells: int) -> None:
        self.counts, self.high, self.low = (grown(one, cells) for one in (self.counts, self.high, self.low))

    def fold(self, folding: Folding, values: pa.Array) -> None:
        parts = parts_of(values)
        ones, halves, wholes, counts = (
            _totals(folding.by_cell(one), folding)
            for one in (parts.ones, parts.halves, parts.wholes, parts.counts.astype(np.int64))
        )
        cells = folding.cells
        self._set(cells, Wide(self.high[cells], self.low[cells]).plus(ones, halves, wholes))
        self.counts[cells] += counts

    def merge(self, sources: Ints, targets: Ints) -> None:
        order = np.argsort(targets, kind="stable")
        sources, (cells, starts) = sources[order], np.unique(targets[order], return_index=True)
        low = self.low[sources]
        ones, halves, wholes, counts = (
            np.add.reduceat(one, starts) for one in (low & _HALF, low >> 30, self.high[sources], self.counts[sources])
        )
        self._set(cells, Wide(self.high[cells], self.low[cells]).plus(ones, halves, wholes))
        self.counts[cells] += counts

    def keep(self, cells: Ints) -> None:
        self.counts, self.high, self.low = self.counts[cells], self.high[cells], self.low[cells]

    def over(self, ranges: Ranges) -> pa.Array:
        low = self.low[ranges.cells]
        nothing = np.zeros(len(ranges.lower), dtype=np.int64)
        ones, halves, wholes = (ranged(one, ranges) for one in (low & _HALF, low >> 30, self.high[ranges.cells]))
        total = Wide(nothing, nothing).plus(ones, halves, wholes)
        counts = ranged(self.counts[ranges.cells], ranges)
        if self._mean or pa.types.is_floating(self._kind):
            with np.errstate(divide="ignore", invalid="ignore"):
                result = total.as_double().value / unit_of(self._kind) / (counts if self._mean else 1.0)
            return pa.array(result, mask=counts == 0)
        return _exact_array(total, counts == 0, self._kind)

    def columns(self, cells: Ints) -> Mapping[str, pa.Array]:
        state = {"count": self.counts, "high": self.high, "low": self.low}
        return {name: pa.array(one[cells]) for name, one in state.items()}

    def load(self, cells: Ints, columns: Mapping[str, pa.Array]) -> None:
        self.counts[cells] = columns["count"].to_numpy()
        self._set(cells, Wide(columns["high"].to_numpy(), columns["low"].to_numpy()))

    def _set(self, cells: Ints, sums: Wide) -> None:
        self.high[cells], self.low[cells] = sums.high, sums.low


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
        folding = Folding(Segments.of(targets), self._times[sources])
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

    def columns(self, cells: Ints) -> Mapping[str, pa.Array]:
        at = self._at[cells]
        return {"value": self._take(at), "time": pa.array(self._times[cells])}

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


def ranged(values: Ints, ranges: Ranges) -> Ints:
    """The sum of each range."""
    before = np.concatenate([[0], np.cumsum(values)])
    sums: Ints = before[ranges.upper] - before[ranges.lower]
    return sums


def _totals(values: Ints, folding: Folding) -> Ints:
    return np.add.reduceat(values, folding.segments.starts)


def _places_of(ranks: Ints, winners: Ints, segments: Segments) -> Rows:
    """For each cell the place of a row that has the winning rank."""
    sizes = segments.ends - segments.starts + 1
    wins = ranks == np.repeat(winners, sizes)
    places = np.flatnonzero(wins)
    cell_of = np.repeat(np.arange(len(sizes)), sizes)[places]
    first = np.zeros(len(sizes), dtype=np.intp)
    first[cell_of[::-1]] = places[::-1]
    return first


def _exact_array(total: Wide, missing: np.ndarray, kind: pa.DataType) -> pa.Array:
    """Sums as decimals of 38 digits, or as 64-bit integers; null where they are larger than that."""
    low = total.low + (total.high << 60)
    if not pa.types.is_decimal(kind):
        return pa.array(low, mask=missing | (total.high != low >> 60))
    limbs = np.stack([low, total.high >> 4], axis=1)
    valid = pa.array(~missing).buffers()[1] if missing.any() else None
    return pa.Array.from_buffers(pa.decimal128(38, kind.scale), len(low), [valid, pa.py_buffer(limbs)])
