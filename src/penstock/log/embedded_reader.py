"""Reads partitions of the embedded log from their segments, also while another process writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from penstock.errors import PenstockError
from penstock.log import database
from penstock.log.batch import MOST_ROWS
from penstock.log.catalog import Home
from penstock.log.open_segments import Segments
from penstock.log.protocol import OFFSET, POISON, Chunk, Lost, Part, Position, SourceReset
from penstock.log.segment import Segment, Stored
from penstock.world import Clock

_EPOCH = datetime.fromtimestamp(0, UTC)
_BATCHES_AT_ONCE = 8
_WAITS = (0.0005, 0.001, 0.002, 0.004)  # seconds between looks; the last again and again


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
