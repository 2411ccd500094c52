"""The parts that `up` keeps running, as it tells of them in a small file."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from penstock.runtime.installation import Installation

FILE = "up.json"


def lives(process: int) -> bool:
    """Whether there is a process of this id, be it another user's."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@dataclass(frozen=True)
class PartState:
    """A part as its supervisor last told of it; without a process it waits, ended or was given up."""

    part: str
    process: int | None
    restarts: int
    last_exit: int | None
    given_up: bool

    @property
    def is_running(self) -> bool:
        return self.process is not None and lives(self.process)


def read_parts(installation: Installation) -> tuple[PartState, ...]:
    """The parts as `up` last told of them; none where it never ran."""
    return parts_in(installation.place.root)


def parts_in(root: Path) -> tuple[PartState, ...]:
    """The same for a data directory."""
    with suppress(OSError, ValueError, TypeError):
        told = json.loads((root / FILE).read_text())
        return tuple(PartState(**one) for one in told)
    return ()
