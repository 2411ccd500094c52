"""A column that rows are chosen by: its values in order, each once, and of every row which of them it has.

A condition is met by values that follow one another, so it is a span of ranks whatever the values are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from penstock.store.protocol import Compare, Condition, Stored

Ranks: TypeAlias = npt.NDArray[np.unsignedinteger[Any]]
Places: TypeAlias = npt.NDArray[np.int64]
Which: TypeAlias = npt.NDArray[np.bool_]

_OFFSET = 4  # bytes
_MANY = 16  # times more are made objects of Python rather than looked up where they stand


@dataclass(frozen=True)
class Ranked:
    """`values` are sorted and none is null; a rank is the place of a value among them, counted from 1, and 0 where a row
    has none."""

    values: pa.Array
    ranks: Ranks

    def chosen(self, condition: Condition) -> Which | None:
        """Which rows meet a condition; None where none does."""
        first, after = self._span(condition)
        if first == after:
            return None
        chosen: Which
        if after == first + 1:
            chosen = self.ranks == first
        else:
            chosen = (
                self.ranks - self.ranks.dtype.type(first) < after - first
            )  # what is below turns into a large number
        return chosen

    def _span(self, condition: Condition) -> tuple[int, int]:
        """The first of the ranks that meet a condition, and the one after the last."""
        value = (
            condition.value.encode("utf-8", "surrogatepass") if isinstance(condition.value, str) else condition.value
        )
        values = self.searched
        first = bisect_left(values, value)
        after = first + 1 if first < len(values) and values[first] == value else first
        match condition.compare:
            case Compare.EQUAL:
                return first + 1, after + 1
            case Compare.AT_LEAST:
                return first + 1, len(values) + 1
            case Compare.AT_MOST:
                return 1, after + 1

    @cached_property
    def searched(self) -> Sequence[Any]:
        """The values where they stand in the file, to be looked up one by one."""
        if pa.types.is_string(self.values.type):
            return Texts(self.values)
        return memoryview(self.values.to_numpy())


class Texts(Sequence[bytes]):
    """Texts as bytes, which sort as SQL's do."""

    def __init__(self, texts: pa.Array) -> None:
        _, offsets, data = texts.buffers()
        begin, size = texts.offset * _OFFSET, (len(texts) + 1) * _OFFSET
        self._ends = memoryview(offsets or bytes(size))[begin : begin + size].cast("i")
        self._data = memoryview(data or b"")

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, place: Any) -> Any:
        return self._data[self._ends[place] : self._ends[place + 1]].tobytes()


def ranked(given: Sequence[Stored]) -> Ranked:
    """The column of some values; what is no number counts as absent.

    >>> ranked(["b", None, "a", "b"]).ranks.tolist()
    [2, 0, 1, 2]
    """
    column = pa.array(given, from_pandas=True)
    if pa.types.is_null(column.type):
        return Ranked(pa.array([], pa.string()), np.zeros(len(given), np.uint8))
    if pa.types.is_floating(column.type):
        column = pc.add(column, 0.0)  # there is one zero
    encoded = column.dictionary_encode()
    order = pc.array_sort_indices(encoded.dictionary)
    ranks = np.zeros(len(order) + 1, np.uint32)
    ranks[np.asarray(order)] = np.arange(1, len(order) + 1)
    places = encoded.indices.fill_null(len(order)).to_numpy()  # the last of the ranks is that of no value
    return _smallest(encoded.dictionary.take(order), ranks[places])


def merged(former: Ranked, came: Sequence[Stored], source: Places) -> Ranked:
    """The column of rows that a former one has, or that came, of which `source` are the places in both one after the
    other. Values that no row has any more are gone.

    >>> merged(ranked(["b", "d"]), ["c", "d"], np.array([2, 0, 3])).ranks.tolist()
    [2, 1, 3]
    """
    new = ranked(came)
    if not len(former.values):
        return _used(new.values, np.concatenate([former.ranks, new.ranks])[source])
    places, is_there = _found(former, new)
    before = places[~is_there]  # before which of the known values those stand that are none of them
    put = np.cumsum(np.bincount(before, minlength=len(former.values) + 1))[
        :-1
    ]  # how many before each of the known ones
    of_known = np.arange(1, len(former.values) + 1) + put
    of_new = np.empty(len(places), np.int64)
    of_new[is_there] = of_known[places[is_there]]
    of_new[~is_there] = before + np.arange(1, len(before) + 1)
    ranks = np.concatenate([np.r_[0, of_known][former.ranks], np.r_[0, of_new][new.ranks]])[source]
    if not len(before):
        return _used(former.values, ranks)
    order = np.empty(len(former.values) + len(before), np.int64)
    order[of_known - 1] = np.arange(len(former.values))
    order[of_new[~is_there] - 1] = len(former.values) + np.flatnonzero(~is_there)
    return _used(pa.concat_arrays([former.values, new.values.cast(former.values.type)]), ranks, order)


def _found(former: Ranked, new: Ranked) -> tuple[Places, Which]:
    """Where the values of one column stand among those of another, or before which of them; and whether they are there."""
    if len(new.values) * _MANY < len(former.values):
        known, wanted = former.searched, list(new.searched)
    else:
        known, wanted = former.values.to_pylist(), new.values.to_pylist()
    places = [bisect_left(known, one) for one in wanted]
    is_there = [place < len(known) and known[place] == one for place, one in zip(places, wanted, strict=True)]
    return np.array(places, np.int64), np.array(is_there, np.bool_)


def _used(values: pa.Array, ranks: npt.NDArray[np.integer[Any]], order: Places | None = None) -> Ranked:
    """Without the values that no row has; `order` is theirs where they do not stand in it."""
    is_used = np.bincount(ranks, minlength=(len(values) if order is None else len(order)) + 1) > 0
    is_used[0] = False
    if order is None and np.count_nonzero(is_used) == len(values):
        return _smallest(values, ranks)
    kept = np.flatnonzero(is_used[1:])
    return _smallest(values.take(kept if order is None else order[kept]), np.cumsum(is_used)[ranks])


def _smallest(values: pa.Array, ranks: npt.NDArray[np.integer[Any]]) -> Ranked:
    return Ranked(values, ranks.astype(np.min_scalar_type(len(values) + 1)))
