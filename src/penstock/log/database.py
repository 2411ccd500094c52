"""SQLite files of the log: created durably or not at all, opened for one writer or for readers, refusals as errors."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from penstock.alone import address, is_full, shared_or_alone
from penstock.errors import PenstockError, StorageError
from penstock.log.protocol import LogError, LogStorageError
from penstock.world import Disk

NEW = ".new"  # ending of a file that is being made
_SIDES = ("-wal", "-shm", "-journal")
_WAIT = 10.0  # seconds, for the short locks that SQLite takes
_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """A refusal of the disk or of SQLite as an error that says whether trying again may help."""
    try:
        yield
    except PenstockError:
        raise
    except sqlite3.Error as error:
        raise _of_sqlite(error, path) from error
    except OSError as error:
        kind = LogStorageError if error.errno in _FULL else StorageError
        raise kind("The disk refused", where=str(path), found=error.strerror or str(error)) from error


def _of_sqlite(error: sqlite3.Error, path: Path) -> PenstockError:
    extended = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    code = extended & 0xFF
    if is_full(error):
        remedy = "Free space on the disk that holds the data directory: appending goes on by itself."
        return LogStorageError("The disk is full; nothing was appended", where=str(path), remedy=remedy)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LogStorageError("Another process holds the file", where=str(path), found=str(error))
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        remedy = "Take the file from a backup, or read what it holds from where it came."
        return LogError("A file of the log is damaged", where=str(path), found=str(error), remedy=remedy)
    return StorageError("The disk refused", where=str(path), found=str(error))


def create(disk: Disk, path: Path, fill: Callable[[sqlite3.Connection], None]) -> None:
    """Make the file with what `fill` writes; it is there whole and durable, or not at all."""
    prepare(disk, path, fill)
    publish(disk, path)


def prepare(disk: Disk, path: Path, fill: Callable[[sqlite3.Connection], None]) -> None:
    """Write it under another name, durably."""
    fresh = _fresh(path)
    with storage_errors(path):
        remove(disk, fresh)
        disk.create(str(fresh)).close()
        connection = sqlite3.connect(fresh, isolation_level=None)
        try:
            connection.execute("PRAGMA page_size = 8192")
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")  # synced as a whole below
            connection.execute("BEGIN")
            fill(connection)
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
        disk.sync(str(fresh))


def publish(disk: Disk, path: Path) -> None:
    """Give a prepared file its name."""
    with storage_errors(path):
        disk.rename(str(_fresh(path)), str(path))


def remove(disk: Disk, path: Path) -> None:
    """Remove the file; what SQLite keeps beside it goes last, for it belongs to it."""
    disk.remove(str(path))
    for side in _SIDES:
        disk.remove(f"{path}{side}")


def open_writer(path: Path) -> sqlite3.Connection:
    """The connection of the one who writes: every commit is synced, and checkpoints are left to others."""
    connection = _open(path)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that writes nothing. Every statement on it is a transaction of its own.

    On a full disk it may be alone with the file (see `alone.is_alone`), and is to be closed soon.
    """
    connection = shared_or_alone(path, lambda: _open(path), wait=_WAIT)
    connection.execute("PRAGMA query_only = ON")
    return connection


class OneByOne:
    """In the place of a connection that reads: every statement has one of its own, so nobody waits for long."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def execute(self, query: str, values: Sequence[object] | Mapping[str, object] = ()) -> Rows:
        with closing(open_reader(self._path)) as connection:
            return Rows(connection.execute(query, values).fetchall())

    def close(self) -> None:
        """Nothing is open."""


class Rows(list[tuple[Any, ...]]):
    """Rows of an answer, all of them read."""

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self

    def fetchone(self) -> tuple[Any, ...] | None:
        return self[0] if self else None


def _open(path: Path) -> sqlite3.Connection:
    """Never makes a file: one that retention dropped meanwhile is missing (FileNotFoundError)."""
    try:
        return sqlite3.connect(
            address(path, "mode=rw"), uri=True, isolation_level=None, timeout=_WAIT, check_same_thread=False
        )
    except sqlite3.OperationalError:
        if not path.exists():
            raise FileNotFoundError(errno.ENOENT, "dropped", str(path)) from None
        raise


def _fresh(path: Path) -> Path:
    return path.with_name(path.name + NEW)
