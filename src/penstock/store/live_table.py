"""A live table open for writing: the latest row of every key, changed in one transaction with the position that the changes
came from.

One SQLite file for each table, in WAL mode: readers never wait and see whole transactions only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock.checkpoint import Checkpointer, take_over
from penstock.errors import StorageError
from penstock.store.live_changes import DELETED, latest
from penstock.store.live_file import live_file, quoted, told
from penstock.store.live_shape import LiveShape
from penstock.store.live_values import stored
from penstock.world import Disk

_BY = "by "  # of the name of an index, before the column
# of the write-ahead log: a page that changes again and again is taken over once
DUE_BYTES, MOST_BYTES = 32 << 20, 128 << 20
_SYNC_BYTES = 2 << 20  # of it, that are synced together
_TRIES = 4  # somebody writes all the time
_PAGE_CACHE_KIB = 32 * 1024
_VALUES = 500  # of one statement
_PIECE = 20_000  # rows whose values are objects of Python at a time
_PAGE_BYTES = 2048  # small, for most rows that change in a round are far from each other


class LiveTableMoved(StorageError):
    """Another process moved the table: read its position again, then decide."""

    retryable = True


class LiveTable:
    """A live table open for writing. Of several writers the first moves it from where it stood; the others are told."""

    def __init__(self, folder: Path, shape: LiveShape, *, disk: Disk | None = None) -> None:
        self.shape = shape
        self._disk = disk  # None: nobody watches its transactions
        self.path = live_file(folder, shape.name)
        self._declared = shape.declared
        folder.mkdir(parents=True, exist_ok=True)
        with told(self.path):
            self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            self._db.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")  # what is lost is applied again from the position
            self._db.execute(f"PRAGMA cache_size = -{_PAGE_CACHE_KIB}")
            self._db.execute("PRAGMA wal_autocheckpoint = 0")
            # Begun anew, the file is written over and not cut off, which would be done within a commit.
            self._db.execute(f"PRAGMA journal_size_limit = {MOST_BYTES}")
            self._checkpointer = Checkpointer(self.path, MOST_BYTES, tries=_TRIES)
            self._prepare()
            self._index()
        self._position = self._about().get("position")
        self._changed_pages = self._unsynced_pages = 0  # about so many since a checkpoint was due, and a sync
        self._together = max(_VALUES // len(shape.columns), 1)
        self._upserts = _upsert(shape, rows=self._together)
        self._upsert = _upsert(shape)
        self._delete = f"DELETE FROM rows WHERE {' AND '.join(f'{quoted(name)} = ?' for name in shape.key)}"

    def position(self) -> str | None:
        """Up to where the changes are in; None before the first."""
        self._position = self._about().get("position")
        return self._position

    def apply(self, changes: pa.Table, position: str) -> None:
        """Replace the rows of the keys in `changes`, the last of a key counts, and move the position: all or nothing.

        LiveTableMoved when the table is not where it was when its position was read or moved here last.
        """
        with self._transaction():
            self._check_place()
            self._change(changes)
            self._db.execute("INSERT OR REPLACE INTO about VALUES ('position', ?)", [position])
        self._position = position
        self._keep_short(changes.num_rows)

    def close(self) -> None:
        self._checkpointer.close()
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """One atomic point of the disk; undone when anything is raised within."""
        watched = nullcontext() if self._disk is None else self._disk.transaction(str(self.path), synced=False)
        with told(self.path), watched:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk may have undone it already
                    self._db.execute("ROLLBACK")
                raise

    def _keep_short(self, changed: int) -> None:
        """What waits beside the file is taken over beside the commits, by this one when it is far too much. SQLite does
        not say how much a commit added: about a page for each row and index entry, and no more than there are."""
        ((pages,),) = self._db.execute("PRAGMA page_count").fetchall()
        written = min(changed * (1 + len(self.shape.indexed)), pages)
        self._changed_pages, self._unsynced_pages = self._changed_pages + written, self._unsynced_pages + written
        if self._checkpointer.waiting() > MOST_BYTES:
            self._checkpointer.catch_up()
            with suppress(sqlite3.Error):
                take_over(self._db)
        elif self._checkpointer.nearly:
            self._checkpointer.finish(self._db)
        elif self._changed_pages * _PAGE_BYTES > DUE_BYTES:
            self._changed_pages = self._unsynced_pages = 0
            self._checkpointer.due()
        elif self._unsynced_pages * _PAGE_BYTES > _SYNC_BYTES:
            self._unsynced_pages = 0
            self._checkpointer.soon()

    def _about(self) -> dict[str, str]:
        return dict(self._db.execute("SELECT name, value FROM about").fetchall())

    def _check_place(self) -> None:
        found = self._about()
        if found.get("shape") != self._declared:
            raise StorageError("A live table was made anew by another declaration", where=str(self.path))
        if found.get("position") != self._position:
            raise LiveTableMoved(
                "Another process moved a live table",
                where=str(self.path),
                expected=str(self._position),
                found=str(found.get("position")),
            )

    def _change(self, changes: pa.Table) -> None:
        """In the order of the key, so that neighbours in the file are written together."""
        changes = latest(changes, self.shape.key)
        if DELETED in changes.column_names:
            gone = pc.fill_null(changes[DELETED], False)
            taken_back = changes.filter(gone)
            if taken_back.num_rows:
                keys = [stored(taken_back[name]) for name in self.shape.key]
                self._db.executemany(self._delete, zip(*keys, strict=True))
                changes = changes.filter(pc.invert(gone))
        for start in range(0, changes.num_rows, _PIECE):
            self._put(changes.slice(start, _PIECE))

    def _put(self, rows: pa.Table) -> None:
        """Many rows by each statement, for to run one costs more than half of what it does for a row."""
        wide = len(self.shape.columns)
        values: list[Any] = [None] * (rows.num_rows * wide)
        for place, column in enumerate(self.shape.columns):
            values[place::wide] = stored(rows[column.name])
        together = self._together * wide
        end = len(values) - len(values) % together
        self._db.executemany(self._upserts, (values[at : at + together] for at in range(0, end, together)))
        self._db.executemany(self._upsert, (values[at : at + wide] for at in range(end, len(values), wide)))

    def _prepare(self) -> None:
        """Make the table, or make it anew when it was made by another declaration."""
        self._db.execute("CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")
        if self._about().get("shape") == self._declared:
            return
        columns = ", ".join(f"{quoted(column.name)}" for column in self.shape.columns)
        key = ", ".join(quoted(name) for name in self.shape.key)
        with self._transaction():
            self._db.execute("DROP TABLE IF EXISTS rows")
            self._db.execute(f"CREATE TABLE rows ({columns}, PRIMARY KEY ({key})) WITHOUT ROWID")
            self._db.execute("DELETE FROM about")
            self._db.execute("INSERT INTO about VALUES ('shape', ?)", [self._declared])

    def _index(self) -> None:
        """An index for each column that is to have one, and no others. The first of the key needs none."""
        wanted = {_BY + name: name for name in self.shape.indexed if name != self.shape.key[0]}
        found = self._db.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").fetchall()
        there = {name for (name,) in found}
        for name in there - wanted.keys():
            self._db.execute(f"DROP INDEX IF EXISTS {quoted(name)}")
        for name in wanted.keys() - there:
            self._db.execute(f"CREATE INDEX IF NOT EXISTS {quoted(name)} ON rows ({quoted(wanted[name])})")


def _upsert(shape: LiveShape, *, rows: int = 1) -> str:
    """What puts so many rows in the place of those of their keys. The key stays, and the indexes of its columns with it:
    that takes little more than half the time of deleting the row and writing another."""
    names = [quoted(column.name) for column in shape.columns]
    others = [quoted(column.name) for column in shape.columns if column.name not in shape.key]
    changed = f"DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in others)}" if others else "DO NOTHING"
    key = ", ".join(map(quoted, shape.key))
    marks = f"({', '.join('?' * len(names))})"
    return f"INSERT INTO rows ({', '.join(names)}) VALUES {', '.join([marks] * rows)} ON CONFLICT ({key}) {changed}"
