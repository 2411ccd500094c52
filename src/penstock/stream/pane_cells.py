"""The cells of windows by key and pane: rows come in, panes that are told of go."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from penstock.spec.stream import Window
from penstock.stream.cell_index import CellIndex, PaneTable
from penstock.stream.cells import Cells
from penstock.stream.distinct import RoundKeys
from penstock.stream.folding import Folding
from penstock.stream.pane_run import near
from penstock.stream.segment import Segments
from penstock.stream.word_index import Ints

NEVER = np.iinfo(np.int64).max


class PaneCells:
    """`cells.start` is the number of a cell's pane. No pane before `oldest` has a cell."""

    def __init__(self, window: Window, rows: pa.Schema) -> None:
        self.cells = Cells(window, rows)
        self.oldest = NEVER
        self._index = CellIndex()

    def fold(self, rows: pa.Table, times: Ints, panes: Ints, known: RoundKeys) -> Ints:
        """Take rows, at least one, into the cells of their keys and panes; the cells that changed."""
        keys = self.cells.keys_of(rows, known)
        numbers = near(panes)
        together = Segments.of((keys << int(numbers.max()).bit_length()) | numbers)
        first = together.order[together.starts]
        keys, panes = keys[first], panes[first]
        cells = self._index.find(keys, panes)
        new = np.flatnonzero(cells < 0)
        if len(new):
            new = new[np.argsort(first[new])]  # as they came: keys have other numbers after a restart
            self._index.enter(keys[new], panes[new])
            cells[new] = self.cells.add(keys[new], panes[new], panes[new])
        self.cells.fold(Folding(together, cells, times), rows)
        self.oldest = min(self.oldest, int(panes.min()))
        return cells

    def table(self, first: int, last: int) -> PaneTable | None:
        """A table that holds all cells of the panes from `first` to `last`, changed in place as cells are entered; None
        where it would be rather empty."""
        return self._index.table(first, last)

    def between(self, first: int, last: int) -> Ints:
        """The cells of the panes from `first` to `last`, as they came."""
        count = self.cells.count
        panes = self.cells.start[:count]
        return np.flatnonzero((panes >= first) & (panes <= last) & ~self.cells.gone[:count])

    def of_keys(self, those: Ints, cells: Ints) -> Ints:
        """Those of the cells that are of the keys of others, which are among them."""
        keys = self.cells.key[cells]
        wanted = np.zeros(int(keys.max()) + 1, dtype=bool)
        wanted[self.cells.key[those]] = True
        return cells[wanted[keys]]

    def drop_until(self, last: int) -> None:
        """Forget the panes up to `last`."""
        if self.oldest > last:
            return
        if (table := self.table(self.oldest, last)) is not None:
            self.cells.drop(table.between(self.oldest, last))
            self.oldest = last + 1
            self.tidy()
        else:
            here = self.cells.here
            self.cells.drop(here[self.cells.start[here] <= last])
            self.look_for_oldest()

    def look_for_oldest(self) -> None:
        """After cells were dropped."""
        self.oldest = int(self.cells.start[self.cells.here].min(initial=NEVER))
        self.tidy()

    def restore(self, snapshot: bytes | None, deltas: tuple[bytes, ...]) -> None:
        """Take over what was written, before any row came."""
        self.cells.restore(snapshot, deltas)
        self._number()
        self.look_for_oldest()

    def tidy(self) -> bool:
        """Forget cells that are gone, once they are the most; whether cells have other places now."""
        if not self.cells.tidy():
            return False
        self._number()
        return True

    def _number(self) -> None:
        """The place of each cell by its key and pane."""
        count = self.cells.count
        self._index = CellIndex()
        self._index.enter(self.cells.key[:count], self.cells.start[:count])
