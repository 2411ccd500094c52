"""Takes what is committed to an SQLite file from its write-ahead log, beside the commits and not within them."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path

_PATIENCE = 50  # milliseconds, for readers to leave
_LOOK = 0.05  # seconds, after which whoever waits for the thread looks whether it lives
_LITTLE = 1 << 20  # bytes
_NICE = 10
_sync_data = getattr(os, "fdatasync", os.fsync)  # not everywhere


class Checkpointer:
    """A thread that works when `due` or `soon` was called. `stuck` is true while a reader keeps the write-ahead log from ending,
    though it holds more than `most` bytes. `nearly` is true when more than half of that was taken over but for a
    little: as long as somebody writes, this thread never comes to the end, and the writer has to `finish`.

    Each of up to `tries` leaves less behind for the next, as long as somebody writes. A refusal of the disk is no loss:
    the write-ahead log holds everything, and the next call tries again.
    """

    def __init__(self, path: Path, most: int, *, tries: int = 1) -> None:
        self.stuck = self.nearly = False
        self._path, self._most, self._tries = path, most, tries
        self._wanted, self._rests = threading.Event(), threading.Event()
        self._asking = threading.Lock()
        self._due = self._ended = False
        self._thread: threading.Thread | None = None

    @property
    def working(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def due(self) -> None:
        """Take over what waits."""
        self._ask(due=True)

    def soon(self) -> None:
        """Sync what waits, of a file whose commits do not: called again and again, it leaves little to sync for when that
        is taken over. Who syncs another file of the disk waits for a piece then, and not for all of it."""
        self._ask(due=False)

    def _ask(self, *, due: bool) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"checkpoint {self._path.name}", daemon=True)
            self._thread.start()
        with self._asking:
            self._due = self._due or due
            self._rests.clear()
            self._wanted.set()

    def catch_up(self) -> None:
        """Wait until the thread has done what is due: a busy machine may not have let it. It holds nothing then."""
        while self.working and not self._rests.wait(_LOOK):
            continue

    def retire(self) -> None:
        """Nobody writes any more: take everything over a last time, then end."""
        self._ended = True
        self.due()

    def close(self) -> None:
        self._ended = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def finish(self, connection: sqlite3.Connection) -> None:
        """Take the little that is left over, between two commits: the write-ahead log begins anew with the next."""
        self.nearly = False
        with suppress(sqlite3.Error):
            take_over(connection)

    def waiting(self) -> int:
        """The bytes of the write-ahead log."""
        with suppress(OSError):
            return os.stat(f"{self._path}-wal").st_size  # asked after every commit
        return 0

    def _work(self) -> None:
        stand_back()
        place = f"{self._path.absolute().as_uri()}?mode=rw"  # never makes a file
        with suppress(sqlite3.Error), closing(sqlite3.connect(place, uri=True, isolation_level=None)) as connection:
            ended = False
            while not ended:
                self._wanted.wait()
                with self._asking:
                    self._wanted.clear()
                    due, self._due, ended = self._due, False, self._ended
                if due or ended:
                    self._take_over(connection)
                else:
                    self._sync()
                with self._asking:
                    if not self._wanted.is_set():
                        self._rests.set()

    def _sync(self) -> None:
        """SQLite locks nothing in this file, so that opening and closing it lets go of no lock."""
        with suppress(OSError):
            log = os.open(f"{self._path}-wal", os.O_RDONLY)
            try:
                _sync_data(log)
            finally:
                os.close(log)

    def _take_over(self, connection: sqlite3.Connection) -> None:
        with suppress(sqlite3.Error):
            page = connection.execute("PRAGMA page_size").fetchone()[0]
            for _ in range(self._tries):
                frames, left = _taken_over(connection)
                if left == 0:
                    break
            self.nearly = left * page <= _LITTLE and frames * page > self._most // 2
            if self._ended or self.waiting() > self._most:
                connection.execute(f"PRAGMA busy_timeout = {_PATIENCE}")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        self.stuck = self.waiting() > self._most


def stand_back() -> None:
    """Let whoever commits go first where there are more threads than cores: nobody waits for this thread. It holds
    nothing that others need while it is at work in SQLite or Arrow."""
    if sys.platform == "linux":  # elsewhere a priority is that of the whole process
        with suppress(OSError):
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICE)  # 19 at most


def take_over(connection: sqlite3.Connection) -> bool:
    """What no reader keeps there; whether nothing is left, so that the write-ahead log begins anew with the next commit."""
    return _taken_over(connection)[1] == 0


def _taken_over(connection: sqlite3.Connection) -> tuple[int, int]:
    """The pages of the write-ahead log, and how many are left there."""
    _, frames, done = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(frames), int(frames - done)
