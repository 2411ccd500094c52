"""Takes what is committed from the write-ahead log into the file, beside the commits and not within them."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

from penstock.errors import PenstockError
from penstock.log.database import open_writer, storage_errors

_PATIENCE = 50  # milliseconds, for readers to leave


class Checkpointer:
    """A thread that works when `due` was called. `stuck` is true while a reader keeps the write-ahead log from ending.

    A refusal of the disk is no loss: the write-ahead log holds everything, and the next call tries again.
    """

    def __init__(self, path: Path, most: int) -> None:
        self.stuck = False
        self._path = path
        self._most = most
        self._wanted = threading.Event()
        self._ended = False
        self._thread: threading.Thread | None = None

    @property
    def working(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def due(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"checkpoint {self._path.name}", daemon=True)
            self._thread.start()
        self._wanted.set()

    def retire(self) -> None:
        """The segment is sealed: take everything over a last time, then end."""
        self._ended = True
        self.due()

    def close(self) -> None:
        self._ended = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        try:
            with storage_errors(self._path):
                connection = open_writer(self._path)
        except (PenstockError, OSError):
            return
        try:
            ended = False
            while not ended:
                self._wanted.wait()
                self._wanted.clear()
                ended = self._ended
                self._checkpoint(connection)
        finally:
            connection.close()

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if self._ended or self._size() > self._most:
                connection.execute(f"PRAGMA busy_timeout = {_PATIENCE}")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self.stuck = self._size() > self._most
        except sqlite3.Error:
            self.stuck = self._size() > self._most

    def _size(self) -> int:
        try:
            return os.stat(f"{self._path}-wal").st_size
        except OSError:
            return 0
