"""Running statistics: what the earlier rows of a key say about the next one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.spec.stream import Running
from penstock.stream import exact
from penstock.stream.exact import Floats, Wide
from penstock.stream.keyed import KeyedState
from penstock.stream.number import Flags, one_array, whole_numbers
from penstock.stream.schema import running_fields
from penstock.stream.segment import Segments
from penstock.stream.stage import Frozen, Moment, Produced
from penstock.stream.word_index import Ints

_LARGEST_FLOAT = 1e150  # its square is a number still
_MANY = 64  # rows of one key in a batch
_BLOCK = 8192


@dataclass(frozen=True)
class Earlier:
    """For each row what was there before it: how many numbers, their mean, their standard deviation (of a sample;
    zero or less where there is none) and how far the row's own number lies from the mean."""

    count: Ints
    mean: Floats
    deviation: Floats
    distance: Floats


class Arithmetic(Protocol):
    """`columns` are the state of a key, `numbers` reads a column and says which rows have a number that counts, and
    `fold` takes numbers key by key into the state."""

    columns: Mapping[str, npt.DTypeLike]

    def numbers(self, column: pa.ChunkedArray) -> tuple[np.ndarray, Flags]: ...
    def fold(self, segments: Segments, numbers: np.ndarray, counts: Flags, state: dict[str, np.ndarray]) -> Earlier: ...


class RunningStage:
    """Adds the statistics of the rows before, in the order of the log.

    A row without a key, or whose value is null, NaN, infinite or larger than can be summed, is counted for nobody.
    There is no score before `minimum` numbers, nor while all of them were equal. The deviation is that of a sample
    (n - 1). Any cut into batches gives the same bits.
    """

    def __init__(self, running: Running, rows: pa.Schema) -> None:
        self.running = running
        self._threshold = float(running.threshold)
        self._arithmetic: Arithmetic = _arithmetic(rows.field(running.value).type)
        self._state = KeyedState(self._arithmetic.columns)

    def process(self, inputs: tuple[pa.Table, ...], moment: Moment) -> Produced:
        rows = inputs[0]
        slots = self._state.slots_of_rows(rows, self.running.key, moment.keys)
        numbers, counts = self._arithmetic.numbers(rows[self.running.value])
        keyed = np.flatnonzero(slots >= 0)
        counts &= slots >= 0
        segments = Segments.of(slots[keyed])
        places = keyed[segments.order]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            earlier = self._arithmetic.fold(segments, numbers[places], counts[places], self._state.columns)
        self._state.touch(segments.slots[segments.starts])
        return Produced(self._added(rows, places, counts, earlier))

    def delta(self) -> bytes:
        return self._state.delta()

    def snapshot(self) -> Frozen:
        return self._state.snapshot()

    def restore(self, snapshot: bytes | None, deltas: tuple[bytes, ...]) -> None:
        self._state = KeyedState(self._arithmetic.columns)
        self._state.restore(snapshot, deltas)

    def size(self) -> int:
        return len(self._state)

    def _added(self, rows: pa.Table, places: Ints, counts: Flags, earlier: Earlier) -> pa.Table:
        spread = (earlier.count > 1) & (earlier.deviation > 0)
        scored = spread & counts[places] & (earlier.count >= self.running.minimum)
        with np.errstate(divide="ignore", invalid="ignore"):
            score = earlier.distance / earlier.deviation
        columns = (
            (self.running.count, earlier.count, None),
            (self.running.mean, earlier.mean, earlier.count > 0),
            (self.running.deviation, np.maximum(earlier.deviation, 0.0), earlier.count > 1),
            (self.running.score, score, scored),
        )
        count = rows.num_rows
        made = {name: _column(count, places, values, there) for name, values, there in columns if name is not None}
        if self.running.flag is not None:
            made[self.running.flag] = pa.array(_spread_out(count, places, scored & (score > self._threshold)))
        for field in running_fields(self.running):
            rows = rows.append_column(field, made[field.name])
        return rows


def _column(length: int, places: Ints, values: np.ndarray, there: Flags | None) -> pa.Array:
    """`values` at `places` of `length` rows, where they are `there` (None: everywhere); null elsewhere."""
    whole = _spread_out(length, places, values)
    if there is None:
        if len(places) == length:
            return pa.array(whole)
        there = np.ones(len(places), dtype=bool)
    return pa.array(whole, mask=~_spread_out(length, places, there))


def _spread_out(length: int, places: Ints, values: np.ndarray) -> np.ndarray:
    """`values` at `places`, zero elsewhere."""
    whole = np.zeros(length, dtype=values.dtype)
    whole[places] = values
    return whole


def _arithmetic(kind: pa.DataType) -> Arithmetic:
    if pa.types.is_floating(kind):
        return FloatArithmetic()
    return ExactArithmetic(kind.scale if pa.types.is_decimal(kind) else 0)


