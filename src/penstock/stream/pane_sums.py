"""Running totals of each key along its panes, kept from round to round: a window is the difference of two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.stream.cell_index import PaneTable
from penstock.stream.cells import Cells
from penstock.stream.folding import Additive
from penstock.stream.word_index import Ints, Rows

_WIDE = 128  # keys for which a step along all of them costs more than its call


class PaneSums:
    """Of counts, sums and means: tables of panes and keys with the total of all panes before, as numbers modulo 2^64,
    of which the difference is exact. Windows are `length` panes long.

    What a round costs goes by the panes from the earliest that changed to the last that is asked for, and by the
    windows that are told of; not by the panes that a window has.
    """

    def __init__(self, cells: Cells, measures: Sequence[Additive], length: int) -> None:
        self._cells, self._measures, self._length = cells, measures, length
        self._table = PaneTable(np.zeros((0, 0), dtype=np.int32), 0, -1)
        self._totals: list[list[Ints]] = []
        self._latest = np.zeros((1, 0), dtype=np.int32)  # the row of the last cell of each key, one on
        self._known = 0  # rows of the table that are summed up

    def changed(self, pane: int) -> None:
        """Cells of this pane and of later ones are new or hold more rows."""
        self._known = max(min(self._known, pane - self._table.first), 0)

    def reach(self, table: PaneTable, pane: int) -> None:
        """Sum up as far as this pane."""
        numbers = [len(one) for one in self._addends(np.zeros(0, dtype=np.int64))]
        if self._table.cells is not table.cells or numbers != [len(one) for one in self._totals]:
            shape = (table.cells.shape[0] + 1, table.cells.shape[1])
            self._totals = [[_begun(shape, np.int64) for _ in range(number)] for number in numbers]
            self._latest, self._known = _begun(shape, np.int32), 0
        self._table = table
        begin, self._known = self._known, max(self._known, min(pane, table.last) - table.first + 1)
        if begin == self._known:
            return
        cells = table.cells[begin : self._known].astype(np.int64)
        here = cells >= 0
        for total, addend in zip(chain(*self._totals), chain(*self._addends(cells.ravel())), strict=True):
            _along(np.add, addend.reshape(cells.shape) * here, total[begin : self._known + 1])
        rows = np.arange(begin + 1, self._known + 1, dtype=np.int32)[:, np.newaxis]
        _along(np.maximum, rows * here, self._latest[begin : self._known + 1])

    def windows(self, keys: Ints, panes: Ints, first: int, last: int) -> tuple[Differences, Ints]:
        """The windows of these keys that end with these panes, in which they have a cell; then all that end with a
        pane from `first` to `last` and hold a cell. And the panes that they end with."""
        ends = np.arange(max(first, self._table.first), min(last, self._table.last + self._length - 1) + 1)
        lower, upper = self._rows(ends)
        rows = self._totals[0][0]
        places, others = np.nonzero(rows[upper] > rows[lower])
        panes, keys = np.concatenate([panes, ends[places]]), np.concatenate([keys, others])
        lower, upper = (row * rows.shape[1] + keys for row in self._rows(panes))
        latest = (self._latest.take(upper).astype(np.int64) - 1) * rows.shape[1] + keys
        cells = self._table.cells.take(latest).astype(np.int64)
        return Differences(self._measures, self._totals, lower, upper, cells), panes

    def _rows(self, ends: Ints) -> tuple[Ints, Ints]:
        """The rows of the tables between which windows lie that end with these panes."""
        after = ends - self._table.first + 1
        return np.maximum(after - self._length, 0), np.minimum(after, self._table.last - self._table.first + 1)

    def _addends(self, cells: Ints) -> list[list[Ints]]:
        """Of the number of rows, then of each aggregate."""
        return [[self._cells.rows[cells]], *(one.addends(cells, self._length) for one in self._measures)]


@dataclass(frozen=True)
class Differences:
    """Results wanted: of the totals of each aggregate what is there at `upper` and not yet at `lower`. `last` is the
    last cell of each."""

    measures: Sequence[Additive]
    totals: Sequence[Sequence[Ints]]
    lower: Ints
    upper: Ints
    last: Ints

    def take(self, order: Rows) -> Differences:
        """The same results in another order."""
        return Differences(self.measures, self.totals, self.lower[order], self.upper[order], self.last[order])

    @cached_property
    def rows(self) -> Ints:
        """How many rows each is of."""
        return self._of(self.totals[0])[0]

    def results(self) -> list[pa.Array]:
        return [
            measure.of_totals(self._of(totals) or [self.rows])
            for measure, totals in zip(self.measures, self.totals[1:], strict=True)
        ]

    def _of(self, totals: Sequence[Ints]) -> list[Ints]:
        return [one.take(self.upper) - one.take(self.lower) for one in totals]


def _begun(shape: tuple[int, int], dtype: npt.DTypeLike) -> np.ndarray:
    """A table of which the first row is zero."""
    table = np.empty(shape, dtype)
    table[0] = 0
    return table


def _along(combine: np.ufunc, values: np.ndarray, into: np.ndarray) -> None:
    """Each row of `into` after the first made of the one before it and the next of `values`."""
    if values.shape[1] >= _WIDE:
        for number, row in enumerate(values):
            combine(into[number], row, out=into[number + 1])
    else:
        values[0] = combine(into[0], values[0])
        combine.accumulate(values, axis=0, out=into[1:])
