"""The word to end: SIGTERM, or Ctrl-C. What is under way is finished, nothing more is begun."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def until_told() -> Iterator[Callable[[], bool]]:
    """Gives whether the word came. A second Ctrl-C ends the process at once."""
    told = threading.Event()

    def hear(*_: object) -> None:
        if told.is_set():
            raise KeyboardInterrupt
        told.set()

    former = {one: signal.signal(one, hear) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield told.is_set
    finally:
        for one, handler in former.items():
            signal.signal(one, handler)
