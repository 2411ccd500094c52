"""How often a duration lay below each of some bounds: enough for quantiles, and the sum of two says as much as one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Histogram:
    """Durations in seconds. `counts` has one more than `bounds`: those above the last; a bound belongs to its own."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def observe(self, seconds: float, times: int = 1) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += times
        self.total += seconds * times

    def add(self, counts: Sequence[int], total: float) -> None:
        """What another one of the same bounds has counted."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, counts, strict=True)]
        self.total += total

    def buckets(self) -> list[tuple[str, float]]:
        """As Prometheus has them: how many were at most so long.

        >>> one = Histogram((0.1, 1.0))
        >>> one.observe(0.1), one.observe(0.5), one.observe(3)
        (None, None, None)
        >>> one.buckets()
        [('0.1', 1.0), ('1.0', 2.0), ('+Inf', 3.0)]
        """
        found, below = [], 0
        for name, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            below += count
            found.append((name, float(below)))
        return found
