"""The embedded log does what every event log does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from penstock.log.embedded import EmbeddedLog
from penstock.log.protocol import Log
from penstock.testing.log_suite import LogSuite
from penstock.world import real_world


class Folder:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._opened: list[EmbeddedLog] = []

    def open(self) -> Log:
        self._opened.append(EmbeddedLog.open(self._root, real_world()))
        return self._opened[-1]

    def forsake(self, log: Log) -> None:
        assert isinstance(log, EmbeddedLog)
        for volume in log._volumes.values():
            volume.lock.release()

    def remove(self, topic: str) -> None:
        with EmbeddedLog.open(self._root, real_world()) as log:
            log.remove(topic)

    def close(self) -> None:
        for log in self._opened:
            log.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(tmp_path / "log")
    yield folder
    folder.close()


@pytest.fixture
def fresh() -> Callable[[str], str]:
    seen: list[str] = []

    def name(stem: str) -> str:
        seen.append(stem)
        return f"{stem}-{len(seen)}"

    return name


class TestEmbeddedLog(LogSuite): ...
