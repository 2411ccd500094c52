"""How long a topology takes from when the log took a row until something is made of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.serve.histogram import Histogram

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
COMMITTED = "committed"  # what was made of it is durable
VISIBLE = "visible"  # and in the live tables


@dataclass
class Latency:
    """Counts of rows since the process was started, by what they had reached."""

    until: dict[str, Histogram] = field(default_factory=dict)

    def observe(self, until: str, arrived: Iterable[tuple[datetime, int]], now: datetime) -> None:
        """`arrived`: when the log took rows, and how many. A clock that was set back makes nothing negative."""
        seconds = self.until.setdefault(until, Histogram(SECONDS))
        for at, rows in arrived:
            if rows > 0:
                seconds.observe(max((now - at).total_seconds(), 0.0), rows)

    def as_record(self) -> dict[str, dict[str, Any]]:
        return {name: {"counts": one.counts, "total": one.total} for name, one in self.until.items()}
