"""When each event is: a start and a pace, and another start after each time the simulator stood still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.column import Ints

_SECOND = 1_000_000  # in the unit of instants


@dataclass(frozen=True)
class Start:
    """From batch `batch` and event `event` on: `pace` events a second in batches of `size`, the first at `at`
    (microseconds since 1970)."""

    batch: int
    event: int
    at: int
    pace: int
    size: int


class Schedule:
    """Batches of events and the instant of each, over all starts."""

    def __init__(self, starts: Sequence[Start]) -> None:
        self.starts = tuple(starts)
        self._events = np.array([start.event for start in starts], dtype=np.int64)
        self._at = np.array([start.at for start in starts], dtype=np.int64)
        self._pace = np.array([start.pace for start in starts], dtype=np.int64)

    def instants(self, events: Ints) -> Ints:
        """Microseconds since 1970."""
        if len(self.starts) == 1:
            return self._at[0] + (events - self._events[0]) * _SECOND // self._pace[0]
        place = np.maximum(np.searchsorted(self._events, events, side="right") - 1, 0)
        return self._at[place] + (events - self._events[place]) * _SECOND // self._pace[place]

    def events_of(self, batch: int) -> tuple[int, int]:
        """The first event of a batch, and the one after its last."""
        start = next(one for one in reversed(self.starts) if one.batch <= batch)
        first = start.event + (batch - start.batch) * start.size
        return first, first + start.size

    def due(self, batch: int) -> int:
        """When the last event of a batch has happened."""
        return int(self.instants(np.array([self.events_of(batch)[1] - 1]))[0])

    def after(self, batch: int, *, at: int, pace: int, size: int) -> Schedule:
        """Another start after `batch` (-1: at the very beginning)."""
        event = self.events_of(batch)[1] if batch >= 0 else 0
        return Schedule((*self.starts, Start(batch + 1, event, at, pace, size)))
