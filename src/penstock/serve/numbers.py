"""What metrics are answered from: of each release its definitions, its gold, and the answers computed before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Protocol

import duckdb
import pyarrow as pa

from penstock import __version__
from penstock.errors import UsageError
from penstock.metrics.answers import Answers
from penstock.metrics.metric import Metrics
from penstock.metrics.request import MetricRequest
from penstock.release.gold import open_gold
from penstock.release.record import find_release
from penstock.serve.definitions import metrics_of
from penstock.serve.kind import instant
from penstock.serve.problem import not_found
from penstock.store.manifest import Manifest
from penstock.world import World

OpenGold = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]
_MEMORY = "512MB"  # of the database of one release in one worker
_HELD = 3  # releases that are kept open


class Numbers:
    """The metrics of one release. Gold is opened with the first question, and closed by whoever asked last."""

    def __init__(self, metrics: Metrics, *, release: int, committed_at: str, gold: OpenGold) -> None:
        self.metrics = metrics
        self.release = release
        meaning = "\0".join((__version__, committed_at, metrics.fingerprint))
        self.etag = f"r{release}-m{sha256(meaning.encode()).hexdigest()[:16]}"
        self._gold = gold
        self._opened = ExitStack()
        self._answers: Answers | None = None
        self._lock = Lock()

    def rows(self, request: MetricRequest) -> pa.Table:
        """The rows of a question; UsageError for what is not declared, Problem 404 when the release expired."""
        with self._lock:
            if self._answers is None:
                with _readable():
                    connection = self._opened.enter_context(self._gold())
                self._answers = Answers(connection, self.metrics)
        return self._answers.query(request)

    def __del__(self) -> None:
        self._opened.close()


class Source(Protocol):
    """Where numbers come from."""

    def at(self, served: Manifest, release: int | None) -> Numbers:
        """The numbers of the release that is served, or of an older one; Problem 404."""


class ReleasedNumbers:
    """The numbers of a data directory; a few releases are kept open. Safe to use from several threads."""

    def __init__(self, root: Path, world: World) -> None:
        self._root = root
        self._world = world
        self._held: OrderedDict[tuple[str | None, int], Numbers] = OrderedDict()
        self._lock = Lock()

    def at(self, served: Manifest, release: int | None) -> Numbers:
        number = served.release if release is None else release
        if number > served.release:
            raise not_found(f"There is no release {number}. The latest is {served.release}.")
        key = (served.committed_at, number)  # a new release closes what is held of the one before
        with self._lock:
            for stale in [one for one in self._held if one[0] != served.committed_at]:
                del self._held[stale]
            found = self._held.get(key)
            if found is None:
                found = self._held[key] = self._open(number)
                if len(self._held) > _HELD:
                    self._held.popitem(last=False)
            self._held.move_to_end(key)
            return found

    def _open(self, number: int) -> Numbers:
        with _readable():
            release = find_release(self._root, number)
        return Numbers(
            metrics_of(self._root, release),
            release=number,
            committed_at=instant(release.committed_at),
            gold=lambda: open_gold(self._root, self._world, release=number, memory_limit=_MEMORY),
        )


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except UsageError as error:
        raise not_found(f"{error.what}.", "GET /releases lists what there is.") from None
