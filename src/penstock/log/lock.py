"""One writing process for each folder: a file lock that dies with its process."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path

from penstock.errors import LeaseHeld
from penstock.world import World


@dataclass
class FolderLock:
    """Held until `release`, or until the process ends, however it ends."""

    path: Path
    _descriptor: int

    @classmethod
    def take(cls, path: Path, what: str, world: World) -> FolderLock:
        """Take the lock or raise LeaseHeld naming who has it; never waits."""
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise _held(path, what) from None
        os.ftruncate(descriptor, 0)
        facts = {"pid": os.getpid(), "started": world.clock.now().isoformat(timespec="seconds")}
        os.pwrite(descriptor, json.dumps(facts).encode(), 0)
        return cls(path, descriptor)

    def release(self) -> None:
        """Let go; again is no error."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _held(path: Path, what: str) -> LeaseHeld:
    try:
        facts = json.loads(path.read_text())
    except (OSError, ValueError):
        facts = {}
    return LeaseHeld(
        f"Another process is writing {what}",
        found=f"pid {facts.get('pid', 'unknown')}, started {facts.get('started', 'at an unknown time')}",
        remedy="Wait until it has ended, or stop it, then start again.",
    )
