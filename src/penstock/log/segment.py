"""One file of the embedded log: batches of some time, and who may write them, how far producers and a job came.

Everything that one commit changes is in one file, so that a commit is one transaction. A new segment begins with what
the sealed one before it ended with; nothing but rows is read from an older one.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from penstock.log.batch import Encoded, aligned, decode, placed
from penstock.log.protocol import LogError, Lost, Part, Position


@dataclass(frozen=True)
class Snapshot:
    """Where the state stands: its file, and the delta and the journal entry after which it was taken."""

    file: str
    size: int
    checksum: int
    after: int


@dataclass(frozen=True)
class Extent:
    """What a segment holds of a partition: offsets `first` up to, not including, `next`, in so many bytes."""

    topic: str
    partition: int
    first: int
    next: int
    bytes: int


@dataclass(frozen=True)
class Stored:
    """A batch as it lies in the file."""

    first: int
    rows: int
    at: int
    schema: int
    checksum: int
    data: bytes


@dataclass
class Segment:
    """A segment behind a connection. What writes is called within a transaction of the caller."""

    connection: sqlite3.Connection
    path: str
    _parts: dict[Part, int] = field(default_factory=dict)
    _schemas: dict[tuple[str, bytes], int] = field(default_factory=dict)
    _arrow: dict[int, pa.Schema] = field(default_factory=dict)

    # Who may write

    def epoch(self) -> int:
        return int(self.connection.execute("SELECT epoch FROM owner").fetchone()[0])

    def raise_epoch(self) -> int:
        return int(self.connection.execute("UPDATE owner SET epoch = epoch + 1 RETURNING epoch").fetchone()[0])

    def fence(self, epoch: int) -> bool:
        """The first statement of a commit: True while the epoch is the newest and the segment is open."""
        changed = self.connection.execute(
            "UPDATE owner SET commits = commits + 1 WHERE epoch = ? AND (SELECT sealed FROM segment) IS NULL", (epoch,)
        )
        return changed.rowcount == 1

    def seal(self, at: int) -> None:
        self.connection.execute("UPDATE segment SET sealed = ?", (at,))

    def made(self) -> int:
        return int(self.connection.execute("SELECT made FROM segment").fetchone()[0])

    def sealed(self) -> int | None:
        found: int | None = self.connection.execute("SELECT sealed FROM segment").fetchone()[0]
        return found

    def raise_holder(self, name: str) -> int:
        statement = (
            "INSERT INTO holder VALUES (?, 1, -1, '{}') ON CONFLICT (name) DO UPDATE SET epoch = epoch + 1"
            " RETURNING epoch"
        )
        return int(self.connection.execute(statement, (name,)).fetchone()[0])

    def holder(self, name: str) -> tuple[int, int, dict[int, tuple[int, int]]]:
        """Epoch, last sequence and the ranges it was given."""
        query = "SELECT epoch, sequence, ranges FROM holder WHERE name = ?"
        epoch, sequence, ranges = self.connection.execute(query, (name,)).fetchone()
        return epoch, sequence, {int(part): (first, next) for part, (first, next) in json.loads(ranges).items()}

    def advance_holder(self, name: str, sequence: int, ranges: Mapping[int, tuple[int, int]]) -> None:
        values = (sequence, json.dumps(ranges), name)
        self.connection.execute("UPDATE holder SET sequence = ?, ranges = ? WHERE name = ?", values)

    # Rows

    def add(self, batch: Encoded, at: int) -> tuple[int, int]:
        """Store a batch at the end of its partition; its first offset and the one after it."""
        part = self._part(batch.topic, batch.partition)
        statement = "UPDATE part SET next = next + ?, bytes = bytes + ? WHERE id = ? RETURNING next"
        next = int(self.connection.execute(statement, (batch.rows, batch.size, part)).fetchone()[0])
        first = next - batch.rows
        self.connection.execute(
            "INSERT INTO batch (part, first, rows, at, schema, checksum, data) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (part, first, batch.rows, at, self._schema(batch), batch.placed(first, at), memoryview(batch.data)),
        )
        return first, next

    def forget_names(self) -> None:
        """After a transaction that was undone: ids given in it may be given again."""
        self._parts.clear()
        self._schemas.clear()

    def version(self) -> int:
        """Another number when others committed since it was asked."""
        return int(self.connection.execute("PRAGMA data_version").fetchone()[0])

    def extents(self) -> list[Extent]:
        rows = self.connection.execute("SELECT topic, partition, first, next, bytes FROM part").fetchall()
        return [Extent(*row) for row in rows]

    def extent(self, topic: str, partition: int) -> Extent | None:
        query = "SELECT topic, partition, first, next, bytes FROM part WHERE topic = ? AND partition = ?"
        row = self.connection.execute(query, (topic, partition)).fetchone()
        return None if row is None else Extent(*row)

    def stored(self, topic: str, partition: int, offset: int, most: int) -> list[Stored]:
        """Batches from the one that holds `offset`, in order, at most so many: a short read transaction."""
        part = self._parts.get((topic, partition)) or self._known_part(topic, partition)
        if part is None:
            return []
        query = (
            "SELECT first, rows, at, schema, checksum, data FROM batch WHERE part = :part AND first >="
            " ifnull((SELECT max(first) FROM batch WHERE part = :part AND first <= :offset), :offset)"
            " AND first + rows > :offset ORDER BY first LIMIT :most"
        )
        rows = self.connection.execute(query, {"part": part, "offset": offset, "most": most}).fetchall()
        return [Stored(*row) for row in rows]

    def rows_of(self, topic: str, partition: int, batch: Stored, schema: pa.Schema) -> pa.RecordBatch:
        """The rows of a batch under the topic's schema; Lost when it is not what was written."""
        if placed(zlib.crc32(batch.data), partition, batch.first, batch.rows, batch.at) != batch.checksum:
            raise self._damaged(topic, partition, batch)
        try:
            return aligned(decode(self._arrow_schema(batch.schema), batch.data, batch.first, count=batch.rows), schema)
        except (pa.ArrowInvalid, OSError, KeyError) as error:
            raise self._damaged(topic, partition, batch) from error

    def _damaged(self, topic: str, partition: int, batch: Stored) -> Lost:
        return Lost(
            "A batch of the log is damaged; it was not read",
            (topic, partition),
            batch.first,
            batch.first + batch.rows,
            expected=f"checksum {batch.checksum:08x}",
            found=f"other bytes in {self.path}",
        )

    def _part(self, topic: str, partition: int) -> int:
        found = self._parts.get((topic, partition)) or self._known_part(topic, partition)
        if found is not None:
            return found
        statement = "INSERT INTO part (topic, partition, first, next, bytes) VALUES (?, ?, 0, 0, 0) RETURNING id"
        self._parts[topic, partition] = int(self.connection.execute(statement, (topic, partition)).fetchone()[0])
        return self._parts[topic, partition]

    def _known_part(self, topic: str, partition: int) -> int | None:
        query = "SELECT id FROM part WHERE topic = ? AND partition = ?"
        row = self.connection.execute(query, (topic, partition)).fetchone()
        if row is None:
            return None
        self._parts[topic, partition] = int(row[0])
        return int(row[0])

    def _schema(self, batch: Encoded) -> int:
        known = self._schemas.get((batch.topic, batch.schema))
        if known is not None:
            return known
        values = (batch.topic, batch.schema)
        self.connection.execute("INSERT OR IGNORE INTO schema (topic, arrow) VALUES (?, ?)", values)
        query = "SELECT id FROM schema WHERE topic = ? AND arrow = ?"
        self._schemas[values] = int(self.connection.execute(query, values).fetchone()[0])
        return self._schemas[values]

    def _arrow_schema(self, number: int) -> pa.Schema:
        if number not in self._arrow:
            row = self.connection.execute("SELECT arrow FROM schema WHERE id = ?", (number,)).fetchone()
            if row is None:
                raise KeyError(number)
            self._arrow[number] = pa.ipc.read_schema(pa.py_buffer(row[0]))
        return self._arrow[number]

    # A job

    def positions(self) -> dict[Part, Position]:
        rows = self.connection.execute("SELECT topic, partition, offset, incarnation FROM position").fetchall()
        return {(topic, partition): Position(offset, incarnation) for topic, partition, offset, incarnation in rows}

    def move(self, positions: Mapping[Part, Position]) -> None:
        rows = [(*part, at.offset, at.incarnation) for part, at in positions.items()]
        self.connection.executemany("INSERT OR REPLACE INTO position VALUES (?, ?, ?, ?)", rows)

    def snapshot(self) -> Snapshot | None:
        row = self.connection.execute("SELECT file, size, checksum, after FROM snapshot").fetchone()
        return None if row is None else Snapshot(*row)

    def take_snapshot(self, snapshot: Snapshot) -> None:
        self.connection.execute("DELETE FROM snapshot")
        self.connection.execute(
            "INSERT INTO snapshot VALUES (?, ?, ?, ?)",
            (snapshot.file, snapshot.size, snapshot.checksum, snapshot.after),
        )

    def commits(self) -> int:
        return int(self.connection.execute("SELECT commits FROM owner").fetchone()[0])

    def note(self, table: str, number: int, data: bytes) -> None:
        """Add to `delta` or `journal`."""
        self.connection.execute(f"INSERT INTO {table} VALUES (?, ?, ?)", (number, zlib.crc32(data), data))

    def notes(self, table: str, after: int) -> Iterator[tuple[int, bytes]]:
        """(commit, data) of `delta` or `journal`, in order."""
        query = f"SELECT id, checksum, data FROM {table} WHERE id > ? ORDER BY id"
        for number, checksum, data in self.connection.execute(query, (after,)):
            if zlib.crc32(data) != checksum:
                raise LogError(f"The {table} of the job is damaged", where=f"{self.path}, entry {number}")
            yield number, data

    def before_last_deltas(self, count: int, next: int) -> int:
        """The number before those of the last `count` deltas, where the one to come is `next`."""
        query = "SELECT min(id) FROM (SELECT id FROM delta ORDER BY id DESC LIMIT ?)"
        first: int | None = self.connection.execute(query, (count,)).fetchone()[0]
        return (next if first is None else first) - 1

    def clear_deltas(self, until: int, most: int) -> None:
        """Remove some deltas that a snapshot made superfluous: a few with each commit, so that none waits for it."""
        statement = "DELETE FROM delta WHERE id IN (SELECT id FROM delta WHERE id <= ? ORDER BY id LIMIT ?)"
        self.connection.execute(statement, (until, most))
