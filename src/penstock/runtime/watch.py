"""How long work tells what it is doing."""

from __future__ import annotations

from typing import Protocol


class Watch(Protocol):
    """Told of every step as it begins, goes on and ends. Bytes are those of the files read."""

    def begin(self, step: str, *, total_bytes: int | None = None) -> None: ...
    def advance(self, rows: int, read_bytes: int) -> None: ...
    def end(self, outcome: str) -> None: ...
    def note(self, line: str) -> None: ...


class Unwatched:
    """Tells nobody."""

    def begin(self, step: str, *, total_bytes: int | None = None) -> None:
        return None

    def advance(self, rows: int, read_bytes: int) -> None:
        return None

    def end(self, outcome: str) -> None:
        return None

    def note(self, line: str) -> None:
        return None
