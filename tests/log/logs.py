"""What the tests of the embedded log share: a log under a clock that stands still, with small segments."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from penstock.log.embedded import EmbeddedLog
from penstock.log.volume import Limits
from penstock.testing.world import ManualClock, manual_world
from penstock.world import World, real_world

HOURLY = Limits(segment_bytes=1 << 30, segment_span=timedelta(hours=1))


def clocked(clock: ManualClock) -> World:
    """The real world but for its clock."""
    return replace(real_world(), clock=clock)


def open_log(root: Path, *, world: World | None = None, limits: Limits | None = None) -> EmbeddedLog:
    return EmbeddedLog.open(root / "log", world or manual_world(), limits=limits)


def files(root: Path, folder: str) -> list[str]:
    return sorted(path.name for path in (root / "log").glob(f"{folder}/**/*.db"))
