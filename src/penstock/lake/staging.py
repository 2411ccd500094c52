"""Files written for a commit to come: remembered until the commit took place, removed when it did not."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from penstock.lake.io import discard, local_path, storage_errors
from penstock.lake.lease import FileLock
from penstock.world import World

_PREFIX = "staging-"


@dataclass
class Staging:
    """The files of one commit. While it lives, its lock tells orphan removal to leave them alone.

    `id` (32 hex digits) is part of every file's name.
    """

    id: str
    world: World
    _alive: FileLock
    written: list[str] = field(default_factory=list)
    ended: bool = False
    _count: int = 0

    @classmethod
    def begin(cls, world: World, locks: Path) -> Staging:
        stage_id = world.ids.new()
        alive = FileLock(locks / f"{_PREFIX}{stage_id}.lock")
        while not (alive.acquire() and alive.path.exists()):
            alive.release()  # orphan removal took it for a dead one between its making and its locking
        return cls(stage_id, world, alive)

    def wrote(self, location: str) -> str:
        """Remember a file that is about to be written."""
        self.written.append(local_path(location))
        return location

    def file_name(self) -> str:
        """A new name for a data file, without ending."""
        self._count += 1
        return f"{self.id}-{self._count:05d}"

    def sync(self) -> None:
        """Make all files durable; to be done before anything refers to them.

        Where it fails they are of no use: the kernel may have dropped what it did not write, so that asking again
        would report success for lost data.
        """
        if self.written:
            with storage_errors("sync", self.written[0]):
                self.world.disk.sync(*self.written)

    def discard(self) -> None:
        """The commit did not take place: remove its files."""
        if not self.ended:
            discard(self.world.disk, self.written)
            self.end()

    def end(self) -> None:
        """The files are part of the lake now, or are left to orphan removal."""
        self.ended = True
        self._alive.path.unlink(missing_ok=True)
        self._alive.release()


def live_stagings(locks: Path) -> frozenset[str]:
    """Ids of stagings whose process is alive. Locks of dead ones are removed."""
    live = []
    for name in os.listdir(locks) if locks.is_dir() else []:
        if name.startswith(_PREFIX):
            lock = FileLock(locks / name)
            if lock.acquire():
                lock.path.unlink(missing_ok=True)
                lock.release()
            else:
                live.append(name.removeprefix(_PREFIX).removesuffix(".lock"))
    return frozenset(live)
