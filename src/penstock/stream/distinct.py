"""The different keys of a round's rows, found once for all stages that ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa

from penstock.stream.key_index import as_binary, key_words, row_keys
from penstock.stream.word_index import Ints, Keys, Rows


@dataclass(frozen=True)
class Distinct:
    """`keys` are all different, in the order of their first appearance; `of_row` says which one each row has. Null is
    a key of its own."""

    keys: pa.Array
    of_row: Ints

    @classmethod
    def of(cls, keys: pa.Array) -> Distinct:
        """Of keys of any kind.

        >>> found = Distinct.of(pa.array(["b", "a", "b", None]))
        >>> found.of_row.tolist(), found.first.tolist()
        ([0, 1, 0, 2], [0, 1, 3])
        """
        encoded = as_binary(keys).dictionary_encode("encode")
        return cls(encoded.dictionary, encoded.indices.to_numpy().astype(np.int64))

    @cached_property
    def words(self) -> Keys:
        return key_words(self.keys)

    @cached_property
    def first(self) -> Rows:
        """The row in which each of them comes first."""
        found = np.zeros(len(self.keys), dtype=np.intp)
        found[self.of_row[::-1]] = np.arange(len(self.of_row) - 1, -1, -1)
        return found


@dataclass
class RoundKeys:
    """What was asked for in a round, by the memory that the columns lie in, which is held so long."""

    _found: dict[tuple[object, ...], tuple[list[pa.ChunkedArray], Distinct]] = field(default_factory=dict)

    def of(self, rows: pa.Table, columns: Sequence[str]) -> Distinct:
        """The keys of `rows` by these columns, as `row_keys` makes them."""
        asked = [rows[name] for name in columns]
        place = (rows.num_rows, *(_place(column) for column in asked))
        if place not in self._found:
            self._found[place] = asked, Distinct.of(row_keys(rows, columns))
        return self._found[place][1]


def _place(column: pa.ChunkedArray) -> tuple[object, ...]:
    """The same for columns that are the same memory."""
    pieces = [
        (len(chunk), chunk.offset, *(None if one is None else one.address for one in chunk.buffers()))
        for chunk in column.chunks
    ]
    return (column.type, *pieces)
