"""Which snapshots are in use: those of releases that can be read, and those that somebody is reading now.

A reader writes down its snapshots in a locked file and *then* asks whether its release can still be read;
upkeep marks releases as expired and *then* reads the pins. So at least one of them sees the other: the reader
gives up, or upkeep keeps the files. The lock is released by the system when a reader dies, however it dies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from penstock.lake.lease import FileLock
from penstock.lake.table import Scan
from penstock.release.record import Release, releases
from penstock.world import Ids

Snapshots = Mapping[str, set[int]]  # table name -> snapshot ids
_PREFIX = "reader-"


@dataclass
class Pin:
    """The snapshots of one reader, held until it is let go."""

    _lock: FileLock

    @classmethod
    def take(cls, root: Path, ids: Ids) -> Pin:
        """A pin of nothing yet."""
        lock = FileLock(root / "locks" / f"{_PREFIX}{ids.new()}.json")
        while not (lock.acquire() and lock.path.exists()):
            lock.release()  # upkeep took it for one that a dead reader left, between its making and its locking
        return cls(lock)

    def hold(self, scans: Iterable[Scan]) -> None:
        """Hold exactly the snapshots of these scans from now on."""
        self._lock.write({scan.table: scan.snapshot_id for scan in scans if scan.snapshot_id is not None})

    def release(self) -> None:
        self._lock.path.unlink(missing_ok=True)
        self._lock.release()


def pins(root: Path) -> dict[str, set[int]]:
    """Every snapshot that must stay: of readable releases and of living readers, by table.

    Call it after `expire_releases`, and expire nothing that was not there before the call.
    """
    found: dict[str, set[int]] = {}
    held = [*_of_readers(root / "locks"), *(_of_release(one) for one in releases(root) if one.expired_at is None)]
    for snapshots in held:
        for table, snapshot in snapshots.items():
            found.setdefault(table, set()).add(snapshot)
    return found


def _of_release(release: Release) -> dict[str, int]:
    silver = {name: snapshot for name, snapshot in release.silver.items() if snapshot is not None}
    return silver | {name: table.snapshot for name, table in release.gold.items()}


def _of_readers(locks: Path) -> list[dict[str, int]]:
    """What living readers hold; what a dead one left behind is removed."""
    held = []
    for path in sorted(locks.glob(f"{_PREFIX}*.json")):
        lock = FileLock(path)
        if lock.acquire():
            path.unlink(missing_ok=True)
            lock.release()
        else:
            held.append(lock.read())
    return held
