"""Which cell a key has in a pane: read off a table of panes and keys while that is well filled, otherwise hashed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penstock.stream.word_index import Ints, Keys, WordIndex

_PER_CELL, _ALWAYS = 4, 1 << 20  # places of a table that may be empty: for each cell, and at any rate


@dataclass(frozen=True)
class PaneTable:
    """The cell of each pane (from `first` to `last`, and room for more) and key, -1 for none."""

    cells: npt.NDArray[np.int32]
    first: int
    last: int

    def between(self, first: int, last: int) -> Ints:
        """The cells of the panes from `first` to `last`."""
        cells = self.cells[max(first - self.first, 0) : max(last - self.first + 1, 0)].ravel()
        return cells[cells >= 0].astype(np.int64)


class CellIndex:
    """Cells are numbered as they are entered: 0, 1, ...

    >>> index = CellIndex()
    >>> index.enter(np.array([0, 1]), np.array([70, 70]))
    >>> index.find(np.array([1, 1]), np.array([70, 71])).tolist()
    [1, -1]
    """

    def __init__(self) -> None:
        self._count = self._first = 0  # `_first`: the pane that the table begins with
        self._last = -1  # the latest pane of a cell in it
        self._table = np.zeros((0, 0), dtype=np.int32)
        self._is_table, self._hashes = True, WordIndex()

    def find(self, keys: Ints, panes: Ints) -> Ints:
        """The cell of each key and pane, -1 where there is none."""
        if not self._is_table_of(keys, panes):
            return self._hashes.find(_words(keys, panes))
        return self._table.ravel()[self._places(keys, panes)].astype(np.int64)

    def enter(self, keys: Ints, panes: Ints) -> None:
        """Give the next cells to keys and panes that are all different and have none."""
        if self._is_table_of(keys, panes):
            self._table.ravel()[self._places(keys, panes)] = self._count + np.arange(len(keys))
        else:
            self._hashes.enter(_words(keys, panes))
        self._count += len(keys)

    def table(self) -> PaneTable | None:
        """All of it as a table, which is changed in place as cells are entered; None where it would be rather empty."""
        rows = self._last - self._first + 1
        if not self._is_table or rows * self._table.shape[1] > _PER_CELL * self._count:
            return None
        return PaneTable(self._table, self._first, self._last)

    def _places(self, keys: Ints, panes: Ints) -> Ints:
        places: Ints = (panes - self._first) * self._table.shape[1] + keys
        return places

    def _is_table_of(self, keys: Ints, panes: Ints) -> bool:
        """Whether these are in the table, which is given up for good where it would be too large."""
        if self._is_table and len(keys) and not self._reserve(keys, panes):
            self._hashes.enter(_words(*self._entered()))
            self._table, self._is_table = np.zeros((0, 0), dtype=np.int32), False
        return self._is_table

    def _reserve(self, keys: Ints, panes: Ints) -> bool:
        """Make the table large enough; False when most of it would be empty."""
        rows, width = self._table.shape
        first, last = int(panes.min()), int(panes.max())
        self._last = max(last, self._last) if rows else last
        if rows:
            first, last = min(first, self._first), max(last, self._first + rows - 1)
        needed, wide = last - first + 1, max(width, 1 << int(keys.max()).bit_length())
        if needed * wide > _PER_CELL * (self._count + len(keys)) + _ALWAYS:
            return False
        if (needed, wide) != (rows, width):
            room = needed + needed // 2 if rows else needed  # more panes will come
            table = np.full((room, wide), -1, dtype=np.int32)
            table[self._first - first :][:rows, :width] = self._table
            self._first, self._table = first, table
        return True

    def _entered(self) -> tuple[Ints, Ints]:
        """The keys and panes so far, in the order of their cells."""
        panes, keys = np.nonzero(self._table >= 0)
        order = np.argsort(self._table[panes, keys])
        return keys[order], panes[order] + self._first


def _words(keys: Ints, panes: Ints) -> Keys:
    return Keys(np.full(len(keys), 16, dtype=np.int64), [(None, keys.view(np.uint64)), (None, panes.view(np.uint64))])
