"""Reading an SQLite file on a full disk.

Beside a file with a write-ahead log SQLite keeps an index that its readers and writers share, and makes it anew after all
have left: a full disk has no room for it. Whoever has the file for itself needs none, sees the same, and keeps it from
being changed meanwhile.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

_NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMOPEN)
_LONGEST_PAUSE = 0.05  # seconds


def is_full(error: BaseException | None) -> bool:
    """Whether there was no room for a change, or for what readers and writers share."""
    return getattr(error, "sqlite_errorcode", None) in _NO_ROOM


def is_held(error: BaseException | None) -> bool:
    """Whether somebody else has the file, for writing or for themselves."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def address(path: Path, how: str) -> str:
    """The file as SQLite's address, opened in a way such as `mode=ro`."""
    return f"file:{quote(os.path.abspath(path))}?{how}"


def shared_or_alone(path: Path, shared: Callable[[], sqlite3.Connection], *, wait: float) -> sqlite3.Connection:
    """What `shared` opens; where the disk has no room for that, a connection that is alone with the file, which is to be
    closed soon: others wait for it, as it does for them, so many seconds."""
    for pause in (*_pauses(wait), None):
        connection = shared()
        try:
            return asked(connection)
        except sqlite3.OperationalError as error:
            if not is_full(error):
                raise
        try:
            return asked(_alone(path))
        except sqlite3.OperationalError as error:
            if pause is None or not is_held(error):
                raise
        threading.Event().wait(pause)
    raise AssertionError("the last attempt ends it")


def _pauses(wait: float) -> Iterator[float]:
    """Seconds between attempts, until so many have passed."""
    pause = 0.001
    while wait > 0:
        yield pause
        wait, pause = wait - pause, min(2 * pause, _LONGEST_PAUSE)


def _alone(path: Path) -> sqlite3.Connection:
    """Two that come together may keep each other out: neither waits, both are to try again."""
    connection = sqlite3.connect(
        address(path, "mode=rw"), uri=True, isolation_level=None, timeout=0, check_same_thread=False
    )
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA query_only = ON")
    return connection


def is_alone(connection: sqlite3.Connection) -> bool:
    """Whether others wait for the connection to be closed."""
    return connection.execute("PRAGMA locking_mode").fetchall() == [("exclusive",)]


def asked(connection: sqlite3.Connection) -> sqlite3.Connection:
    """The same connection, which has read something, or is closed."""
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection
