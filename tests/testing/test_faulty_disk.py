"""The faulty disk leaves what a kill or a loss of power would leave."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from penstock.testing.disk import FaultyDisk, FullDisk, Mode, Point


class Stopped(BaseException):
    pass


def stop() -> None:
    raise Stopped


def write(disk: FaultyDisk, path: Path, content: bytes = b"0123456789", *, sync: bool = True) -> None:
    with disk.create(str(path)) as stream:
        stream.write(content)
    if sync:
        disk.sync(str(path))


def test_every_file_has_four_points_and_every_transaction_two(tmp_path: Path) -> None:
    points: list[Point] = []
    disk = FaultyDisk(seen=points.append)
    write(disk, tmp_path / "new" / "a.parquet")
    with disk.transaction("catalogue"):
        disk.rename(str(tmp_path / "new" / "a.parquet"), str(tmp_path / "b.parquet"))
    disk.remove(str(tmp_path / "b.parquet"))
    disk.remove(str(tmp_path / "nothing"))
    assert [point.number for point in points] == list(range(1, 11))
    assert [point.kind for point in points] == [
        "created parquet",
        "torn parquet",
        "written parquet",
        "synced parquet",
        "before transaction catalogue",
        "before rename parquet",
        "after rename parquet",
        "after transaction catalogue",
        "before remove parquet",
        "after remove parquet",
    ]


@pytest.mark.parametrize(
    ("stop_at", "mode", "left"),
    [
        (5, Mode.KILL, b""),  # created
        (6, Mode.KILL, b"01234"),  # torn
        (7, Mode.KILL, b"0123456789"),  # written
        (7, Mode.VANISH, None),
        (7, Mode.TRUNCATE, b""),
        (8, Mode.VANISH, b"0123456789"),  # synced
        (8, Mode.TRUNCATE, b"0123456789"),
    ],
)
def test_a_stop_leaves_of_a_file_what_its_mode_says(
    stop_at: int, mode: Mode, left: bytes | None, tmp_path: Path
) -> None:
    disk = FaultyDisk(stop_at=stop_at, mode=mode, stop=stop)
    write(disk, tmp_path / "safe")
    with pytest.raises(Stopped):
        write(disk, tmp_path / "file")
    assert (tmp_path / "safe").read_bytes() == b"0123456789"
    found = (tmp_path / "file").read_bytes() if (tmp_path / "file").exists() else None
    assert found == left


def test_a_file_that_nobody_synced_is_lost_with_the_power_even_later(tmp_path: Path) -> None:
    disk = FaultyDisk(stop_at=4, mode=Mode.VANISH, stop=stop)
    write(disk, tmp_path / "careless", sync=False)
    with pytest.raises(Stopped), disk.transaction("catalogue"):
        pass
    assert not (tmp_path / "careless").exists()


def test_what_was_removed_is_back_after_a_loss_of_power(tmp_path: Path) -> None:
    disk = FaultyDisk(stop_at=6, mode=Mode.VANISH, stop=stop)
    write(disk, tmp_path / "file")
    with pytest.raises(Stopped):
        disk.remove(str(tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_a_full_disk_refuses_what_does_not_fit(tmp_path: Path) -> None:
    disk = FullDisk(room=10)
    with disk.create(str(tmp_path / "fits")) as stream:
        stream.write(b"0123456789")
    stream = disk.create(str(tmp_path / "too much"))
    stream.write(b"x")
    with pytest.raises(OSError, match="No space left"):
        stream.close()


@pytest.mark.parametrize(
    ("mode", "synced", "left"),
    [(Mode.KILL, False, 1), (Mode.VANISH, False, 0), (Mode.TRUNCATE, False, 0), (Mode.VANISH, True, 1)],
)
def test_a_transaction_that_is_not_synced_goes_with_the_power(
    mode: Mode, synced: bool, left: int, tmp_path: Path
) -> None:
    disk = FaultyDisk(stop_at=2, mode=mode, stop=stop)
    path = str(tmp_path / "table.live")
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    with pytest.raises(Stopped), disk.transaction(path, synced=synced):
        writer.execute("CREATE TABLE made (number)")
    shutil.copytree(tmp_path, tmp_path / "after")  # closing the writer would take everything over
    writer.close()
    with closing(sqlite3.connect(tmp_path / "after" / "table.live")) as reader:
        assert len(reader.execute("SELECT name FROM sqlite_master").fetchall()) == left
