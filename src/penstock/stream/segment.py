"""Rows of a batch brought together by key, each key's rows in the order in which they came."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from penstock.sorting import stable_order
from penstock.stream.word_index import Ints, Rows


@dataclass(frozen=True)
class Segments:
    """`order` puts the rows key by key; `slots` are in that order. `starts` and `ends` (inclusive) are the places of the
    first and last row of each key in it."""

    order: Rows
    slots: Ints
    starts: Rows
    ends: Rows

    @classmethod
    def of(cls, slots: Ints) -> Segments:
        order = stable_order(slots)
        ordered = slots[order]
        begins = np.ones(len(slots), dtype=bool)
        begins[1:] = ordered[1:] != ordered[:-1]
        starts = np.flatnonzero(begins)
        ends = np.concatenate([starts[1:], [len(slots)]]) - 1 if len(slots) else starts
        return cls(order, ordered, starts, ends)

    @cached_property
    def sizes(self) -> Ints:
        """How many rows each key has."""
        return self.ends - self.starts + 1

    @cached_property
    def first(self) -> Rows:
        """Of each row in order, the place where its key begins."""
        return np.repeat(self.starts, self.sizes)

    def before(self, values: Ints) -> Ints:
        """The sum over the earlier rows of the same key. A sum of all rows may leave 64 bits, one of a key may not."""
        exclusive = np.cumsum(values) - values
        return exclusive - exclusive[self.first]

    def highest(self, values: Ints) -> Ints:
        """The largest value of the row and the earlier rows of the same key."""
        if len(values) == 0:
            return values
        distinct, ranks = np.unique(values, return_inverse=True)
        step = self.first * len(distinct)  # a key that comes after another begins above it
        return distinct[np.maximum.accumulate(ranks + step) - step]
