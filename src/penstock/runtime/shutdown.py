"""The word to stop, SIGTERM or Ctrl-C, for loops that finish what is under way and for what has nothing to finish yet."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_Handler = Callable[[int, FrameType | None], object]


@contextmanager
def stop_requested() -> Iterator[Callable[[], bool]]:
    """Gives whether the word came: then nothing more is begun. A second Ctrl-C ends the process at once."""
    requested = threading.Event()

    def hear(*_: object) -> None:
        if requested.is_set():
            raise KeyboardInterrupt
        requested.set()

    with _handled_by(hear):
        yield requested.is_set


@contextmanager
def exit_on_stop() -> Iterator[None]:
    """The word ends this process with exit code 0; a server that starts inside takes it over."""
    with _handled_by(lambda *_: sys.exit(0)):
        yield


@contextmanager
def _handled_by(handler: _Handler) -> Iterator[None]:
    former = {one: signal.signal(one, handler) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for one, before in former.items():
            signal.signal(one, before)
