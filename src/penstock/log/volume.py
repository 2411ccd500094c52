"""A folder of segments with one owner: group commits, the next segment when it is time, and what is dropped whole."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from penstock.checkpoint import Checkpointer
from penstock.errors import PenstockError, StorageError
from penstock.log import database
from penstock.log.change import Change, apply_change, fenced
from penstock.log.lock import FolderLock
from penstock.log.protocol import Appended, LogError, LogStorageError
from penstock.log.segment import Segment
from penstock.log.segment_files import SUFFIX, numbers, segment_path
from penstock.log.segment_tables import fill
from penstock.world import World

T = TypeVar("T")
_COMMIT_BYTES = 80 << 10  # of the write-ahead log, besides rows: every commit changes pages of several tables
_FAR_TOO_MUCH = 4  # times the bytes that a write-ahead log may hold


@dataclass(frozen=True)
class Limits:
    """When a new segment begins, and how much the write-ahead log of one may hold."""

    segment_bytes: int = 256 << 20
    segment_span: timedelta = timedelta(hours=1)
    checkpoint_bytes: int = 4 << 20
    wal_bytes: int = 64 << 20


@dataclass
class _Waiting:
    change: Change
    result: Appended | None = None
    error: BaseException | None = None

    @property
    def done(self) -> bool:
        return self.result is not None or self.error is not None


@dataclass
class Volume:
    """The open folder. `drop` says which segments may go; it is asked when a new one begins."""

    root: Path
    what: str
    world: World
    limits: Limits
    lock: FolderLock
    epoch: int = 0
    number: int = 0
    drop: Callable[[Path], list[int]] = field(default=lambda _: [])
    broken: StorageError | None = None
    closed: bool = False

    @classmethod
    def open(cls, root: Path, what: str, world: World, limits: Limits) -> Volume:
        """Take the folder over; LeaseHeld when another process has it."""
        volume = cls(root, what, world, limits, FolderLock.take(root / "writer.lock", what, world))
        try:
            with database.storage_errors(root):
                volume._begin()
        except BaseException:
            volume.lock.release()
            raise
        return volume

    def __post_init__(self) -> None:
        self._commit_lock = threading.Lock()
        self._queue_lock = threading.Lock()
        self._queue: list[_Waiting] = []
        self._retired: list[Checkpointer] = []

    def _begin(self) -> None:
        found = numbers(self.root)
        if not found:
            self._make(1, None)
            found = [1]
        self._attach(found[-1])
        if self.segment.sealed() is not None:
            self._make(self.number + 1, self.connection)
            self._attach(self.number + 1)
        with self._transaction():
            self.epoch = self.segment.raise_epoch()
        self._remove_orphans()

    def _attach(self, number: int) -> None:
        path = segment_path(self.root, number)
        self.connection = database.open_writer(path)
        self.number, self.segment = number, Segment(self.connection, str(path))
        self._made = self.segment.made()
        self._bytes = sum(extent.bytes for extent in self.segment.extents())
        self._unchecked = self._bytes
        self._checkpointer = Checkpointer(path, self.limits.wal_bytes)

    def _make(self, number: int, before: sqlite3.Connection | None, *, publish: bool = True) -> None:
        made = self._now()
        path = segment_path(self.root, number)
        database.prepare(self.world.disk, path, lambda fresh: fill(fresh, number=number, made=made, before=before))
        if publish:
            database.publish(self.world.disk, path)

    def _remove_orphans(self) -> None:
        """Files that a crash left: half made segments, snapshots that no commit names."""
        kept = self.segment.snapshot()
        for path in self.root.glob("*.snapshot"):
            if kept is None or path.name != kept.file:
                self.world.disk.remove(str(path))
        for path in self.root.glob(f"*{database.NEW}"):
            database.remove(self.world.disk, path)
        names = {path.name for path in self.root.glob(f"*{SUFFIX}")}
        for path in self.root.glob(f"*{SUFFIX}-*"):
            if path.name.rpartition("-")[0] not in names:
                self.world.disk.remove(str(path))

    # Commits

    def hold(self, name: str) -> int:
        """Become the holder of a name: the epoch that fences all before it."""
        with self._commit_lock, database.storage_errors(self.root), self._transaction():
            self._fence()
            return self.segment.raise_holder(name)

    def read(self, question: Callable[[Segment], T]) -> T:
        """Ask the current segment, between commits."""
        with self._commit_lock, database.storage_errors(self.root):
            self._check_open()
            return question(self.segment)

    def commit(self, change: Change) -> Appended:
        """Durable on return. Threads that come while one is committing are committed together by the next."""
        mine = _Waiting(change)
        with self._queue_lock:
            self._queue.append(mine)
        with self._commit_lock:
            if not mine.done:
                with self._queue_lock:
                    group, self._queue = self._queue, []
                self._commit_group(group)
        if mine.error is not None:
            raise mine.error
        if mine.result is None:
            raise AssertionError("a commit ended without a result")
        return mine.result

    def _commit_group(self, group: list[_Waiting]) -> None:
        results: list[tuple[_Waiting, Appended | PenstockError]] = []
        try:
            self._check_open()
            with database.storage_errors(self.root), self._transaction():
                self._fence()
                results = [(waiting, apply_change(self.segment, waiting.change, at=self._now())) for waiting in group]
        except BaseException as error:
            if isinstance(error, StorageError) and not isinstance(error, LogStorageError):
                self.broken = error
            for waiting in group:
                waiting.error = error
            if not isinstance(error, Exception):
                raise
            return
        for waiting, result in results:
            if isinstance(result, Appended):
                waiting.result = result
            else:
                waiting.error = result
        self._after_commit(group)

    def _fence(self) -> None:
        if not self.segment.fence(self.epoch):
            raise fenced(self.what, self.epoch, self.segment.epoch())

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """One atomic point of the disk; undone when anything is raised within."""
        with self.world.disk.transaction(self.segment.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.connection.execute("COMMIT")
            except BaseException:
                self.segment.forget_names()
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def _check_open(self) -> None:
        if self.closed:
            raise LogError("The log was closed", where=self.what)
        if self.broken is not None:
            raise self.broken

    # Segments

    def _after_commit(self, group: list[_Waiting]) -> None:
        size = sum(waiting.change.size for waiting in group)
        self._bytes += size
        self._unchecked += size + _COMMIT_BYTES
        if self._unchecked >= self.limits.checkpoint_bytes:
            self._unchecked = 0
            self._checkpointer.due()
        elif self._checkpointer.nearly:
            self._checkpointer.finish(self.connection)
        if self._checkpointer.waiting() > _FAR_TOO_MUCH * self.limits.wal_bytes:
            self._checkpointer.catch_up()  # it is begun anew now, or a reader keeps it
        with_snapshot = any(one.change.job is not None and one.change.job.snapshot is not None for one in group)
        if self._is_due(with_snapshot=with_snapshot):
            self._roll_if_possible()

    def _is_due(self, *, with_snapshot: bool) -> bool:
        """A job's segment waits for the next snapshot, but not for ever."""
        if self._checkpointer.stuck:
            return True
        age = timedelta(microseconds=self._now() - self._made)
        fullness = max(self._bytes / self.limits.segment_bytes, age / self.limits.segment_span)
        is_job = self.segment.snapshot() is not None
        return fullness >= (1 if with_snapshot or not is_job else 2)

    def _roll_if_possible(self) -> None:
        """Begin the next segment. A disk that refuses is no reason to refuse rows: the next commit tries again."""
        try:
            with database.storage_errors(self.root):
                self._roll()
        except StorageError:
            return

    def _roll(self) -> None:
        next = self.number + 1
        self._make(next, self.connection, publish=False)
        with self._transaction():
            self._fence()
            self.segment.seal(self._now())
        database.publish(self.world.disk, segment_path(self.root, next))
        sealed, checkpointer = self.connection, self._checkpointer
        self._attach(next)
        checkpointer.retire()
        self._retired = [one for one in self._retired if one.working]
        self._retired.append(checkpointer)
        sealed.close()
        self._drop()

    def upkeep(self) -> None:
        """Begin a segment that is due by time, and drop what retention lets go, also when nothing is appended."""
        with self._commit_lock:
            self._check_open()
            if self._bytes > 0 and self._is_due(with_snapshot=False):
                self._roll_if_possible()
            self._drop()

    def _drop(self) -> None:
        for number in self.drop(self.root):
            database.remove(self.world.disk, segment_path(self.root, number))

    def _now(self) -> int:
        return int(self.world.clock.now().timestamp() * 1_000_000)

    def close(self) -> None:
        with self._commit_lock:
            if not self.closed:
                self.closed = True
                for checkpointer in (self._checkpointer, *self._retired):
                    checkpointer.close()
                self.connection.close()
                self.lock.release()
