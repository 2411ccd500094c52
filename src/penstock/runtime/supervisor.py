"""Parts that run as processes of their own: begun, begun again when they die, ended together.

Every part may be killed at any moment and goes on where it was; so all that is left to do here is to begin it again,
after a pause that doubles while it keeps dying. A part that ends with exit code 2 (wrong use, wrong declaration) cannot
be helped by that and is given up.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from penstock.world import Clock

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before a part that died is begun again
WELL_AFTER = 60.0  # seconds after which a part counts as well, and its pause is the first one again
STOP_SECONDS = 15.0  # how long a part may take to end; then it is killed
WRONG_USE = 2
_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


@dataclass(frozen=True)
class Part:
    """A command to keep running, as soon as it is `ready` to; with `every`, one that ends by itself and is begun again
    so many seconds after it began."""

    name: str
    command: tuple[str, ...]
    every: float | None = None
    ready: Callable[[], bool] = lambda: True


@dataclass
class Kept:
    """A part as it goes. `last_exit` is negative for a signal; `given_up` when beginning it again cannot help."""

    part: Part
    process: subprocess.Popen[bytes] | None = None
    begun: float = 0.0
    due: float = 0.0
    pause: float = FIRST_PAUSE
    restarts: int = 0
    last_exit: int | None = None
    given_up: bool = False

    @property
    def pid(self) -> int | None:
        return None if self.process is None else self.process.pid


@dataclass
class Supervisor:
    """Keeps parts running. `tell` hears of every change, in words and with all parts as they are then."""

    parts: Sequence[Part]
    clock: Clock
    tell: Callable[[str, Sequence[Kept]], None]
    stop_seconds: float = STOP_SECONDS
    kept: list[Kept] = field(init=False)

    def __post_init__(self) -> None:
        self.kept = [Kept(part) for part in self.parts]

    def run(self, stopped: Callable[[], bool], *, look: float = 0.1) -> None:
        """Until `stopped`, or until every part was given up; then all are ended."""
        try:
            while not stopped() and not all(one.given_up for one in self.kept):
                for one in self.kept:
                    self._look_after(one)
                self.clock.sleep(look)
        finally:
            self._end_all()

    def _look_after(self, one: Kept) -> None:
        if one.given_up:
            return
        if one.process is None:
            if self.clock.monotonic() >= one.due and one.part.ready():
                self._begin(one)
            return
        code = one.process.poll()
        if code is not None:
            self._ended(one, code)

    def _begin(self, one: Kept) -> None:
        one.process = subprocess.Popen(
            one.part.command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the supervisor alone, which ends the parts in order
            preexec_fn=partial(_end_with_parent, os.getpid()),
        )
        one.begun = self.clock.monotonic()
        self.tell(f"{one.part.name} began, process {one.process.pid}", self.kept)

    def _ended(self, one: Kept, code: int) -> None:
        now = self.clock.monotonic()
        one.process, one.last_exit = None, code
        if code == WRONG_USE:
            one.given_up = True
            self.tell(f"{one.part.name} was given up: what it says above must be mended first", self.kept)
            return
        if one.part.every is not None and code >= 0:
            one.due = max(one.begun + one.part.every, now)
            self.tell(f"{one.part.name} ended with {code}", self.kept)
            return
        one.pause = FIRST_PAUSE if now - one.begun >= WELL_AFTER else one.pause
        one.due, one.restarts = now + one.pause, one.restarts + 1
        self.tell(f"{one.part.name} died ({_reason(code)}) and begins again in {one.pause:g} s", self.kept)
        one.pause = min(one.pause * 2, LONGEST_PAUSE)

    def _end_all(self) -> None:
        """The last one first; every part gets the word before any is waited for."""
        running = [one for one in reversed(self.kept) if one.process is not None]
        for one in running:
            if one.process is not None:
                one.process.send_signal(signal.SIGTERM)
        deadline = self.clock.monotonic() + self.stop_seconds
        for one in running:
            if one.process is not None:
                self._wait(one, one.process, deadline)

    def _wait(self, one: Kept, process: subprocess.Popen[bytes], deadline: float) -> None:
        try:
            process.wait(max(deadline - self.clock.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        one.process, one.last_exit = None, process.returncode
        self.tell(f"{one.part.name} ended", self.kept)


def _reason(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def _end_with_parent(parent: int) -> None:
    """In the new process: it gets the word to end when the supervisor itself is killed (Linux alone can say so)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:  # killed before it could be said
            os.kill(os.getpid(), signal.SIGTERM)
