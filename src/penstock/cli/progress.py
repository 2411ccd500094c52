"""Progress on a terminal as a bar with rows/s and time left, elsewhere as plain lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from penstock.runtime.watch import Unwatched, Watch


@contextmanager
def watch(*, quiet: bool) -> Iterator[Watch]:
    """Tell of progress on standard error, so that standard output stays a result."""
    if quiet:
        yield Unwatched()
    elif sys.stderr.isatty():
        with _bars() as bars:
            yield Bars(bars)
    else:
        yield Lines()


def _bars() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[speed]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=False,
    )


class Bars:
    """One bar a step."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.task: TaskID | None = None
        self.rows = 0
        self.started = 0.0

    def begin(self, step: str, *, total_bytes: int | None = None) -> None:
        self.rows = 0
        self.started = time.monotonic()
        self.task = self.progress.add_task(step, total=total_bytes, speed="")

    def advance(self, rows: int, read_bytes: int) -> None:
        if self.task is None:
            return
        self.rows += rows
        elapsed = time.monotonic() - self.started
        speed = f"{self.rows / elapsed:,.0f} rows/s" if self.rows and elapsed else ""
        self.progress.update(self.task, advance=read_bytes, speed=speed)

    def end(self, outcome: str) -> None:
        if self.task is None:
            return
        task = self.progress.tasks[self.task]
        self.progress.update(self.task, total=task.total or 1, completed=task.total or 1, speed=outcome)
        self.task = None

    def note(self, line: str) -> None:
        self.progress.console.print(line, highlight=False)


class Lines:
    """One line when a step begins and one when it ends."""

    def __init__(self) -> None:
        self.step = ""
        self.rows = 0
        self.started = 0.0

    def begin(self, step: str, *, total_bytes: int | None = None) -> None:
        self.step, self.rows, self.started = step, 0, time.monotonic()
        self._print(f"{step} ...")

    def advance(self, rows: int, read_bytes: int) -> None:
        self.rows += rows

    def end(self, outcome: str) -> None:
        self._print(f"{self.step}: {outcome} ({time.monotonic() - self.started:.1f} s)")

    def note(self, line: str) -> None:
        self._print(line)

    def _print(self, line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
