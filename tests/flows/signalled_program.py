"""`penstock` that gets a signal at the moment when it says that a step begins: a process for tests to stop.

    python -m tests.flows.signalled_program SIGNAL STEP ARGUMENTS...

Whoever sends the signal from outside may be too late: the machine is busy, and the step has ended meanwhile.
"""

from __future__ import annotations

import os
import signal
import sys

from penstock.cli import progress
from penstock.cli.main import main


class Signalled(progress.Lines):
    """Sends this process the signal when the step begins."""

    def begin(self, step: str, *, total_bytes: int | None = None) -> None:
        super().begin(step, total_bytes=total_bytes)
        if step.startswith(at):
            os.kill(os.getpid(), signal.Signals[name])


if __name__ == "__main__":
    name, at, *arguments = sys.argv[1:]
    sys.argv = ["penstock", *arguments]
    progress.Lines = Signalled  # type: ignore[misc]
    main()
