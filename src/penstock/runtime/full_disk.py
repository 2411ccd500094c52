"""A full disk, waited for: what it refused is tried again until there is room."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from penstock.errors import StorageError
from penstock.world import Clock

T = TypeVar("T")
SECONDS_PER_TRY = 2.0


def waiting_for_room(
    work: Callable[[], T], *, clock: Clock, stopped: Callable[[], bool], note: Callable[[str], None]
) -> T | None:
    """What `work` gives once no refusal that may pass ends it; `note` is told of each. None when `stopped` meanwhile."""
    while True:
        try:
            return work()
        except StorageError as refusal:
            if not refusal.retryable:
                raise
            note(f"{refusal} It is tried again every {SECONDS_PER_TRY:g} seconds.")
        clock.sleep(SECONDS_PER_TRY)
        if stopped():
            return None
