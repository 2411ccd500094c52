"""Counts and exact sums by cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from penstock.stream.exact import Wide
from penstock.stream.folding import Columns, Folding, Ranges, ranged, taken
from penstock.stream.number import Flags, parts_of, unit_of
from penstock.stream.word_index import Ints, grown

_HALF = (1 << 30) - 1
_SAFE = 1 << 62


class Count:
    """How many values there are, or how many rows."""

    def __init__(self, *, of_rows: bool) -> None:
        self._of_rows = of_rows
        self.counts = np.zeros(0, dtype=np.int64)

    def reserve(self, cells: int) -> None:
        self.counts = grown(self.counts, cells)

    def fold(self, folding: Folding, values: pa.Array) -> None:
        self.counts[folding.cells] += _counts(np.asarray(values.is_valid()), folding)

    def merge(self, sources: Ints, targets: Ints) -> None:
        np.add.at(self.counts, targets, self.counts[sources])

    def keep(self, cells: Ints) -> None:
        self.counts = self.counts[cells]

    def over(self, ranges: Ranges) -> pa.Array:
        return self.of_totals([ranged(self.counts[ranges.cells], ranges)])

    def addends(self, cells: Ints, _: int) -> list[Ints]:
        return [] if self._of_rows else [self.counts[cells]]

    def of_totals(self, totals: Sequence[Ints]) -> pa.Array:
        return pa.array(totals[0])

    def columns(self, cells: Ints) -> Columns:
        return taken(cells, {"count": self.counts})

    def load(self, cells: Ints, columns: Mapping[str, pa.Array]) -> None:
        self.counts[cells] = columns["count"].to_numpy()


class Sum:
    """Exact sums; floats are rounded to multiples of 2^-40 first, so that no order can change them."""

    def __init__(self, kind: pa.DataType, *, mean: bool) -> None:
        self._kind, self._mean = kind, mean
        self.counts, self.high, self.low = (np.zeros(0, dtype=np.int64) for _ in range(3))
        self._largest, self._gaps = 0, False  # no sum is larger; whether a cell may have no number

    def reserve(self, cells: int) -> None:
        self.counts, self.high, self.low = (grown(one, cells) for one in (self.counts, self.high, self.low))

    def fold(self, folding: Folding, values: pa.Array) -> None:
        parts = parts_of(values)
        cells = folding.cells
        sums = Wide(self.high[cells], self.low[cells]).plus(*(_totals(limb, folding) for limb in parts.limbs))
        self._set(cells, self.counts[cells] + _counts(parts.counts, folding), sums)

    def merge(self, sources: Ints, targets: Ints) -> None:
        order = np.argsort(targets, kind="stable")
        sources, (cells, starts) = sources[order], np.unique(targets[order], return_index=True)
        low = self.low[sources]
        ones, halves, wholes, counts = (
            np.add.reduceat(one, starts) for one in (low & _HALF, low >> 30, self.high[sources], self.counts[sources])
        )
        sums = Wide(self.high[cells], self.low[cells]).plus(ones, halves, wholes)
        self._set(cells, self.counts[cells] + counts, sums)

    def keep(self, cells: Ints) -> None:
        self.counts, self.high, self.low = self.counts[cells], self.high[cells], self.low[cells]

    def over(self, ranges: Ranges) -> pa.Array:
        most = int((ranges.upper - ranges.lower).max(initial=1))
        return self.of_totals([ranged(one, ranges) for one in self.addends(ranges.cells, most)])

    def addends(self, cells: Ints, most: int) -> list[Ints]:
        """How many numbers there are, where that matters; and their sum, in three parts where it could leave 64 bits."""
        counts = [self.counts[cells]] if self._mean or self._gaps else []
        low, high = self.low[cells], self.high[cells]
        if self._largest * most < _SAFE:
            return [*counts, low + (high << 60)]
        return [*counts, low & _HALF, low >> 30, high]

    def of_totals(self, totals: Sequence[Ints]) -> pa.Array:
        counted = len(totals) % 2 == 0
        nothing = np.zeros(len(totals[0]), dtype=np.int64)
        total = Wide(nothing, nothing).plus(*totals[counted:])
        missing = totals[0] == 0 if counted else np.zeros(len(nothing), dtype=bool)
        if self._mean or pa.types.is_floating(self._kind):
            with np.errstate(divide="ignore", invalid="ignore"):
                result = total.as_double().value / unit_of(self._kind) / (totals[0] if self._mean else 1.0)
            return pa.array(result, mask=missing)
        return _exact_array(total, missing, self._kind)

    def columns(self, cells: Ints) -> Columns:
        return taken(cells, {"count": self.counts, "high": self.high, "low": self.low})

    def load(self, cells: Ints, columns: Mapping[str, pa.Array]) -> None:
        self._set(cells, columns["count"].to_numpy(), Wide(columns["high"].to_numpy(), columns["low"].to_numpy()))

    def _set(self, cells: Ints, counts: Ints, sums: Wide) -> None:
        self.counts[cells], self.high[cells], self.low[cells] = counts, sums.high, sums.low
        self._largest = max(self._largest, _largest(sums))
        self._gaps |= not counts.all()


def _totals(values: Ints, folding: Folding) -> Ints:
    return np.add.reduceat(folding.by_cell(values), folding.segments.starts)


def _counts(there: Flags, folding: Folding) -> Ints:
    if there.all():
        return folding.segments.sizes
    return _totals(there.astype(np.int64), folding)


def _largest(sums: Wide) -> int:
    """A number that the size of no sum exceeds."""
    highest, lowest = int(sums.high.max(initial=0)), int(sums.high.min(initial=0))
    if lowest >= -8 and highest < 8:
        whole = sums.low + (sums.high << 60)
        return max(int(whole.max(initial=0)), -int(whole.min(initial=0)))
    return (max(highest, -lowest) + 1) << 60


def _exact_array(total: Wide, missing: np.ndarray, kind: pa.DataType) -> pa.Array:
    """Sums as decimals of 38 digits, or as 64-bit integers; null where they are larger than that."""
    low = total.low + (total.high << 60)
    if not pa.types.is_decimal(kind):
        return pa.array(low, mask=missing | (total.high != low >> 60))
    limbs = np.stack([low, total.high >> 4], axis=1)
    valid = pa.array(~missing).buffers()[1] if missing.any() else None
    return pa.Array.from_buffers(pa.decimal128(38, kind.scale), len(low), [valid, pa.py_buffer(limbs)])
