"""Local time of a zone, for whole arrays of instants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from simulator.column import SECOND_OF_DAY, Ints


@dataclass(frozen=True)
class Zone:
    """`offsets[i]` seconds are added to UTC from `changes[i]` on."""

    name: str
    changes: Ints
    offsets: Ints

    @classmethod
    def between(cls, name: str, first: int, last: int) -> Zone:
        """The zone from instant `first` to `last`: its offset is asked for every day, changes are searched within."""
        info = ZoneInfo(name)
        changes, offsets = [first], [_offset(info, first)]
        for start in range(first, last, SECOND_OF_DAY):
            low, high = start, start + SECOND_OF_DAY
            if _offset(info, high) == offsets[-1]:
                continue
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(info, middle) == offsets[-1] else (low, middle)
            changes.append(high)
            offsets.append(_offset(info, high))
        return cls(name, np.array(changes, dtype=np.int64), np.array(offsets, dtype=np.int64))

    def local_day(self, instants: Ints) -> Ints:
        """Days since 1970 in the zone."""
        index = np.maximum(np.searchsorted(self.changes, instants, side="right") - 1, 0)
        return (instants + self.offsets[index]) // SECOND_OF_DAY

    @property
    def standard(self) -> int:
        """The offset at the beginning."""
        return int(self.offsets[0])


def _offset(info: ZoneInfo, instant: int) -> int:
    offset = datetime.fromtimestamp(instant, UTC).astimezone(info).utcoffset()
    return int((offset or timedelta(0)).total_seconds())
