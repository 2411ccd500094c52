"""A world in which nothing happens by itself: time stands still and ids count up."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from penstock.world import Disk, LocalDisk, World


@dataclass
class ManualClock:
    """Time that moves only when told. `sleep` moves it and returns at once.

    >>> clock = ManualClock()
    >>> clock.sleep(90)
    >>> clock.now().isoformat()
    '2020-01-01T00:01:30+00:00'
    """

    time: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    _start: datetime = field(init=False)

    def __post_init__(self) -> None:
        self._start = self.time

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return (self.time - self._start).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@dataclass
class CountingIds:
    """Ids of 32 hex digits that depend only on the seed and on how many were asked for."""

    seed: str = ""
    count: int = 0

    def new(self) -> str:
        self.count += 1
        return hashlib.sha256(f"{self.seed}/{self.count}".encode()).hexdigest()[:32]


def manual_world(*, seed: str = "", disk: Disk | None = None) -> World:
    """A world for tests, on the real disk unless another is given. Worlds that share a lake need different seeds."""
    return World(clock=ManualClock(), disk=LocalDisk() if disk is None else disk, ids=CountingIds(seed))
