"""Keys of rows as small whole numbers: the first key that comes is 0, the next new one 1, and so on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.stream.number import one_array
from penstock.stream.pieces import Pieces
from penstock.stream.word_index import Hash, Ints, Keys, Rows, WordIndex, Words, hashed

_KEY = "key"
_EMPTY = pa.array([], pa.large_binary())


class KeyIndex:
    """Slots of keys. Nulls are one key of their own, other than the empty text.

    >>> index = KeyIndex()
    >>> index.slots(pa.array(["b", "a", "b", None, ""])).tolist()
    [0, 1, 0, 2, 3]
    >>> index.find(pa.array(["a", "c"])).tolist()
    [1, -1]
    """

    def __init__(self, hash: Hash = hashed) -> None:
        self._index = WordIndex(hash)
        self._kept = Pieces(_table(_EMPTY))

    def __len__(self) -> int:
        return len(self._index)

    def slots(self, keys: pa.Array) -> Ints:
        """The slot of each key; keys that are new get the next ones, in the order of their first appearance."""
        packed = as_binary(keys)
        slots, new = self._index.slots(key_words(packed))
        if new.size:
            self._kept.add(_table(packed.take(pa.array(new))))
        return slots

    def slots_of(self, keys: pa.Array, words: Keys) -> tuple[Ints, Rows]:
        """As `slots`, of large binary keys that are all different and their words; and which of them are new."""
        slots, new = self._index.slots_of_different(words)
        if new.size:
            self._kept.add(_table(keys.take(pa.array(new))))
        return slots, new

    def enter(self, keys: pa.Array) -> None:
        """Give the next slots to keys that are all different and not there yet, as when an index is restored."""
        packed = as_binary(keys)
        self._index.enter(key_words(packed))
        if len(packed):
            self._kept.add(_table(packed))

    def find(self, keys: pa.Array) -> Ints:
        """The slot of each key, -1 for one that was never there."""
        return self._index.find(key_words(as_binary(keys)))

    def keys(self, first: int = 0) -> pa.Array:
        """The keys from slot `first` on, as large binary; `enter` of a new index with them restores this one. None of
        those before is looked at: what a round takes does not grow."""
        return one_array(self._kept.last(len(self) - first)[_KEY])

    def whole(self) -> pa.ChunkedArray:
        """All keys as they are now: nothing is copied, and they stay when others come."""
        return self._kept.whole()[_KEY]


def _table(keys: pa.Array) -> pa.Table:
    return pa.table({_KEY: keys})


def row_keys(rows: pa.Table, columns: Sequence[str]) -> pa.Array:
    """One key for each row: the column itself, or the values of several, each with its length so that none run into
    each other. Without columns all rows have the same key."""
    if len(columns) == 1:
        column = rows[columns[0]]
        return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if not columns:
        return pa.repeat(pa.scalar(b""), rows.num_rows)
    parts: list[pa.ChunkedArray] = []
    for name in columns:
        text = pc.cast(pc.cast(rows[name], pa.string()), pa.large_binary())
        length = pc.cast(pc.cast(pc.binary_length(text), pa.string()), pa.large_binary())
        parts += [pc.fill_null(length, b"-"), pc.fill_null(text, b"")]
    joined = pc.binary_join_element_wise(*parts, pa.scalar(b":", pa.large_binary()))
    return pa.concat_arrays(joined.chunks) if joined.num_chunks else _EMPTY


def has_null(rows: pa.Table, columns: Sequence[str]) -> np.ndarray:
    """Where one of the columns is null."""
    found = np.zeros(rows.num_rows, dtype=bool)
    for name in columns:
        if rows[name].null_count:
            found |= np.asarray(pc.is_null(rows[name]))
    return found


def as_binary(keys: pa.Array) -> pa.Array:
    """Keys of any kind as large binary; equal values have equal bytes."""
    if pa.types.is_large_binary(keys.type):
        return keys
    if pa.types.is_integer(keys.type):
        return _of_integers(pc.cast(keys, pa.int64()))
    if not (pa.types.is_string(keys.type) or pa.types.is_large_string(keys.type) or pa.types.is_binary(keys.type)):
        keys = pc.cast(keys, pa.string())
    return pc.cast(keys, pa.large_binary())


def _of_integers(keys: pa.Array) -> pa.Array:
    values = np.ascontiguousarray(pc.fill_null(keys, 0).to_numpy(zero_copy_only=False))
    starts = np.arange(len(values) + 1, dtype=np.int64) * 8
    valid = None if keys.null_count == 0 else pc.is_valid(keys).buffers()[1]
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(values), [valid, pa.py_buffer(starts), pa.py_buffer(values)], keys.null_count
    )


def key_words(keys: pa.Array) -> Keys:
    """The bytes of each key in words of eight, filled up with zeros."""
    count = len(keys)
    if count == 0:
        return Keys(np.zeros(0, dtype=np.int64), [])
    _, offsets, data = keys.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[keys.offset : keys.offset + count + 1]
    starts, lengths = ends[:-1], np.diff(ends)
    null = None if keys.null_count == 0 else ~np.asarray(keys.is_valid())
    if null is not None:
        lengths[null] = 0
    at_every_byte = _word_view(data, int(ends[-1]))
    words: list[tuple[Rows | None, Words]] = []
    for number in range((int(lengths.max()) + 7) // 8):
        having = np.flatnonzero(lengths > 8 * number)
        rest = lengths[having] - 8 * number
        unused = (8 * np.maximum(8 - rest, 0)).astype(np.uint64)
        word = at_every_byte[starts[having] + 8 * number]
        words.append((None if len(having) == count else having, (word << unused) >> unused))
    if null is not None:
        lengths[null] = -1
    return Keys(lengths, words)


def _word_view(data: pa.Buffer | None, size: int) -> Words:
    """The little-endian word that begins at each byte of `data`."""
    padded = np.zeros(size + 8, dtype=np.uint8)
    if data is not None and size:
        padded[:size] = np.frombuffer(data, dtype=np.uint8, count=size)
    view: Words = np.ndarray(shape=(size + 1,), dtype="<u8", buffer=padded, strides=(1,))
    return view
