"""Rows that tell of windows, and what they are computed of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from penstock.spec.stream import FINAL, VERSION, WINDOW_END, WINDOW_START
from penstock.stream.cells import Cells
from penstock.stream.folding import Ranges, ranged
from penstock.stream.number import Flags
from penstock.stream.schema import DELETED, INSTANT
from penstock.stream.word_index import Ints, Rows


class Contents(Protocol):
    """What windows are made of."""

    @property
    def last(self) -> Ints:
        """The last cell of each."""

    def take(self, order: Rows) -> Contents:
        """The same windows in another order."""

    @property
    def rows(self) -> Ints:
        """How many rows each holds."""

    def results(self) -> list[pa.Array]:
        """What each aggregate says of them."""


@dataclass(frozen=True)
class CellContents:
    """Windows of cells that lie side by side."""

    cells: Cells
    ranges: Ranges

    @property
    def last(self) -> Ints:
        return self.ranges.last

    def take(self, order: Rows) -> CellContents:
        return CellContents(self.cells, self.ranges.take(order))

    @property
    def rows(self) -> Ints:
        return ranged(self.cells.rows[self.ranges.cells], self.ranges)

    def results(self) -> list[pa.Array]:
        return [measure.over(self.ranges) for measure in self.cells.measures]


def told(
    cells: Cells,
    schema: pa.Schema,
    contents: Contents,
    bounds: tuple[Ints, Ints],
    version: Ints,
    final: bool | Flags,
) -> pa.Table:
    """Rows of windows: what they are computed of, start and end, version."""
    start, end = (pa.array(bound).view(INSTANT) for bound in bounds)
    finals = pa.array(np.broadcast_to(np.asarray(final), version.shape))
    columns = [*cells.by(contents.last).columns, *contents.results()]
    names = {WINDOW_START, WINDOW_END, VERSION, FINAL, DELETED}
    own = dict(zip((name for name in schema.names if name not in names), columns, strict=False))
    if DELETED in schema.names:
        own[DELETED] = pa.repeat(pa.scalar(False), len(version))
    own |= {WINDOW_START: start, WINDOW_END: end, VERSION: pa.array(version), FINAL: finals}
    return pa.table([own[name] for name in schema.names], schema=schema)
