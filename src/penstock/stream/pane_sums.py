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
from penstock.stream.pane_cells import NEVER
from penstock.stream.word_index import Ints, Rows

_WIDE = 128  # keys for which a step along all of them costs more than its call


class PaneSums:
    """Of counts, sums and means: tables of panes and keys with the total of all panes before, as numbers modulo 2^64,
    of which the difference is exact. Windows are `length` panes long.

    What a round costs goes by the panes that were not asked for before and, of the keys that changed before them, by the
    panes since then; and by the windows that are told of. It does not go by the panes that a window has.
    """

    def __init__(self, cells: Cells, measures: Sequence[Additive], length: int) -> None:
        self._cells, self._measures, self._length = cells, measures, length
        self._table = PaneTable(np.zeros((0, 0), dtype=np.int32), 0, -1)
        self._totals: list[list[Ints]] = []
        self._latest = np.zeros((1, 0), dtype=np.int32)  # the row of the last cell of each key, one on
        self._known = 0  # rows of the table that are summed up, but for keys that
        self._stale = np.zeros(0, dtype=np.int64)  # are stale from a row on

    def changed(self, keys: Ints, panes: Ints) -> None:
        """Cells of these keys in these panes are new or hold more rows."""
        rows = np.maximum(panes - self._table.first, 0)
        stale = (rows < self._known) & (keys < len(self._stale))  # a table of more keys is summed up anew
        np.minimum.at(self._stale, keys[stale], rows[stale])

    def reach(self, table: PaneTable, pane: int) -> None:
        """Sum up as far as this pane."""
        numbers = [len(one) for one in self._addends(np.zeros(0, dtype=np.int64))]
        if self._table.cells is not table.cells or numbers != [len(one) for one in self._totals]:
            shape = (table.cells.shape[0] + 1, table.cells.shape[1])
            self._totals = [[_begun(shape, np.int64) for _ in range(number)] for number in numbers]
            self._latest, self._known = _begun(shape, np.int32), 0
            self._stale = np.full(shape[1], NEVER)
        self._table = table
        self._mend()
        begin, self._known = self._known, max(self._known, min(pane, table.last) - table.first + 1)
        self._sum_up(begin, self._known, slice(None))

    def _mend(self) -> None:
        """Sum up the keys that are stale, those that came late by themselves; or be about to sum up all when they are
        the most."""
        stale, newest = np.flatnonzero(self._stale < self._known), self._known - 1
        rows = self._stale[stale]
        for keys in (stale[rows < newest], stale[rows == newest]):
            begin = int(self._stale[keys].min(initial=self._known))
            if 2 * len(keys) > len(self._stale):
                self._known = begin
            else:
                self._sum_up(begin, self._known, keys)
        self._stale[stale] = NEVER

    def _sum_up(self, begin: int, end: int, keys: Ints | slice) -> None:
        """Some rows of the table, of some keys."""
        if begin >= end:
            return
        cells = self._table.cells[begin:end, keys].astype(np.int64)
        here = cells >= 0
        for total, addend in zip(chain(*self._totals), chain(*self._addends(cells.ravel())), strict=True):
            _along(np.add, addend.reshape(cells.shape) * here, total, (slice(begin, end + 1), keys))
        rows = np.arange(begin + 1, end + 1, dtype=np.int32)[:, np.newaxis]
        _along(np.maximum, rows * here, self._latest, (slice(begin, end + 1), keys))

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


def _along(combine: np.ufunc, values: np.ndarray, table: np.ndarray, where: tuple[slice, Ints | slice]) -> None:
    """Each row of that part of the table, after the first, made of the one before it and the next of `values`."""
    into = table[where]
    if values.shape[1] >= _WIDE:
        for number, row in enumerate(values):
            combine(into[number], row, out=into[number + 1])
    else:
        values[0] = combine(into[0], values[0])
        combine.accumulate(values, axis=0, out=into[1:])
    table[where] = into
