"""Chance by seed, a stream of its own for each part, and the few distributions the shop is made of.

Only additions, multiplications and divisions: they give the same bits on every machine, which powers and logarithms
do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
import numpy.typing as npt

from simulator.column import Ints

Floats = npt.NDArray[np.float64]


def stream(seed: int, part: str) -> np.random.Generator:
    return np.random.default_rng([seed, crc32(part.encode())])


def whole(rng: np.random.Generator, low: int, high: int, size: int) -> Ints:
    """Whole numbers from `low` up to and including `high`."""
    return low + (rng.random(size) * (high - low + 1)).astype(np.int64)


def pick(rng: np.random.Generator, weights: Sequence[float] | Floats, size: int) -> Ints:
    """Places in `weights`, as often as these say."""
    sums = np.cumsum(np.asarray(weights, dtype=np.float64))
    found = np.searchsorted(sums, rng.random(size) * sums[-1], side="right")
    return np.minimum(found, len(sums) - 1).astype(np.int64)


def falling(rng: np.random.Generator, size: int) -> Floats:
    """Between 0 and 1, small values far more often: a mean of a quarter."""
    return rng.random(size) * rng.random(size)


def zipf(count: int) -> Floats:
    """Weights by rank: the first is asked for about twice as often as the second."""
    return 1.0 / (np.arange(count, dtype=np.float64) + 1.5)


def shares(total: int, weights: Sequence[float]) -> list[int]:
    """`total` split by weight, at least one each."""
    whole_weight = sum(weights)
    parts = [max(1, int(total * weight / whole_weight)) for weight in weights]
    parts[0] += total - sum(parts)
    while parts[0] < 1:
        parts[parts.index(max(parts))] -= 1
        parts[0] += 1
    return parts


def number_within(groups: Ints, count: int) -> Ints:
    """The rank of each row among the rows of its group, from 1, in order of appearance."""
    order = np.argsort(groups, kind="stable")
    starts = np.searchsorted(groups[order], np.arange(count))
    ranks = np.empty(len(groups), dtype=np.int64)
    ranks[order] = np.arange(len(groups)) - starts[groups[order]] + 1
    return ranks


def rank_in_runs(groups: Ints) -> Ints:
    """The rank of each row in its run of equal neighbours, from 1."""
    if len(groups) == 0:
        return groups
    begins = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]])
    lengths = np.diff(np.r_[begins, len(groups)])
    return np.arange(len(groups)) - np.repeat(begins, lengths) + 1
