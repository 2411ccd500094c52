"""Chance by number: the same seed, name and number give the same draw, whatever was drawn before.

The mixing is that of SplitMix64 (Sebastiano Vigna, public domain).
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
import numpy.typing as npt

from simulator.chance import Floats
from simulator.column import Ints

Picks = npt.NDArray[np.int32]
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
_TO_UNIT = np.uint64(11)
SLOTS = 1 << 16


class Draws:
    """The draws of one seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def unit(self, name: str, numbers: Ints) -> Floats:
        """From 0 up to 1."""
        return (self._mixed(name, numbers) >> _TO_UNIT) * np.float64(2.0**-53)

    def whole(self, name: str, low: int, high: int, numbers: Ints) -> Ints:
        """Whole numbers from `low` up to and including `high`."""
        return low + (self.unit(name, numbers) * (high - low + 1)).astype(np.int64)

    def pick(self, name: str, choices: Picks, numbers: Ints) -> Ints:
        """One of `choices`, a table as `weighted` makes it."""
        places = (self.unit(name, numbers) * choices.shape[-1]).astype(np.int64)
        return choices[places].astype(np.int64)

    def _mixed(self, name: str, numbers: Ints) -> npt.NDArray[np.uint64]:
        start = (self._seed * 0x2545F4914F6CDD1D + crc32(name.encode()) * 0xD1342543DE82EF95) % 2**64
        state = numbers.astype(np.uint64) * _STEP + np.uint64(start)
        for shift, factor in zip(_SHIFTS, _FACTORS, strict=False):
            state = (state ^ (state >> shift)) * factor
        return state ^ (state >> _SHIFTS[-1])


def weighted(weights: Sequence[float] | Floats, slots: int = SLOTS) -> Picks:
    """Places in `weights`, each as often as its weight says: a table to draw from in one step."""
    sums = np.cumsum(np.asarray(weights, dtype=np.float64))
    middles = (np.arange(slots) + 0.5) / slots * sums[-1]
    return np.minimum(np.searchsorted(sums, middles, side="right"), len(sums) - 1).astype(np.int32)
