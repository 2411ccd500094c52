"""An SQLite file is read on a full disk by whoever has it for itself, and never while others change it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from penstock.alone import address, is_alone, shared_or_alone
from tests.full_disk import no_room_for_any_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a write-ahead log, and a hundred rows; its name is one that an address must quote."""
    path = tmp_path / "a 100% ü?#.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE rows (data BLOB)")
        db.executemany("INSERT INTO rows VALUES (?)", [(bytes(1000),)] * 100)
    return path


def opened(path: Path, *, wait: float = 60.0) -> sqlite3.Connection:
    return shared_or_alone(path, lambda: sqlite3.connect(address(path, "mode=ro"), uri=True, timeout=wait), wait=wait)


def count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM rows").fetchall()[0][0])


def test_where_there_is_room_the_file_is_shared(path: Path) -> None:
    with closing(opened(path)) as one, closing(opened(path)) as other:
        assert (count(one), count(other)) == (100, 100)
        assert not is_alone(one)


def test_on_a_full_disk_it_is_read_alone_and_not_changed(path: Path) -> None:
    before = path.read_bytes()
    with no_room_for_any_file(), closing(opened(path)) as connection:
        found = (count(connection), is_alone(connection))
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM rows")
    assert (found, path.read_bytes()) == ((100, True), before)


def test_what_a_killed_writer_left_beside_the_file_is_read_on_a_full_disk(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("DELETE FROM rows WHERE rowid > 10")
        left = [(one, one.read_bytes()) for one in path.parent.iterdir() if not one.name.endswith("-shm")]
    for one, data in left:
        one.write_bytes(data)
    for _ in range(2):  # whoever reads leaves it there
        with no_room_for_any_file(), closing(opened(path)) as connection:
            assert count(connection) == 10


WRITE = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0.1)
try:
    db.execute("DELETE FROM rows")
except sqlite3.OperationalError as error:
    print(error)
"""


def test_nobody_changes_a_file_that_is_read_alone(path: Path) -> None:
    with no_room_for_any_file():
        connection = opened(path)
    with closing(connection):
        done = subprocess.run([sys.executable, "-c", WRITE, path], capture_output=True, text=True, check=True)
        assert (done.stdout, count(connection)) == ("database is locked\n", 100)


def test_a_file_that_somebody_writes_is_read_beside_them_also_when_the_disk_is_full(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("DELETE FROM rows WHERE rowid > 10")
        with no_room_for_any_file(), closing(opened(path)) as connection:
            assert (count(connection), is_alone(connection)) == (10, False)


def test_several_that_read_alone_wait_for_each_other(path: Path) -> None:
    found: list[int] = []

    def read() -> None:
        for _ in range(5):
            with closing(opened(path)) as connection:
                found.append(count(connection))

    readers = [threading.Thread(target=read) for _ in range(4)]
    with no_room_for_any_file():
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
    assert found == [100] * 20