class ExactArithmetic:
    """Fixed point: exact sums of differences from the key's first number, and of their squares. No order of folding
    can change them."""

    columns: Mapping[str, npt.DTypeLike] = dict.fromkeys(
        ("count", "base", "sum_high", "sum_low", "square_high", "square_low"), np.int64
    )

    def __init__(self, scale: int) -> None:
        self._unit = float(10**scale)

    def numbers(self, column: pa.ChunkedArray) -> tuple[Ints, Flags]:
        values, counts = whole_numbers(one_array(column))
        counts &= np.abs(values) < exact.LARGEST
        return np.where(counts, values, 0), counts

    def fold(self, segments: Segments, numbers: np.ndarray, counts: Flags, state: dict[str, np.ndarray]) -> Earlier:
        slots, ends = segments.slots, segments.ends
        count = state["count"][slots] + segments.before(counts.astype(np.int64))
        begins = counts & (count == 0)
        state["base"][slots[begins]] = numbers[begins]
        base = state["base"][slots]
        moved = np.where(counts, numbers - base, 0)
        sums = exact.sums_before(segments, moved, Wide(state["sum_high"][slots], state["sum_low"][slots]))
        squares = exact.squares_before(segments, moved, Wide(state["square_high"][slots], state["square_low"][slots]))
        keys, own = slots[ends], moved[ends]
        state["count"][keys] = count[ends] + counts[ends]
        after = exact.with_own(own, sums.at(ends))
        state["sum_high"][keys], state["sum_low"][keys] = after.high, after.low
        after = exact.with_own_square(own, squares.at(ends))
        state["square_high"][keys], state["square_low"][keys] = after.high, after.low
        return self._earlier(count, base, numbers, sums, squares)

    def _earlier(self, count: Ints, base: Ints, numbers: Ints, sums: Wide, squares: Wide) -> Earlier:
        """So many rows at a time as a cache holds with all that is computed of them."""
        mean, deviation, distance = (np.empty(len(count)) for _ in range(3))
        for begin in range(0, len(count), _BLOCK):
            here = slice(begin, begin + _BLOCK)
            total, many = sums.at(here).as_double(), count[here]
            average = total.value / many
            variance = exact.spread(many, total, squares.at(here).as_double()) / (many * (many - 1.0))
            mean[here] = (base[here] + average) / self._unit
            deviation[here] = np.sqrt(np.maximum(variance, 0.0)) / self._unit
            distance[here] = ((numbers[here] - base[here]) - average) / self._unit
        return Earlier(count, mean, deviation, distance)


class FloatArithmetic:
    """Floats: sums of differences from the key's first number, and of their squares, folded one after the other in
    the order of the log."""

    columns: Mapping[str, npt.DTypeLike] = {
        "count": np.int64,
        "base": np.float64,
        "sum": np.float64,
        "square": np.float64,
    }

    def numbers(self, column: pa.ChunkedArray) -> tuple[Floats, Flags]:
        values = column.cast(pa.float64()).to_numpy()  # null becomes NaN
        counts: Flags = np.abs(values) < _LARGEST_FLOAT
        return np.where(counts, values, 0.0), counts

    def fold(self, segments: Segments, numbers: np.ndarray, counts: Flags, state: dict[str, np.ndarray]) -> Earlier:
        slots = segments.slots
        count = state["count"][slots] + segments.before(counts.astype(np.int64))
        begins = counts & (count == 0)
        state["base"][slots[begins]] = numbers[begins]
        base = state["base"][slots]
        moved = np.where(counts, numbers - base, 0.0)
        sums = _folded(segments, moved, state["sum"])
        squares = _folded(segments, moved * moved, state["square"])
        state["count"][slots[segments.ends]] = count[segments.ends] + counts[segments.ends]
        average = sums / count
        variance = (squares - sums * average) / (count - 1.0)
        return Earlier(count, base + average, np.sqrt(np.maximum(variance, 0.0)), (numbers - base) - average)


def _folded(segments: Segments, numbers: Floats, state: Floats) -> Floats:
    """The sum before each row, added up strictly one after the other; `state` goes on to the sum after the last.

    Rows that are the first of their key are added at once, then those that are the second, and so on; the rest of a
    key with many rows is one cumulative sum."""
    before = np.empty(len(numbers))
    rank = np.arange(len(numbers)) - segments.first
    by_rank = np.argsort(np.minimum(rank, _MANY), kind="stable")
    edges = np.searchsorted(rank[by_rank], np.arange(_MANY + 1)) if len(numbers) else np.zeros(_MANY + 1, dtype=int)
    for this, next in pairwise(edges):
        if this == next:
            break
        rows = by_rank[this:next]
        slots = segments.slots[rows]
        before[rows] = state[slots]
        state[slots] += numbers[rows]
    for start, end in zip(segments.starts, segments.ends, strict=True) if edges[-1] < len(numbers) else ():
        if end - start >= _MANY:
            first, slot = start + _MANY, segments.slots[start]
            total = np.cumsum(np.concatenate([state[slot : slot + 1], numbers[first : end + 1]]))
            before[first : end + 1], state[slot] = total[:-1], total[-1]
    return before
