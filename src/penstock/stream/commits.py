"""Commits of a job, one after the other: that of a large round may be made aside, while the next round is worked on.

A round counts once it is committed, so it is told of then. At most one commit is under way, and after one that failed
there is no other: who begins anew finds everything as the last that was made left it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from datetime import datetime

from penstock.stream.journal import Round


@dataclass(frozen=True)
class Made:
    """A round, and when the log had taken its rows, and how many."""

    round: Round
    arrived: tuple[tuple[datetime, int], ...] = ()


class Commits:
    """`aside`: where those of rounds of at least so many `rows` are made; None: all within their turn."""

    def __init__(self, aside: Executor | None, *, rows: int) -> None:
        self._aside, self._rows = aside, rows
        self._under_way: tuple[Made, Future[None]] | None = None

    def begin(self, commit: Callable[[], None], made: Made) -> Made | None:
        """Commit a round after the one before; which one is committed now, if any."""
        before = self.finished()
        if self._aside is not None and (before is not None or made.round.rows >= self._rows):
            self._under_way = made, self._aside.submit(commit)
            return before
        commit()
        return made

    def finished(self) -> Made | None:
        """The round whose commit was under way, once it is made. Raises why it failed, each time."""
        if self._under_way is None:
            return None
        made, commit = self._under_way
        commit.result()
        self._under_way = None
        return made

    @property
    def is_under_way(self) -> bool:
        return self._under_way is not None

    def close(self) -> None:
        """Wait until the one that is under way is made, or has failed."""
        if self._under_way is not None:
            wait([self._under_way[1]])
