"""Runs the topologies of a project with small rounds, and writes a line before each: a process for tests to kill.

Before so many rounds as it is told to make it waits, so that it is there to be killed however late that is.
"""

from __future__ import annotations

import signal
import sys
from itertools import count
from pathlib import Path

from penstock.runtime.installation import Installation
from penstock.runtime.stream import stream
from penstock.stream.runner import Limits


def told() -> bool:
    sys.stdout.write(".\n")
    sys.stdout.flush()
    if next(begun) == rounds:
        signal.pause()
    return False


if __name__ == "__main__":
    rounds, begun = int(sys.argv[2]), count()
    stream(
        Installation.at(Path(sys.argv[1])),
        until_idle=True,
        limits=Limits(rows=400, rounds_per_snapshot=5),
        stopped=told,
    )
