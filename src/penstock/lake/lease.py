"""Leases: one writer per target, by a file lock that dies with its process and an epoch that fences a zombie."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, text

from penstock.errors import Fenced, LeaseHeld
from penstock.lake.catalog import LakeCatalog, catalogue_errors
from penstock.lake.io import storage_errors
from penstock.world import Clock


@dataclass
class FileLock:
    """An exclusive lock on a file that the system releases when its holder ends, however it ends."""

    path: Path
    _descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock now, or say no; never waits."""
        with storage_errors("lock", str(self.path)):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def write(self, facts: dict[str, object]) -> None:
        """Who holds it, for the one who is refused."""
        if self._descriptor is not None:
            with storage_errors("write", str(self.path)):
                os.ftruncate(self._descriptor, 0)
                os.pwrite(self._descriptor, json.dumps(facts).encode(), 0)

    def read(self) -> dict[str, Any]:
        try:
            facts: dict[str, Any] = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}
        return facts


@dataclass
class Lease:
    """The right to write under `name`, until released or taken over.

    A context manager; also released when the process ends, so a restart after a crash never waits. `turn` is for
    threads that share it: the catalogue keeps the id of the last commit under it, so there is one at a time.
    """

    name: str
    holder: str
    epoch: int
    _lock: FileLock = field(repr=False)
    turn: Lock = field(default_factory=Lock, repr=False, compare=False)

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        self._lock.release()


def take(catalog: LakeCatalog, locks: Path, name: str, *, holder: str, clock: Clock) -> Lease:
    """Take the lease or raise LeaseHeld naming who has it. Every taking raises the epoch by one."""
    lock = FileLock(locks / f"{name}.lock")
    if not lock.acquire():
        raise _held(name, _holder(lock, clock))
    started = clock.now().isoformat(timespec="seconds")
    try:
        lock.write({"pid": os.getpid(), "started": started, "holder": holder})
        epoch = _next_epoch(catalog, name, holder, started)
    except BaseException:
        lock.release()
        raise
    return Lease(name=name, holder=holder, epoch=epoch, _lock=lock)


def _holder(lock: FileLock, clock: Clock) -> dict[str, Any]:
    """Who holds the lock. Its holder may not have written yet who it is: then the file still names a dead process."""
    facts = lock.read()
    for _ in range(20):
        if _is_alive(facts.get("pid")):
            break
        clock.sleep(0.01)
        facts = lock.read()
    return facts


def _is_alive(pid: object) -> bool:
    try:
        os.kill(int(str(pid)), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def fence(db: Connection, lease: Lease, *, commit: str, used_at: str) -> None:
    """The first statement of every commit: it changes one row only while the lease is the newest.

    A change, not a question: it takes part in the transaction, so a later holder cannot slip in
    between. The row keeps the id of the last commit, which answers an unknown outcome.
    """
    statement = text(
        "UPDATE penstock_lease SET used_at = :used_at, last_commit = :commit WHERE name = :name AND epoch = :epoch"
    )
    values = {"used_at": used_at, "commit": commit, "name": lease.name, "epoch": lease.epoch}
    changed = db.execute(statement, values)
    if changed.rowcount != 1:
        row = db.execute(text("SELECT epoch, holder FROM penstock_lease WHERE name = :name"), {"name": lease.name})
        found = row.first()
        raise Fenced(
            f"The lease {lease.name} was taken over; this process must not write any more",
            expected=f"epoch {lease.epoch} of {lease.holder}",
            found="no such lease" if found is None else f"epoch {found.epoch} of {found.holder}",
            remedy="Let the newer process finish, then run again.",
        )


def last_commit(catalog: LakeCatalog, lease: Lease) -> tuple[int, str]:
    """The newest epoch of the lease's name, and the id of the newest commit made under it by whatever holder."""
    query = text("SELECT epoch, last_commit FROM penstock_lease WHERE name = :name")
    with catalogue_errors(catalog.root), catalog.read() as db:
        row = db.execute(query, {"name": lease.name}).one()
        return int(row.epoch), str(row.last_commit)


def _next_epoch(catalog: LakeCatalog, name: str, holder: str, used_at: str) -> int:
    statement = text(
        "INSERT INTO penstock_lease (name, epoch, holder, used_at) VALUES (:name, 1, :holder, :used_at)"
        " ON CONFLICT (name) DO UPDATE SET epoch = epoch + 1, holder = :holder, used_at = :used_at RETURNING epoch"
    )
    with catalogue_errors(catalog.root), catalog.write() as db:
        values = {"name": name, "holder": holder, "used_at": used_at}
        return int(db.execute(statement, values).scalar_one())


def _held(name: str, facts: dict[str, Any]) -> LeaseHeld:
    who = f"{facts.get('holder', 'another process')} (pid {facts.get('pid', 'unknown')}"
    return LeaseHeld(
        f"Another process is writing under {name}",
        found=f"{who}, started {facts.get('started', 'at an unknown time')})",
        remedy="Wait until it has ended, then run again.",
    )
