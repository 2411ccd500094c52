"""Waiting for what other processes and threads bring about: as long as it takes, for the machine may be slow or busy."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 600.0  # seconds, after which something hangs and is not just slow


def wait_for(what: Callable[[], object], *, pause: float = 0.1) -> None:
    """Until it holds, asked again after each pause; an AssertionError when it never does."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(pause)
