"""Reads partitions of the embedded log from their segments, also while another process writes them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import cast

import pyarrow as pa

from penstock.alone import is_alone
from penstock.errors import PenstockError
from penstock.log import database
from penstock.log.batch import MOST_ROWS
from penstock.log.catalog import Home
from penstock.log.protocol import OFFSET, POISON, Chunk, Lost, Part, Position, SourceReset
from penstock.log.segment import Extent, Segment, Stored
from penstock.log.segment_files import numbers, segment_name, segment_path
from penstock.world import Clock

_EPOCH = datetime.fromtimestamp(0, UTC)
_BATCHES_AT_ONCE = 8
_WAITS = (0.0005, 0.001, 0.002, 0.004)  # seconds between looks; the last again and again


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


@dataclass
class _Cursor:
    """Where a partition is read: the segment, and batches that were fetched but not served."""

    position: Position
    number: int | None = None
    seen: tuple[int, int] | None = None  # the segment, and its version in which nothing was left to read
    fetched: list[Chunk] = field(default_factory=list)


class EmbeddedReader:
    """See `protocol.Reader`. `home` finds a topic, or says that there is none; `given_up` says up to which offset the rows
    at a position are."""

    def __init__(
        self,
        root: Path,
        home: Callable[[str], Home],
        given_up: Callable[[Part, Position], int | None],
        positions: Mapping[Part, Position],
        clock: Clock,
    ) -> None:
        self._home = home
        self._given_up = given_up
        self._clock = clock
        self._cursors = {part: _Cursor(position) for part, position in positions.items()}
        self._turn = 0
        homes = {topic: home(topic) for topic, _ in positions}
        self._schemas = {topic: found.topic.spec.read_schema for topic, found in homes.items()}
        by_folder = {found.folder: Segments(root / found.folder) for found in homes.values()}
        self._segments = {topic: by_folder[found.folder] for topic, found in homes.items()}
        for part, position in positions.items():
            self._check_incarnation(part, position)

    def poll(self, max_rows: int, timeout: float) -> list[Chunk]:
        deadline = self._clock.monotonic() + timeout
        waited = 0
        while True:
            found = self._look(max_rows)
            left = deadline - self._clock.monotonic()
            if found or left <= 0:
                return found
            self._clock.sleep(min(left, _WAITS[min(waited, len(_WAITS) - 1)]))
            waited += 1

    def _look(self, max_rows: int) -> list[Chunk]:
        """A batch from each partition in turn, until there are enough rows or no more."""
        found: list[Chunk] = []
        parts = list(self._cursors)
        self._turn += 1
        waiting = parts[self._turn % len(parts) :] + parts[: self._turn % len(parts)] if parts else []
        while waiting and max_rows > 0:
            still = []
            for part in waiting:
                chunk = self._next(part, max_rows, may_fail=not found) if max_rows > 0 else None
                if chunk is not None:
                    found.append(chunk)
                    max_rows -= chunk.records.num_rows
                    still.append(part)
            waiting = still
        return found

    def _next(self, part: Part, most: int, *, may_fail: bool) -> Chunk | None:
        """At most so many rows of one batch. What went wrong is told when nothing is lost by it."""
        cursor = self._cursors[part]
        try:
            if not cursor.fetched:
                cursor.fetched = self._fetch(part, cursor)
        except PenstockError:
            if may_fail:
                raise
            return None
        if not cursor.fetched:
            return None
        chunk = cursor.fetched.pop(0)
        if chunk.records.num_rows > most:
            rest = Chunk(chunk.topic, chunk.partition, chunk.records.slice(most), chunk.appended_at)
            chunk = Chunk(chunk.topic, chunk.partition, chunk.records.slice(0, most), chunk.appended_at)
            cursor.fetched.insert(0, rest)
        cursor.position = Position(chunk.next, cursor.position.incarnation)
        return chunk

    def _fetch(self, part: Part, cursor: _Cursor) -> list[Chunk]:
        segments = self._segments[part[0]]
        while True:
            if cursor.number is None:
                cursor.number = self._located(part, cursor.position)
            if cursor.number is None:
                return []
            segment = segments.get(cursor.number)
            if segment is None:
                cursor.number = None
                continue
            sealed = segments.has(cursor.number + 1)  # asked first: then nothing can come after what is read now
            with database.storage_errors(Path(segment.path)):
                seen = (cursor.number, segment.version())
                stored = [] if seen == cursor.seen else segment.stored(*part, cursor.position.offset, _BATCHES_AT_ONCE)
            if stored:
                return self._served(part, cursor, segment, stored)
            if seen != cursor.seen:
                try:
                    self._check_end(part, cursor, segment)
                except Lost as lost:
                    return [self._without(part, cursor.position, lost)]
            if not sealed:
                if not segments.is_there(cursor.number):
                    segments.forget(cursor.number)
                    cursor.number = None
                    continue
                cursor.seen = seen
                return []
            cursor.number += 1
            self._forget(segments)

    def _forget(self, segments: Segments) -> None:
        """Close what every partition has read to its end."""
        cursors = [one for part, one in self._cursors.items() if self._segments[part[0]] is segments]
        segments.forget_before(min((one.number or 0 for one in cursors), default=0))

    def _served(self, part: Part, cursor: _Cursor, segment: Segment, stored: list[Stored]) -> list[Chunk]:
        """The batches up to the first that is damaged; when that is the first one its rows as poison, or Lost."""
        found: list[Chunk] = []
        offset = cursor.position.offset
        for batch in stored:
            try:
                if batch.first > offset:
                    raise _missing(part, offset, batch.first, segment.path)
                rows = segment.rows_of(*part, batch, self._schemas[part[0]])
            except Lost as lost:
                return found or [self._without(part, cursor.position, lost)]
            at = _EPOCH + timedelta(microseconds=batch.at)
            found.append(Chunk(*part, rows.slice(offset - batch.first), at))
            offset = batch.first + batch.rows
        return found

    def _without(self, part: Part, position: Position, lost: Lost) -> Chunk:
        """The rows that somebody gave up, without what they said, at most a batch of them; else Lost is raised."""
        next = self._given_up(part, position)
        if next is None:
            raise lost
        offsets = range(position.offset, min(next, position.offset + MOST_ROWS))
        said = {"raw": None, "code": "lost", "expected": "the bytes that were written", "found": "none: given up"}
        poison = pa.RecordBatch.from_pylist([{OFFSET: offset, **said} for offset in offsets], POISON)
        return Chunk(*part, pa.RecordBatch.from_pylist([], self._schemas[part[0]]), self._clock.now(), poison)

    def _check_end(self, part: Part, cursor: _Cursor, segment: Segment) -> None:
        """Nothing is stored from the position on: then it must be the end."""
        with database.storage_errors(Path(segment.path)):
            extent = segment.extent(*part)
        next = 0 if extent is None else extent.next
        if cursor.position.offset > next:
            raise _reset(part, f"an offset up to {next}", f"offset {cursor.position.offset}")
        if cursor.position.offset < next and not segment.stored(*part, cursor.position.offset, 1):
            raise _missing(part, cursor.position.offset, next, segment.path)

    def _located(self, part: Part, position: Position) -> int | None:
        self._check_incarnation(part, position)
        segments = self._segments[part[0]]
        number = segments.holding(*part, position.offset)
        if number is not None:
            return number
        first, next = segments.bounds(*part)
        if position.offset < first:
            lost = first - position.offset
            raise _reset(part, f"an offset from {first}", f"offset {position.offset}: {lost} rows were dropped unread")
        if position.offset > next:
            raise _reset(part, f"an offset up to {next}", f"offset {position.offset}")
        return None

    def _check_incarnation(self, part: Part, position: Position) -> None:
        found = self._home(part[0]).topic.incarnation
        if position.incarnation != found:
            raise _reset(part, f"incarnation {position.incarnation}", f"incarnation {found}")

    def close(self) -> None:
        for segments in self._segments.values():
            segments.close()


def _reset(part: Part, expected: str, found: str) -> SourceReset:
    return SourceReset(
        "The position of a reader is not in the log",
        where=f"{part[0]}, partition {part[1]}",
        expected=expected,
        found=found,
        remedy="Take the log from a backup, or give what reads it, and its outputs, other names: it begins anew.",
    )


def _missing(part: Part, first: int, next: int, path: str) -> Lost:
    return Lost("Rows of the log are missing", part, first, next, found=f"no such rows in {path}")
