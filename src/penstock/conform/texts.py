"""What can be told of many texts at once from their bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Flags: TypeAlias = npt.NDArray[np.bool_]
_Bytes: TypeAlias = npt.NDArray[np.uint8]


def _by_first_byte() -> tuple[_Bytes, _Bytes, _Bytes]:
    """How many bytes a character has, and between what its second one lies (RFC 3629); 0 for bytes that begin none."""
    length, low, high = np.zeros(256, np.uint8), np.full(256, 0x80, np.uint8), np.full(256, 0xBF, np.uint8)
    length[:0x80], length[0xC2:0xE0], length[0xE0:0xF0], length[0xF0:0xF5] = 1, 2, 3, 4
    low[0xE0], high[0xED], low[0xF0], high[0xF4] = 0xA0, 0x9F, 0x90, 0x8F
    return length, low, high


_LENGTH, _LOW, _HIGH = _by_first_byte()


def decoded(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same bytes as text, null where they are none in UTF-8."""
    return pa.chunked_array([_decoded(chunk) for chunk in values.chunks], pa.string())


def without(values: pa.ChunkedArray, rows: Iterable[int]) -> pa.ChunkedArray:
    """All but a few ascending `rows`. Nothing is copied."""
    kept, start = [], 0
    for row in rows:
        kept.append(values.slice(start, row - start))
        start = row + 1
    kept.append(values.slice(start))
    return pa.chunked_array([chunk for one in kept for chunk in one.chunks], values.type)


def long_numbers(texts: pa.ChunkedArray, digits: int) -> Flags:
    """Which texts may have `digits` characters of a number in a row; the others have not."""
    found = np.zeros(len(texts), dtype=bool)
    start = 0
    for chunk in texts.chunks:
        data, ends = _bytes(chunk)
        found[start + _rows(_runs(data - np.uint8(ord(".")) <= ord("9") - ord("."), digits), ends)] = True
        start += len(chunk)
    return found


def _decoded(chunk: pa.Array) -> pa.Array:
    try:
        return chunk.cast(pa.string())
    except pa.ArrowInvalid:
        data, ends = _bytes(chunk)
    valid = np.asarray(pc.is_valid(chunk)).copy()
    valid[_rows(_misplaced(data, ends), ends)] = False
    _, offsets, all_data = chunk.buffers()
    offsets = offsets.slice(chunk.offset * 4, (len(chunk) + 1) * 4)
    return pa.Array.from_buffers(pa.string(), len(chunk), [pa.array(valid).buffers()[1], offsets, all_data])


def _bytes(chunk: pa.Array) -> tuple[_Bytes, npt.NDArray[np.int64]]:
    """The bytes of all values one after the other, and where each ends."""
    _, offsets, data = chunk.buffers()
    if len(chunk) == 0 or data is None:
        return np.empty(0, np.uint8), np.zeros(len(chunk), np.int64)
    at = np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1].astype(np.int64)
    return np.frombuffer(data, np.uint8)[at[0] : at[-1]], at[1:] - at[0]


def _rows(places: npt.NDArray[np.intp], ends: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """The row of each place."""
    return np.searchsorted(ends, places, side="right")


def _runs(marked: Flags, length: int) -> npt.NDArray[np.intp]:
    """Where `length` marked places in a row begin."""
    reach = 1
    while reach < length:
        step = min(reach, length - reach)
        marked = marked[:-step] & marked[step:]
        reach += step
    return np.flatnonzero(marked)


def _misplaced(data: _Bytes, ends: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Where bytes stand that are no part of a character, or begin one that its row does not end."""
    places = np.flatnonzero(data >= 0x80)
    first = data[places]
    begins = (first & 0xC0) != 0x80
    leads, length = places[begins], _LENGTH[first[begins]]
    padded = np.append(data, np.zeros(3, np.uint8))
    second = padded[leads + 1]
    whole = (length > 1) & (second >= _LOW[first[begins]]) & (second <= _HIGH[first[begins]])
    whole &= leads + length <= ends[_rows(leads, ends)]
    for step in (2, 3):
        whole &= (length <= step) | ((padded[leads + step] & 0xC0) == 0x80)
    within = np.concatenate([leads[whole & (length > step)] + step for step in (1, 2, 3)])
    return np.concatenate([leads[~whole], np.setdiff1d(places[~begins], within, assume_unique=True)])
