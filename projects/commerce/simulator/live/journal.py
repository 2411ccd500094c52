"""The truth about a live shop, in a file of JSON lines that a stopped simulator goes on from.

The first line holds what the shop is made of. A `start` says from which batch on events come at which pace, and is on
the disk before the first of them is appended. Each batch is told before it is appended: its labels (`fraud`, `dirt`),
then one line with the rows of each topic. What a killed simulator had told and not appended is appended by the next.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from simulator.live.rows import Rows
from simulator.live.schedule import Schedule, Start


class OtherShop(ValueError):
    """The file tells of a shop that was made otherwise."""


class LostTruth(ValueError):
    """The topics hold rows of a live shop, and the file that says how they were made is gone."""


class Journal:
    """`schedule`, and `last`: the newest batch that is told, -1 when none is."""

    def __init__(self, file: BinaryIO, schedule: Schedule, last: int) -> None:
        self._file, self.schedule, self.last = file, schedule, last

    @classmethod
    @contextmanager
    def open(cls, path: Path, options: Mapping[str, object]) -> Iterator[Journal]:
        """The journal of these options, begun when it is not there; OtherShop when it is that of others.

        A batch that was not told to its end is cut off.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        with path.open("r+b") as file:
            yield cls._read(path, file, dict(options))

    @classmethod
    def _read(cls, path: Path, file: BinaryIO, options: dict[str, object]) -> Journal:
        starts: list[Start] = []
        made_of, last, whole, read = None, -1, 0, 0
        for line in file:
            read += len(line)
            told = _told(line)
            if told is None:
                break
            if "fraud" in told or "dirt" in told:
                continue
            made_of = told.get("options", made_of)
            starts += [Start(**told["start"])] if "start" in told else []
            last = told.get("batch", last)
            whole = read
        if made_of is not None and made_of != options:
            raise OtherShop(f"{path} tells of a shop made of {made_of}, not of {options}: name another file")
        file.seek(whole)
        file.truncate()
        journal = cls(file, Schedule(starts), last)
        if made_of is None:
            journal._sync({"options": options})
        return journal

    def begin(self, after: int, *, at: int, pace: int, size: int) -> None:
        """Go on after batch `after` from now on, at this pace."""
        self.schedule = self.schedule.after(after, at=at, pace=pace, size=size)
        self._sync({"start": asdict(self.schedule.starts[-1])})

    def tell(self, batch: int, rows: Rows) -> None:
        """What is about to be appended; nothing when it was told before."""
        if batch <= self.last:
            return
        first, after = self.schedule.events_of(batch)
        counts = {topic: table.num_rows for topic, table in rows.topics.items()}
        told = [*rows.labels, {"batch": batch, "first": first, "after": after, "rows": counts}]
        self._file.write(b"".join(map(_line, told)))
        self._file.flush()
        self.last = batch

    def _sync(self, told: Mapping[str, object]) -> None:
        self._file.write(_line(told))
        self._file.flush()
        os.fsync(self._file.fileno())


def _line(told: Mapping[str, object]) -> bytes:
    return json.dumps(told).encode() + b"\n"


def _told(line: bytes) -> dict[str, Any] | None:
    """A whole line; None for one that was cut off."""
    if not line.endswith(b"\n"):
        return None
    try:
        told: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return told
