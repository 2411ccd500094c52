"""Panes in order of key and time, and the windows that are made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from penstock.sorting import stable_order
from penstock.stream.folding import Ranges, counted
from penstock.stream.word_index import Ints, Rows

_NEAR = 20  # bits


@dataclass(frozen=True)
class PaneRun:
    """Cells in order of (key, pane). Windows are `length` panes long; their cells lie side by side here, so that a
    window is a range of places, and what it holds a combination of what its panes hold. `word` ascends: the key, then
    a number of the pane."""

    cells: Ints
    key: Ints
    pane: Ints
    word: Ints

    @classmethod
    def of(cls, cells: Ints, keys: Ints, panes: Ints, length: int) -> PaneRun:
        numbers = near(panes, length) + length  # so that a window that begins before the first is of no other key
        words = (keys << int(numbers.max(initial=0)).bit_length()) | numbers
        order = stable_order(words)
        return cls(cells[order], keys[order], panes[order], words[order])

    def ending_with(self, places: Rows, length: int) -> Ranges:
        """The window that ends with each of these panes."""
        return Ranges(self.cells, np.searchsorted(self.word, self.word[places] - length + 1), places + 1)

    def ending_between(self, first: int, last: int, length: int) -> tuple[Ranges, Ints]:
        """All windows that end with a pane from `first` to `last` and hold a cell, and the panes that they end with.

        A cell is the last one of a window until the next cell of its key comes in, and the first one after the cell
        before it went out. Counted by either, the windows come in the same order: by key, then by end.
        """
        same = self.key[1:] == self.key[:-1]
        begin, end = np.maximum(self.pane, first), np.minimum(self.pane + length, last + 1)
        until, since = end.copy(), begin.copy()
        until[:-1] = np.where(same, np.minimum(end[:-1], self.pane[1:]), end[:-1])
        since[1:] = np.where(same, np.maximum(begin[1:], self.pane[:-1] + length), begin[1:])
        as_last, as_first = np.maximum(until - begin, 0), np.maximum(end - since, 0)
        places = np.arange(len(self.cells))
        ranges = Ranges(self.cells, np.repeat(places, as_first), np.repeat(places, as_last) + 1)
        return ranges, counted(begin, as_last)


def near(panes: Ints, length: int = 1) -> Ints:
    """The panes as small numbers in their order that keep every distance below `length`: how far they are from the
    first or, when one is far away, with every gap cut to `length`."""
    if len(panes) == 0:
        return panes
    distance: Ints = panes - panes.min()
    if int(distance.max()).bit_length() <= _NEAR:
        return distance
    distinct, ranks = np.unique(panes, return_inverse=True)
    steps = np.minimum(np.diff(distinct, prepend=distinct[:1]), length)
    return np.cumsum(steps)[ranks]
