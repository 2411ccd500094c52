"""The segments of a folder of the log, open for reading, also while another process writes and drops them."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import cast

from penstock.alone import is_alone
from penstock.errors import PenstockError
from penstock.log import database
from penstock.log.segment import Extent, Segment
from penstock.log.segment_files import numbers, segment_name, segment_path


@dataclass
class Segments:
    """The segments of a folder, open for reading as they are asked for."""

    root: Path
    _open: dict[int, Segment] = field(default_factory=dict)

    def get(self, number: int) -> Segment | None:
        """None when it was dropped."""
        found = self._open.get(number)
        if found is not None:
            return found
        path = segment_path(self.root, number)
        try:
            with database.storage_errors(path):
                connection = database.open_reader(path)
                if is_alone(connection):
                    connection.close()
                    return _Unshared(cast(sqlite3.Connection, database.OneByOne(path)), str(path))
                self._open[number] = Segment(connection, str(path))
        except PenstockError:
            if path.exists():
                raise
            return None
        return self._open[number]

    def has(self, number: int) -> bool:
        return number in self._open or self.is_there(number)

    def is_there(self, number: int) -> bool:
        """Whether it is in the folder; asked for every partition in every round, so no path is made of it."""
        return os.path.exists(f"{self.root}/{segment_name(number)}")

    def forget(self, number: int) -> None:
        gone = self._open.pop(number, None)
        if gone is not None:
            gone.connection.close()

    def forget_before(self, number: int) -> None:
        """Close older ones: a file that was dropped takes room as long as somebody has it open."""
        for older in [one for one in self._open if one < number]:
            self.forget(older)

    def extent(self, number: int, topic: str, partition: int) -> Extent | None:
        """None when the segment was dropped, or has never held a row of the partition."""
        segment = self.get(number)
        if segment is None:
            return None
        with database.storage_errors(Path(segment.path)):
            return segment.extent(topic, partition)

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """The oldest offset there is, and the one after the newest."""
        extents: list[Extent] = []
        found = numbers(self.root)
        self.forget_before(min(found, default=0))
        for number in reversed(found):
            extent = self.extent(number, topic, partition)
            if extent is None:
                break
            extents.append(extent)
        return (extents[-1].first, extents[0].next) if extents else (0, 0)

    def ends(self, topic: str, partitions: int) -> dict[int, int]:
        """The offset after the newest of each partition: the newest segment tells it."""
        found = numbers(self.root)
        self.forget_before(min(found, default=0))
        extents = [self.extent(found[-1], topic, part) if found else None for part in range(partitions)]
        return {part: 0 if one is None else one.next for part, one in enumerate(extents)}

    def holding(self, topic: str, partition: int, offset: int) -> int | None:
        """The newest segment that begins at or before the offset; None when there is none."""
        found = numbers(self.root)
        for number in reversed(found):
            extent = self.extent(number, topic, partition)
            if extent is None:
                return number if offset == 0 else None
            if extent.first <= offset:
                return number
        return None

    def close(self) -> None:
        for number in list(self._open):
            self.forget(number)


class _Unshared(Segment):
    """A segment on a full disk, opened for each statement anew: nobody can say whether others committed meanwhile."""

    _versions = count(1)

    def version(self) -> int:
        return -next(self._versions)
