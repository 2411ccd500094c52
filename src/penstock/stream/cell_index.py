"""Which cell a key has in a pane: read off a table of panes and keys while that is well filled, otherwise hashed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penstock.stream.word_index import Ints, Keys, WordIndex

_PER_CELL, _ALWAYS = 4, 1 << 20  # places of a table that may be empty: for each cell, and at any rate
_NOWHERE = -(1 << 62)
_FAR, _FEW = 8, 32  # one cell of so many, and so many at any rate, may lie in panes that are too far away for the table


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
        self._last = _NOWHERE  # the latest pane of a cell in it
        self._table = np.zeros((0, 0), dtype=np.int32)
        self._far = _Far()
        self._is_table, self._hashes = True, WordIndex()

    def find(self, keys: Ints, panes: Ints) -> Ints:
        """The cell of each key and pane, -1 where there is none."""
        if not self._is_table_of(keys, panes):
            return self._hashes.find(_words(keys, panes))
        near = self._is_near(panes)
        if near.all():
            return self._table.ravel()[self._places(keys, panes)].astype(np.int64)
        cells = self._far.find(keys, panes)
        cells[near] = self._table.ravel()[self._places(keys[near], panes[near])]
        return cells

    def enter(self, keys: Ints, panes: Ints) -> None:
        """Give the next cells to keys and panes that are all different and have none."""
        if self._is_table_of(keys, panes):
            near, cells = self._is_near(panes), self._count + np.arange(len(keys))
            self._table.ravel()[self._places(keys[near], panes[near])] = cells[near]
            self._last = int(panes[near].max(initial=self._last))
            if not near.all():
                self._far.enter(keys[~near], panes[~near], cells[~near])
        else:
            self._hashes.enter(_words(keys, panes))
        self._count += len(keys)

    def table(self, first: int, last: int) -> PaneTable | None:
        """A table that holds all cells of the panes from `first` to `last`, changed in place as cells are entered; None
        where it would be rather empty."""
        rows = self._last - self._first + 1
        if not self._is_table or not 0 < rows * self._table.shape[1] <= _PER_CELL * self._count:
            return None
        far = self._far.panes
        if ((far >= first) & (far <= last)).any():
            return None
        return PaneTable(self._table, self._first, self._last)

    def _places(self, keys: Ints, panes: Ints) -> Ints:
        places: Ints = (panes - self._first) * self._table.shape[1] + keys
        return places

    def _is_near(self, panes: Ints) -> npt.NDArray[np.bool_]:
        """Which lie in the table."""
        return (panes >= self._first) & (panes < self._first + len(self._table))

    def _is_table_of(self, keys: Ints, panes: Ints) -> bool:
        """Whether there is a table, as large as may be for these; it is given up for good when too many are far."""
        if self._is_table and len(keys) and not self._reserve(keys, panes):
            self._hashes.enter(_words(*self._entered()))
            self._table, self._far, self._is_table = np.zeros((0, 0), dtype=np.int32), _Far(), False
        return self._is_table

    def _reserve(self, keys: Ints, panes: Ints) -> bool:
        """Make the table larger; False when too much of it would be empty, or too many cells would not be in it."""
        rows, width = self._table.shape
        count, wide = self._count + len(keys), max(width, 1 << int(keys.max()).bit_length())
        first, last = self._reach(panes, (_PER_CELL * count + _ALWAYS) // wide)
        far = np.count_nonzero((panes < first) | (panes > last))
        if last - first + 1 < rows or (far and len(self._far.panes) + far > count // _FAR + _FEW):
            return False
        needed = last - first + 1
        if (needed, wide) != (rows, width):
            room = needed + needed // 2 if rows else needed  # more panes will come
            table = np.full((room, wide), -1, dtype=np.int32)
            table[self._first - first :][:rows, :width] = self._table
            self._first, self._table = first, table
            self._bring_near()
        return True

    def _reach(self, panes: Ints, room: int) -> tuple[int, int]:
        """The first and last pane of a table of at most so many panes, which has those that it had; less of them when
        that is too many."""
        rows = len(self._table)
        first = self._first if rows else int(np.partition(panes, len(panes) // 2)[len(panes) // 2])
        last = first + min(max(rows, 1), room) - 1
        last = int(panes[panes - first < room].max(initial=last))
        return int(panes[last - panes < room].min(initial=first)), last

    def _bring_near(self) -> None:
        """Take cells that the table has become large enough for into it."""
        far = self._far
        near = self._is_near(far.panes)
        if near.any():
            self._table.ravel()[self._places(far.keys[near], far.panes[near])] = far.cells[near]
            self._last = max(self._last, int(far.panes[near].max()))
            self._far = _Far()
            self._far.enter(far.keys[~near], far.panes[~near], far.cells[~near])

    def _entered(self) -> tuple[Ints, Ints]:
        """The keys and panes so far, in the order of their cells."""
        panes, keys = np.nonzero(self._table >= 0)
        cells = np.concatenate([self._table[panes, keys], self._far.cells])
        keys, panes = np.concatenate([keys, self._far.keys]), np.concatenate([panes + self._first, self._far.panes])
        order = np.argsort(cells)
        return keys[order], panes[order]


class _Far:
    """Cells of panes that are far away from the others."""

    def __init__(self) -> None:
        self.keys, self.panes, self.cells = (np.zeros(0, dtype=np.int64) for _ in range(3))
        self._index = WordIndex()

    def find(self, keys: Ints, panes: Ints) -> Ints:
        """The cell of each key and pane, -1 where there is none."""
        cells = self._index.find(_words(keys, panes))
        there = cells >= 0
        cells[there] = self.cells[cells[there]]
        return cells

    def enter(self, keys: Ints, panes: Ints, cells: Ints) -> None:
        self._index.enter(_words(keys, panes))
        self.keys, self.panes, self.cells = (
            np.concatenate(pair) for pair in ((self.keys, keys), (self.panes, panes), (self.cells, cells))
        )


def _words(keys: Ints, panes: Ints) -> Keys:
    return Keys(np.full(len(keys), 16, dtype=np.int64), [(None, keys.view(np.uint64)), (None, panes.view(np.uint64))])
