"""Rows of a batch on their way into cells, and results on their way out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import pyarrow as pa

from penstock.stream.segment import Segments
from penstock.stream.word_index import Ints, Rows

Columns: TypeAlias = Callable[[], Mapping[str, pa.Array]]  # of some cells; asked for by any thread, see `stage.Frozen`


@dataclass(frozen=True)
class Folding:
    """Rows of a batch by the cells that they belong to, one for each of the segments; `times` in microseconds."""

    segments: Segments
    cells: Ints
    times: Ints

    @classmethod
    def of(cls, cells: Ints, times: Ints) -> Folding:
        """Of the cell of each row."""
        segments = Segments.of(cells)
        return cls(segments, segments.slots[segments.starts], times)

    def by_cell(self, values: np.ndarray) -> np.ndarray:
        return values[self.segments.order]


@dataclass(frozen=True)
class Ranges:
    """Results wanted: each of the cells `cells[lower:upper]`, at least one. Put in order of `lower`, they are in order
    of `upper` too, as windows of one length are."""

    cells: Ints
    lower: Ints
    upper: Ints

    @classmethod
    def single(cls, cells: Ints) -> Ranges:
        places = np.arange(len(cells))
        return cls(cells, places, places + 1)

    @property
    def last(self) -> Ints:
        """The last cell of each."""
        return self.cells[self.upper - 1]

    @cached_property
    def are_single(self) -> bool:
        """Whether each is of one cell."""
        return bool((self.upper - self.lower == 1).all())

    def take(self, order: Rows) -> Ranges:
        """The same results in another order."""
        return Ranges(self.cells, self.lower[order], self.upper[order])


class MeasureState(Protocol):
    """One aggregate. Null is no value."""

    def reserve(self, cells: int) -> None: ...
    def fold(self, folding: Folding, values: pa.Array) -> None: ...
    def merge(self, sources: Ints, targets: Ints) -> None:
        """Take the sources, each another cell, into the targets; a target may have several."""

    def keep(self, cells: Ints) -> None:
        """Forget all but these cells, which are numbered anew in this order."""

    def over(self, ranges: Ranges) -> pa.Array: ...
    def columns(self, cells: Ints) -> Columns: ...
    def load(self, cells: Ints, columns: Mapping[str, pa.Array]) -> None:
        """Make the state of these cells what `columns` gave."""


@runtime_checkable
class Additive(MeasureState, Protocol):
    """An aggregate that is made of sums over cells."""

    def addends(self, cells: Ints, most: int) -> list[Ints]:
        """What is to be added up of each cell, when at most so many are; none: the number of rows. A total may be taken
        modulo 2^64. There are more addends once what is folded in asks for them, never fewer."""

    def of_totals(self, totals: Sequence[Ints]) -> pa.Array:
        """The results, of the totals of the addends."""


def taken(cells: Ints, arrays: Mapping[str, Ints]) -> Columns:
    """The numbers of the cells in arrays; who takes them keeps no other thread from working."""
    return lambda: {name: pa.array(one.take(cells)) for name, one in arrays.items()}


def ranged(values: Ints, ranges: Ranges) -> Ints:
    """The sum of each range, of a value for each of its cells."""
    if ranges.are_single:
        return values[ranges.lower]
    before = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=before[1:])
    sums: Ints = before[ranges.upper] - before[ranges.lower]
    return sums


def counted(begin: Ints, lengths: Ints) -> Ints:
    """From each of `begin` so many whole numbers, one after the other."""
    return np.repeat(begin - np.cumsum(lengths) + lengths, lengths) + np.arange(int(lengths.sum()))
