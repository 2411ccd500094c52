"""Rows that come a few at a time and never change: kept so that neither adding some nor taking some copies all."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from penstock.sorting import stable_order
from penstock.stream.word_index import Ints

_TIMES = 16  # a piece has at least so many times the rows of the next, so that there are few of them


class Pieces:
    """Tables one after the other. Of a million rows that came a hundred at a time there are four at most, and each row
    was copied some dozen times in all.

    >>> pieces = Pieces(pa.table({"k": ["a"]}))
    >>> pieces.add(pa.table({"k": ["b", "c"]}))
    >>> len(pieces), pieces.take(np.array([2, 0])).column("k").to_pylist()
    (3, ['c', 'a'])
    """

    def __init__(self, rows: pa.Table) -> None:
        self._pieces = [rows.combine_chunks()]
        self._ends = np.array([rows.num_rows])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def add(self, rows: pa.Table) -> None:
        pieces = [*self._pieces, rows]
        while len(pieces) > 1 and pieces[-2].num_rows <= _TIMES * pieces[-1].num_rows:
            pieces[-2:] = [pa.concat_tables(pieces[-2:])]
        self._pieces = [*pieces[:-1], pieces[-1].combine_chunks()]
        self._ends = np.cumsum([piece.num_rows for piece in pieces])

    def whole(self) -> pa.Table:
        """All rows as they are now, in chunks: nothing is copied, and it stays when others are added."""
        return pa.concat_tables(self._pieces)

    def last(self, count: int) -> pa.Table:
        """The newest rows, in chunks; only the pieces that hold them are looked at."""
        first = max(len(self) - count, 0)
        piece = int(np.searchsorted(self._ends, first, side="right"))
        held = self._pieces[min(piece, len(self._pieces) - 1) :]
        return pa.concat_tables(held).slice(first - len(self) + sum(one.num_rows for one in held))

    def take(self, rows: Ints) -> pa.Table:
        """The rows with these numbers, in their order."""
        if len(self._pieces) == 1:
            return self._pieces[0].take(pa.array(rows))
        of_piece = np.searchsorted(self._ends, rows, side="right")
        order = stable_order(of_piece)
        bounds = np.searchsorted(of_piece[order], np.arange(len(self._pieces) + 1))
        begins, found = self._ends - [piece.num_rows for piece in self._pieces], []
        for number in np.flatnonzero(np.diff(bounds)):
            these = rows[order[bounds[number] : bounds[number + 1]]] - begins[number]
            found.append(self._pieces[number].take(pa.array(these)))
        if len(found) < 2:
            return found[0] if found else self._pieces[0].slice(0, 0)
        places = np.empty(len(rows), dtype=np.int64)
        places[order] = np.arange(len(rows))
        return pa.concat_tables(found).combine_chunks().take(pa.array(places))
