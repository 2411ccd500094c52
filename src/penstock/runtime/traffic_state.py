"""What the workers of the server were asked, told about once a second by each in a small file."""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.runtime.parts import lives
from penstock.serve.traffic import Traffic

FOLDER = "serving"
SECONDS = 1.0


@dataclass(frozen=True)
class WorkerState:
    """A worker as it last told of itself. What one counted stays counted while its `server` lives, also when it is
    replaced by another."""

    process: int
    server: int
    traffic: dict[str, Any]

    @property
    def is_running(self) -> bool:
        return lives(self.process)


@dataclass
class Telling:
    """Tells of this worker: `begin` does so from a thread, so that no request waits for the disk."""

    root: Path
    traffic: Traffic
    server: int = field(default_factory=os.getppid)
    _told: str = ""

    def begin(self) -> None:
        threading.Thread(target=self._work, name="traffic", daemon=True).start()

    def tell(self) -> None:
        """Write it where others look; nothing depends on it, so it is not synced, and a full disk may refuse it."""
        told = json.dumps({"process": os.getpid(), "server": self.server, "traffic": self.traffic.as_record()})
        if told == self._told:
            return
        folder = self.root / FOLDER
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            draft = folder / f".{os.getpid()}.{threading.get_ident()}"
            draft.write_text(told)
            draft.replace(folder / f"{os.getpid()}.json")
            self._told = told

    def _work(self) -> None:
        never = threading.Event()
        while not never.wait(SECONDS):
            self.tell()


def workers_in(root: Path) -> tuple[WorkerState, ...]:
    """The workers that the servers of a data directory have or had, by process."""
    found = (_read(path) for path in sorted((root / FOLDER).glob("*.json")))
    return tuple(one for one in found if one is not None and lives(one.server))


def forget_ended(root: Path) -> None:
    """Remove what workers of servers told that are gone."""
    for path in (root / FOLDER).glob("*.json"):
        state = _read(path)
        if state is None or not lives(state.server):
            with suppress(OSError):
                path.unlink()


def _read(path: Path) -> WorkerState | None:
    with suppress(OSError, ValueError, TypeError):
        return WorkerState(**json.loads(path.read_text()))
    return None
