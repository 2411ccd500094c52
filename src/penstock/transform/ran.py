"""What came of one node of a build, whoever ran it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ran:
    """`status` is success, pass, warn, fail, error or skipped; `compiled` is where the node's SQL can be read."""

    id: str
    status: str
    seconds: float
    message: str
    failures: int
    sql: str
    compiled: Path | None
