"""A write-ahead log begins anew though somebody writes all the time."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from penstock.checkpoint import Checkpointer


def written(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("CREATE TABLE rows (data BLOB)")
    write(connection)
    return connection


def write(connection: sqlite3.Connection) -> None:
    for _ in range(20):
        connection.execute("INSERT INTO rows VALUES (?)", [bytes(3000)])


def test_the_writer_takes_over_what_came_while_a_checkpoint_was_at_work(tmp_path: Path) -> None:
    checkpointer = Checkpointer(tmp_path / "rows.db", 400_000)
    with closing(written(tmp_path / "rows.db")) as writer, closing(sqlite3.connect(tmp_path / "rows.db")) as other:
        checkpointer._take_over(other)
        writer.execute("INSERT INTO rows VALUES (1)")
        nearly, before = checkpointer.nearly, checkpointer.waiting()

        checkpointer.finish(writer)
        write(writer)

        assert (nearly, checkpointer.nearly) == (True, False)
        assert checkpointer.waiting() == before


def test_a_short_one_may_grow(tmp_path: Path) -> None:
    checkpointer = Checkpointer(tmp_path / "rows.db", 10_000_000)
    with closing(written(tmp_path / "rows.db")), closing(sqlite3.connect(tmp_path / "rows.db")) as other:
        checkpointer._take_over(other)

    assert not checkpointer.nearly


def test_what_waits_is_synced_before_it_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A little at a time, so that little is left when a checkpoint is due."""
    synced = list[int]()
    monkeypatch.setattr("penstock.checkpoint._sync_data", lambda file: synced.append(os.fstat(file).st_ino))
    checkpointer = Checkpointer(tmp_path / "rows.db", 400_000)
    with closing(written(tmp_path / "rows.db")):
        before = (tmp_path / "rows.db").stat().st_size

        checkpointer.soon()
        checkpointer.catch_up()

        assert synced == [(tmp_path / "rows.db-wal").stat().st_ino]
        assert (tmp_path / "rows.db").stat().st_size == before
        checkpointer.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a priority is that of the whole process")
def test_a_checkpoint_lets_commits_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpointer, found = Checkpointer(tmp_path / "rows.db", 400_000), list[int]()

    def noted(*_: object) -> None:
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    monkeypatch.setattr(Checkpointer, "_take_over", noted)
    with closing(written(tmp_path / "rows.db")):
        checkpointer.due()
        checkpointer.close()

    assert set(found) == {min(os.getpriority(os.PRIO_PROCESS, 0) + 10, 19)}


def test_whoever_has_far_too_much_waits_for_a_checkpoint_that_is_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_over, waited = Checkpointer._take_over, threading.Event()

    def late(self: Checkpointer, connection: sqlite3.Connection) -> None:
        waited.wait(0.1)
        take_over(self, connection)

    monkeypatch.setattr(Checkpointer, "_take_over", late)
    checkpointer = Checkpointer(tmp_path / "rows.db", 10_000)
    with closing(written(tmp_path / "rows.db")):
        checkpointer.due()
        checkpointer.catch_up()

        assert (checkpointer.waiting(), checkpointer.stuck) == (0, False)
        checkpointer.close()
        checkpointer.catch_up()
