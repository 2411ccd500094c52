"""Clock, disk and ids as small protocols, and the real ones.

Everything that the input does not determine comes in through a `World`, so a test can stop the
clock, tear a write or drop what was not synced. Only `runtime` makes the real world.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, Protocol

SYNCS_AT_A_TIME = 16


class Clock(Protocol):
    """What time it is (aware UTC), how long something took (seconds), and waiting (seconds)."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


class Ids(Protocol):
    """New identifiers of 32 hex digits, unique without coordination."""

    def new(self) -> str: ...


class Disk(Protocol):
    """The storage seam: every durable file of the lake is written through it.

    A file is durable after `sync` (its content and its entry in the directory). `transaction`
    marks the one atomic point of a commit to an SQLite file. Paths are absolute and local.
    """

    def create(self, path: str) -> BinaryIO:
        """Open a new file for writing, with its folders; an existing file is an error (FileExistsError)."""

    def sync(self, *paths: str) -> None:
        """Make the files and every directory entry that leads to them durable, in whatever order."""

    def rename(self, source: str, target: str) -> None:
        """Replace `target` by `source` atomically and durably."""

    def remove(self, path: str) -> None:
        """Remove a file; a missing one is not an error."""

    def transaction(self, name: str, *, synced: bool = True) -> AbstractContextManager[None]:
        """Surround the atomic point `name` (nothing is done by the real disk).

        Without `synced` it is durable only when SQLite next takes its write-ahead log into the file `name`.
        """


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class RandomIds:
    def new(self) -> str:
        return uuid.uuid4().hex


class LocalDisk:
    """The real disk. The first file synced in a folder syncs all folders above it too.

    That a folder exists does not mean that its entry is durable: a process that made it may have
    been killed before it synced anything.
    """

    def __init__(self) -> None:
        self._durable: set[str] = set()

    def create(self, path: str) -> BinaryIO:
        folder = os.path.dirname(path)
        missing = folder
        while not os.path.isdir(missing):
            self._durable.discard(missing)
            missing = os.path.dirname(missing)
        os.makedirs(folder, exist_ok=True)
        return open(path, "xb")

    def sync(self, *paths: str) -> None:
        self._sync(paths, {os.path.dirname(path) for path in paths})

    def rename(self, source: str, target: str) -> None:
        os.replace(source, target)
        self._sync((), {os.path.dirname(target)})

    def remove(self, path: str) -> None:
        try:
            os.remove(path)
        except FileNotFoundError:
            return

    @contextmanager
    def transaction(self, name: str, *, synced: bool = True) -> Iterator[None]:
        yield

    def _sync(self, files: Sequence[str], folders: set[str]) -> None:
        """Side by side: a disk makes many files durable in the time of a few."""
        folders = folders.union(*map(self._not_durable, folders))
        with ThreadPoolExecutor(SYNCS_AT_A_TIME) as pool:
            for _ in pool.map(_fsync, (*files, *folders)):
                pass
        self._durable |= folders

    def _not_durable(self, folder: str) -> Iterator[str]:
        """The folders above whose entries may not be durable yet, as far as they are ours."""
        while folder not in self._durable and os.path.dirname(folder) != folder:
            folder = os.path.dirname(folder)
            if not os.access(folder, os.R_OK):
                return  # no folder of ours: we could not have made anything in it
            yield folder


def _fsync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class World:
    """Clock, disk and ids, handed down from `runtime`.

    `at_a_time`: how many pieces of work that do not depend on each other may be under way. With one, the same work
    does the same things in the same order.
    """

    clock: Clock
    disk: Disk
    ids: Ids
    at_a_time: int = 1


def real_world() -> World:
    return World(clock=SystemClock(), disk=LocalDisk(), ids=RandomIds(), at_a_time=min(2, os.cpu_count() or 1))
