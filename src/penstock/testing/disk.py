"""A disk that stops the process at a chosen point, as a kill or as a loss of power."""

from __future__ import annotations

import errno
import io
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from threading import RLock
from typing import BinaryIO

from typing_extensions import Buffer

from penstock.world import LocalDisk


class Mode(StrEnum):
    """What is left of the files when the process stops.

    `kill`: all that was written, for the system outlives the process. `vanish`: power is lost, and
    what was not synced has no directory entry; what was removed is back. `truncate`: power is lost,
    and what was not synced is there, but empty. Of transactions that were not synced nothing is left,
    or with `truncate` half of what SQLite had not taken into the file yet.
    """

    KILL = "kill"
    VANISH = "vanish"
    TRUNCATE = "truncate"


@dataclass(frozen=True)
class Point:
    """A place where the process may stop: the `number`-th event, what happened, and to which file."""

    number: int
    event: str
    path: str

    @property
    def kind(self) -> str:
        """The class of the point: what happened to what sort of file. One of each makes a quick suite."""
        name = os.path.basename(self.path)
        if name.startswith("snap-"):
            return f"{self.event} manifest list"
        if name.endswith("-deletes.parquet"):
            return f"{self.event} deletes"
        return f"{self.event} {name.rsplit('.', 1)[-1] if '.' in name else name}"


def stop_process() -> None:
    """End this process at once, as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class FaultyDisk(LocalDisk):
    """The real disk with numbered points, coalesced per file: created, torn, written, synced.

    Before and after each rename, removal and catalogue transaction there is a point too. At point
    `stop_at` it makes of the files what `mode` says and calls `stop`. `seen` gets every point first.
    A written file is held back until it is closed, so that it can be torn in the middle. Threads take turns at it: once
    power is lost, none of them makes anything durable any more.
    """

    stop_at: int | None = None
    mode: Mode = Mode.KILL
    seen: Callable[[Point], None] | None = None
    stop: Callable[[], None] = stop_process
    _count: int = 0
    _unsynced: set[str] = field(default_factory=set)
    _ahead: set[str] = field(default_factory=set)  # write-ahead logs that nobody syncs
    _removed: dict[str, str] = field(default_factory=dict)
    _turn: RLock = field(default_factory=RLock, repr=False)

    def __post_init__(self) -> None:
        super().__init__()

    def create(self, path: str) -> BinaryIO:
        with self._turn:
            super().create(path).close()
            self._unsynced.add(path)
            self._reach("created", path)
        return _TearableFile(path, lambda event: self._reach(event, path))

    def sync(self, *paths: str) -> None:
        for path in paths:
            with self._turn:
                super().sync(path)
                self._unsynced.discard(path)
                self._reach("synced", path)

    def rename(self, source: str, target: str) -> None:
        with self._turn:
            self._reach("before rename", target)
            super().rename(source, target)
            self._unsynced.discard(source)
            self._reach("after rename", target)

    def remove(self, path: str) -> None:
        with self._turn:
            if not os.path.exists(path):
                return
            self._reach("before remove", path)
            if self.mode is Mode.VANISH:
                self._removed[path] = _copy(path)
            super().remove(path)
            self._unsynced.discard(path)
            self._reach("after remove", path)

    @contextmanager
    def transaction(self, name: str, *, synced: bool = True) -> Iterator[None]:
        with self._turn:
            self._reach("before transaction", name)
            if not synced:
                self._ahead.add(f"{name}-wal")
        with super().transaction(name, synced=synced):
            yield
        self._reach("after transaction", name)

    def lose_power(self) -> None:
        """Make of the files what a loss of power leaves of them in this mode."""
        for path in self._unsynced:
            if self.mode is Mode.VANISH and os.path.exists(path):
                os.remove(path)
            if self.mode is Mode.TRUNCATE and os.path.exists(path):
                os.truncate(path, 0)
        for path in filter(os.path.exists, self._ahead):
            if self.mode is Mode.VANISH:
                os.remove(path)
            if self.mode is Mode.TRUNCATE:
                os.truncate(path, os.path.getsize(path) // 2)
        for path, copy in self._removed.items():
            if not os.path.exists(path):
                shutil.copyfile(copy, path)

    def _reach(self, event: str, path: str) -> None:
        with self._turn:
            self._count += 1
            point = Point(self._count, event, path)
            if self.seen is not None:
                self.seen(point)
            if point.number == self.stop_at:
                if self.mode is not Mode.KILL:
                    self.lose_power()
                self.stop()


class Stopped(BaseException):
    """The process ended here."""


@dataclass
class DeadDisk(FaultyDisk):
    """A disk that raises Stopped at its point, and whenever it is asked after: whatever tidies up comes too late."""

    dead: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.stop = self._die

    def _die(self) -> None:
        self.dead = True
        raise Stopped

    def _alive(self) -> None:
        if self.dead:
            raise Stopped

    def create(self, path: str) -> BinaryIO:
        self._alive()
        return super().create(path)

    def sync(self, *paths: str) -> None:
        self._alive()
        super().sync(*paths)

    def rename(self, source: str, target: str) -> None:
        self._alive()
        super().rename(source, target)

    def remove(self, path: str) -> None:
        self._alive()
        super().remove(path)

    @contextmanager
    def transaction(self, name: str, *, synced: bool = True) -> Iterator[None]:
        self._alive()
        with super().transaction(name, synced=synced):
            yield


class _TearableFile(io.BytesIO):
    """Holds what is written until it is closed, then writes it in two halves."""

    def __init__(self, path: str, reach: Callable[[str], None]) -> None:
        super().__init__()
        self._path = path
        self._reach = reach

    def close(self) -> None:
        if self.closed:
            return
        content = self.getvalue()
        super().close()
        with open(self._path, "r+b") as stream:
            stream.write(content[: len(content) // 2])
            stream.flush()
            self._reach("torn")
            stream.write(content[len(content) // 2 :])
        self._reach("written")


def _copy(path: str) -> str:
    descriptor, copy = tempfile.mkstemp()
    os.close(descriptor)
    shutil.copyfile(path, copy)
    return copy


@dataclass
class FullDisk(LocalDisk):
    """A disk with room for `room` bytes; then it refuses, as the system does (ENOSPC)."""

    room: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def create(self, path: str) -> BinaryIO:
        return io.BufferedWriter(_LimitedFile(super().create(path), self))


class _LimitedFile(io.RawIOBase):
    def __init__(self, stream: BinaryIO, disk: FullDisk) -> None:
        self._stream = stream
        self._disk = disk

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        size = memoryview(data).nbytes
        if size > self._disk.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._disk.room -= size
        return self._stream.write(data)

    def close(self) -> None:
        self._stream.close()
        super().close()
