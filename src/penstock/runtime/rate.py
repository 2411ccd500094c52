"""How fast something counts at present."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

SECONDS = 10.0


@dataclass
class Rate:
    """The rate of a count over the last ten seconds; what was counted before the first look is not of them.

    >>> rate = Rate()
    >>> [rate.of(count, at) for at, count in ((0.0, 0), (1.0, 500), (9.0, 4500), (11.0, 4500), (20.0, 4500))]
    [None, 500.0, 500.0, 400.0, 0.0]
    """

    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def of(self, count: int, at: float) -> float | None:
        """Counts a second up to now, by a clock in seconds that never goes back; None where no time has passed."""
        while len(self._seen) > 1 and self._seen[1][0] <= at - SECONDS:
            self._seen.popleft()
        self._seen.append((at, count))
        since, before = self._seen[0]
        return None if at <= since else round((count - before) / (at - since), 1)
