"""A hash index of keys that are rows of 64-bit words, in NumPy: key -> dense slot, in order of first appearance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Words: TypeAlias = npt.NDArray[np.uint64]
Rows: TypeAlias = npt.NDArray[np.intp]
Hash: TypeAlias = Callable[["Keys"], Words]

_ODD, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)
_SMALLEST = 1 << 10
_MOVED = 8  # slots that enter the next table for each new one


@dataclass(frozen=True)
class Keys:
    """Keys of a batch. `lengths` tell keys of equal words apart (bytes of a text; -1: null). `words[w]` are the rows
    that have a word `w`, None for all, and that word of each."""

    lengths: Ints
    words: Sequence[tuple[Rows | None, Words]]

    def word_counts(self) -> Ints:
        counts = np.zeros(len(self.lengths), dtype=np.int64)
        for rows, _ in self.words:
            if rows is None:
                counts += 1
            else:
                counts[rows] += 1
        return counts


def hashed(keys: Keys) -> Words:
    """A 64-bit hash of each key."""
    state = keys.lengths.astype(np.uint64) * _ODD
    for rows, word in keys.words:
        if rows is None:
            state = _mixed(state, word)
        else:
            state[rows] = _mixed(state[rows], word)
    return state


def _mixed(state: Words, word: Words) -> Words:
    state = (state ^ word) * _MIX
    state ^= state >> _HALF
    state *= _ODD
    return state ^ (state >> _HALF)


class WordIndex:
    """Open addressing with linear probing; equal hashes are verified word by word, so a collision costs time only."""

    def __init__(self, hash: Hash = hashed) -> None:
        self._hash = hash
        self._count = 0
        self._table = np.full(_SMALLEST, -1, dtype=np.int32)
        self._larger: npt.NDArray[np.int32] | None = None  # the next table, which has the slots before `_moved`
        self._moved = 0
        self._hashes = np.zeros(_SMALLEST // 2, dtype=np.uint64)
        self._lengths = np.zeros(_SMALLEST // 2, dtype=np.int64)
        self._starts = np.zeros(_SMALLEST // 2, dtype=np.int64)
        self._heap = np.zeros(_SMALLEST, dtype=np.uint64)
        self._used = 0  # words of the heap

    def __len__(self) -> int:
        return self._count

    def find(self, keys: Keys) -> Ints:
        """The slot of each key, -1 where it is not there."""
        return self._find(keys, self._hash(keys), np.arange(len(keys.lengths)))

    def slots(self, keys: Keys) -> tuple[Ints, Rows]:
        """The slot of each key, and the rows whose keys were new, in the order of their slots."""
        hashes = self._hash(keys)
        found = self._find(keys, hashes, np.arange(len(hashes)))
        added: list[Rows] = []
        missing = np.flatnonzero(found < 0)
        while missing.size:  # once more only where different keys have one hash
            _, first = np.unique(hashes[missing], return_index=True)
            rows = missing[np.sort(first)]
            self._add(keys, hashes, rows)
            added.append(rows)
            found[missing] = self._find(keys, hashes, missing)
            missing = missing[found[missing] < 0]
        return found, np.concatenate(added) if added else np.zeros(0, dtype=np.intp)

    def slots_of_different(self, keys: Keys) -> tuple[Ints, Rows]:
        """As `slots`, of keys that are all different."""
        hashes = self._hash(keys)
        found = self._find(keys, hashes, np.arange(len(hashes)))
        new = np.flatnonzero(found < 0)
        if new.size:
            found[new] = self._count + np.arange(len(new))
            self._add(keys, hashes, new)
        return found, new

    def enter(self, keys: Keys) -> None:
        """Give the next slots to keys that are all different and not there yet."""
        self._add(keys, self._hash(keys), np.arange(len(keys.lengths)))

    def _find(self, keys: Keys, hashes: Words, rows: Rows) -> Ints:
        found = np.full(len(rows), -1, dtype=np.int64)
        mask = len(self._table) - 1
        pending = np.arange(len(rows))
        at = (hashes[rows] & np.uint64(mask)).astype(np.intp)
        while pending.size:
            slots = self._table[at]
            used = slots >= 0
            if not used.all():
                pending, at, slots = pending[used], at[used], slots[used]
            same = self._hashes[slots] == hashes[rows[pending]]
            alike = np.flatnonzero(same)
            if alike.size:  # of those that are looked for at a second place and further few are
                same[alike] = self._equal(keys, rows[pending[alike]], slots[alike])
                found[pending[same]] = slots[same]
            other = ~same
            pending, at = pending[other], (at[other] + 1) & mask
        return found

    def _equal(self, keys: Keys, rows: Rows, slots: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        same: npt.NDArray[np.bool_] = self._lengths[slots] == keys.lengths[rows]
        starts = self._starts[slots]
        for number, (having, words) in enumerate(keys.words):
            if having is None:
                mine, these = slice(None), words[rows]
            else:
                place = np.searchsorted(having, rows)
                has = place < len(having)
                has[has] = having[place[has]] == rows[has]
                mine, these = np.flatnonzero(has & same), words[place[has & same]]  # type: ignore[assignment]
            same[mine] &= self._heap[np.minimum(starts[mine] + number, self._used)] == these
        return same

    def _add(self, keys: Keys, hashes: Words, rows: Rows) -> None:
        first, new = self._count, len(rows)
        counts = keys.word_counts()[rows]
        starts = self._used + np.concatenate([[0], np.cumsum(counts)])
        self._reserve(first + new, int(starts[-1]) + 1)
        slots = slice(first, first + new)
        self._hashes[slots], self._lengths[slots] = hashes[rows], keys.lengths[rows]
        self._starts[slots] = starts[:-1]
        for number, (having, words) in enumerate(keys.words):
            if having is None:
                self._heap[starts[:-1] + number] = words[rows]
            else:
                mine = np.flatnonzero(counts > number)
                self._heap[starts[mine] + number] = words[np.searchsorted(having, rows[mine])]
        self._count, self._used = first + new, int(starts[-1])
        if 8 * self._count > 5 * len(self._table):
            self._table, self._larger = self._empty(), None
            first = 0
        self._enter(self._table, first, self._count)
        self._move(_MOVED * new)

    def _move(self, most: int) -> None:
        """Half full, the table is replaced by a larger one, which some more slots enter with each key that comes: a
        million at once would take a tenth of a second. With the last of them it takes the place of the other, long
        before that is full."""
        if self._larger is None:
            if 2 * self._count <= len(self._table):
                return
            self._larger, self._moved = self._empty(), 0
        first, self._moved = self._moved, min(self._moved + most, self._count)
        self._enter(self._larger, first, self._moved)
        if self._moved == self._count:
            self._table, self._larger = self._larger, None

    def _empty(self) -> npt.NDArray[np.int32]:
        return np.full(_room(4 * self._count), -1, dtype=np.int32)

    def _enter(self, table: npt.NDArray[np.int32], first: int, last: int) -> None:
        """The slots from `first` up to, not including, `last`."""
        mask, slots = len(table) - 1, np.arange(first, last)
        at = (self._hashes[slots] & np.uint64(mask)).astype(np.intp)
        while slots.size:
            free = table[at] < 0
            table[at[free]] = slots[free]
            lost = table[at] != slots
            slots, at = slots[lost], (at[lost] + 1) & mask

    def _reserve(self, slots: int, words: int) -> None:
        if slots > len(self._hashes):
            self._hashes, self._lengths, self._starts = (
                grown(one, slots) for one in (self._hashes, self._lengths, self._starts)
            )
        if words > len(self._heap):
            self._heap = grown(self._heap, words)


def grown(array: np.ndarray, least: int) -> np.ndarray:
    """The array with room for `least` elements or more; what is new is zero."""
    if least <= len(array):
        return array
    larger = np.zeros((max(least, 2 * len(array)), *array.shape[1:]), dtype=array.dtype)
    larger[: len(array)] = array
    return larger


def _room(least: int) -> int:
    return 1 << max(least - 1, _SMALLEST - 1).bit_length()
