"""Takes what was committed to a SQLite file from its write-ahead log, beside those who write and not within a commit."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path

DUE_BYTES, MOST_BYTES = 32 << 20, 128 << 20  # a page that changes again and again is taken over once
_TRIES = 4  # each leaves less behind for the next, as long as somebody writes


class Checkpoints:
    """The checkpoints of a file that `connection` writes, made by a thread. A refusal of the disk is no loss: the
    write-ahead log holds everything, and the next time is soon."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute(f"PRAGMA journal_size_limit = {DUE_BYTES}")  # so long is the file when it begins anew
        self._path, self._connection = path, connection
        self._wanted = threading.Event()
        self._ended = False
        self._thread: threading.Thread | None = None

    def committed(self) -> None:
        """Say so after each commit; when the write-ahead log is far too long, it waits for a checkpoint."""
        size = self._size()
        if size <= DUE_BYTES:
            return
        if size > MOST_BYTES:
            with suppress(sqlite3.Error):
                _checkpoint(self._connection)
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"checkpoint {self._path.name}", daemon=True)
            self._thread.start()
        self._wanted.set()

    def close(self) -> None:
        self._ended = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        with suppress(sqlite3.Error), closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = NORMAL")
            while True:
                self._wanted.wait()
                self._wanted.clear()
                if self._ended:
                    return
                for _ in range(_TRIES):
                    if _checkpoint(connection):
                        break

    def _size(self) -> int:
        with suppress(OSError):
            return os.stat(f"{self._path}-wal").st_size
        return 0


def _checkpoint(connection: sqlite3.Connection) -> bool:
    """Whether nothing is left, so that the write-ahead log begins anew with the next commit."""
    _, frames, done = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return bool(frames == done)
