"""The manual world does nothing by itself; the real disk makes files and their folders durable."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from penstock.testing.world import CountingIds, ManualClock, manual_world
from penstock.world import LocalDisk, real_world


def test_time_moves_only_when_told() -> None:
    clock = ManualClock(datetime(2024, 2, 29, tzinfo=UTC))
    clock.sleep(86_400)
    assert clock.now() == datetime(2024, 3, 1, tzinfo=UTC)
    assert clock.monotonic() == 86_400


def test_ids_repeat_with_the_seed_and_differ_without() -> None:
    ids, same, other = CountingIds("a"), CountingIds("a"), CountingIds("b")
    first = [ids.new() for _ in range(3)]
    assert [same.new() for _ in range(3)] == first
    assert not {other.new() for _ in range(3)} & set(first)
    assert all(len(bytes.fromhex(one)) == 16 for one in [*first, real_world().ids.new()])


def test_the_manual_world_starts_at_a_fixed_time() -> None:
    assert manual_world().clock.now() == datetime(2020, 1, 1, tzinfo=UTC)


def test_a_sync_reaches_every_folder_that_was_made_for_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    names: dict[int, str] = {}
    opened, closed = os.open, os.fsync

    def watch_open(path: str, *arguments: int) -> int:
        descriptor = opened(path, *arguments)
        names[descriptor] = path
        return descriptor

    def watch_sync(descriptor: int) -> None:
        synced.append(names[descriptor])
        closed(descriptor)

    disk = LocalDisk()
    with disk.create(str(tmp_path / "a" / "b" / "file")) as stream:
        stream.write(b"x")
    monkeypatch.setattr(os, "open", watch_open)
    monkeypatch.setattr(os, "fsync", watch_sync)
    disk.sync(str(tmp_path / "a" / "b" / "file"))
    file = tmp_path / "a" / "b" / "file"
    assert sorted(synced) == sorted([str(file), *map(str, file.parents)])
    synced.clear()
    disk.create(str(file.with_name("other"))).close()
    disk.sync(str(file), str(file.with_name("other")))
    assert sorted(synced) == [str(file.parent), str(file), str(file.with_name("other"))]


def test_a_sync_that_fails_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, names = LocalDisk(), [str(tmp_path / name) for name in "abc"]
    for name in names:
        disk.create(name).close()
    refused = os.stat(names[1]).st_ino

    def fsync(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == refused:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match=names[1]):
        disk.sync(*names)


def test_a_folder_that_was_there_before_is_not_trusted_to_be_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its maker may have been killed before it synced the entry."""
    (tmp_path / "a").mkdir()
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    disk = LocalDisk()
    disk.create(str(tmp_path / "a" / "file")).close()
    disk.sync(str(tmp_path / "a" / "file"))
    assert tmp_path.stat().st_ino in synced


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    disk = LocalDisk()
    disk.create(str(tmp_path / "file")).close()
    with pytest.raises(FileExistsError):
        disk.create(str(tmp_path / "file"))
    disk.remove(str(tmp_path / "file"))
    disk.remove(str(tmp_path / "file"))
    assert not (tmp_path / "file").exists()
