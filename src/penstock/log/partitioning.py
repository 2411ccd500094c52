"""Which partition a row goes to: a hash of its key that is the same everywhere and for ever.

The hash reads the key as little-endian words of eight bytes, the last filled up with zeros, and mixes each into a
64-bit state that begins with the length of the key; the finish is that of MurmurHash3 (Austin Appleby, public domain).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from penstock.log.protocol import LogError

LONGEST_KEY = 1024  # bytes
_MULTIPLY = np.uint64(0x9E3779B97F4A7C15)
_FINISH = (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53))
_SHIFT = np.uint64(33)
_WORD = 8


def key_hashes(keys: pa.Array) -> npt.NDArray[np.uint64]:
    """One 64-bit hash for each binary key; that of a null key is that of an empty one.

    >>> [hex(one) for one in key_hashes(pa.array([b"", b"default/42"]))]
    ['0x0', '0x120b54e40821af4f']
    """
    keys = pc.cast(pc.fill_null(keys, b""), pa.large_binary())
    _, offsets_buffer, data = keys.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int64)[keys.offset : keys.offset + len(keys) + 1]
    starts, lengths = offsets[:-1], np.diff(offsets)
    if len(lengths) and lengths.max() > LONGEST_KEY:
        raise LogError("A key is too long", expected=f"at most {LONGEST_KEY} bytes", found=f"{lengths.max()} bytes")
    end = int(offsets[-1])
    padded = np.zeros(end + _WORD, np.uint8)
    if data is not None:
        padded[:end] = np.frombuffer(data, np.uint8, count=end)
    words = np.ndarray((end + 1,), np.dtype("<u8"), buffer=padded.data, strides=(1,))
    state = lengths.astype(np.uint64) * _MULTIPLY
    for at in range(0, int(lengths.max(initial=0)), _WORD):
        rows = np.flatnonzero(lengths > at)
        left = np.minimum(lengths[rows] - at, _WORD).astype(np.uint64)
        mask = np.uint64(0xFFFFFFFFFFFFFFFF) >> ((np.uint64(_WORD) - left) * np.uint64(8))
        mixed = (state[rows] ^ (words[starts[rows] + at] & mask)) * _MULTIPLY
        state[rows] = mixed ^ (mixed >> _SHIFT)
    return _finished(state)


def partitions(keys: pa.Array, count: int, *, sequence: int) -> npt.NDArray[np.int64]:
    """The partition of each row: by its key; rows without a key go together, by the number of their batch."""
    found = (key_hashes(keys) % np.uint64(count)).astype(np.int64)
    if keys.null_count:
        found[pc.is_null(keys).to_numpy(zero_copy_only=False)] = sequence % count
    return found


def _finished(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    for factor in _FINISH:
        state = (state ^ (state >> _SHIFT)) * factor
    return state ^ (state >> _SHIFT)


def partition_of(key: bytes, count: int) -> int:
    """The partition of one key."""
    return int(partitions(pa.array([key]), count, sequence=0)[0])
