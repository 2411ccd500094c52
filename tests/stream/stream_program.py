"""Runs the topologies of a project with small rounds, and writes a line before each: a process for tests to kill."""

from __future__ import annotations

import sys
from pathlib import Path

from penstock.runtime.installation import Installation
from penstock.runtime.stream import stream
from penstock.stream.runner import Limits


def told() -> bool:
    sys.stdout.write(".\n")
    sys.stdout.flush()
    return False


if __name__ == "__main__":
    stream(
        Installation.at(Path(sys.argv[1])),
        until_idle=True,
        limits=Limits(rows=400, rounds_per_snapshot=5),
        stopped=told,
    )
