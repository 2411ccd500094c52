"""A disk or a catalogue that refuses: a sentence with a remedy, and nothing half done."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event

from penstock.errors import StorageError
from penstock.lake.commit import Committer
from penstock.lake.lake import Lake
from penstock.lake.records import read_heads
from penstock.testing.disk import FullDisk
from penstock.world import Disk, LocalDisk, World
from tests.full_disk import no_room_for_any_file
from tests.lake.lake_shapes import LOANS, RETURNS, append, files_below, loans, read, returns, still_world, writing


def world_on(disk: Disk) -> World:
    return replace(still_world(), disk=disk)


@pytest.mark.parametrize("room", [0, 100, 1500, 3000, 6000, 9000, 10000])
def test_a_full_disk_is_named_and_nothing_of_the_commit_stays(room: int, tmp_path: Path) -> None:
    disk = FullDisk(room=10**9)
    with writing(tmp_path, world=world_on(disk)) as (lake, lease):
        head = append(lake, lease, lake.ensure(LOANS, lease=lease), loans(1), "1")
        before = files_below(tmp_path)
        disk.room = room
        with pytest.raises(StorageError, match=r"refused to write.*No space left.*Free space on the disk"):
            append(lake, lease, head, loans(2), "2")
        assert files_below(tmp_path) == before
        assert lake.head(LOANS.name) == head
        disk.room = 10**9
        append(lake, lease, head, loans(2), "2")
        assert len(read(lake.scan(LOANS.name))) == 2


def test_a_lake_that_nobody_writes_is_read_on_a_full_disk(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = append(lake, lease, lake.ensure(LOANS, lease=lease), loans(1), "1")
    for _ in range(2):  # the first attempt leaves an empty log behind
        with no_room_for_any_file():
            assert read_heads(tmp_path) == {LOANS.name: head.metadata_location}


def test_what_a_killed_writer_left_beside_the_catalogue_is_read_on_a_full_disk(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = lake.ensure(LOANS, lease=lease)
        left = {name: (tmp_path / name).read_bytes() for name in ("catalog.db", "catalog.db-wal")}
    for name, content in left.items():
        (tmp_path / name).write_bytes(content)
    with no_room_for_any_file():
        assert read_heads(tmp_path) == {LOANS.name: head.metadata_location}
    assert read_heads(tmp_path) == {LOANS.name: head.metadata_location}


class FailingSync(LocalDisk):
    """The n-th sync fails once, as the kernel reports a lost write once and then forgets it."""

    def __init__(self, fails_at: int) -> None:
        super().__init__()
        self.fails_at = fails_at

    def sync(self, *paths: str) -> None:
        for path in paths:
            self.fails_at -= 1
            if self.fails_at == 0:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            super().sync(path)


@pytest.mark.parametrize("file", [1, 2, 3, 4])  # data, manifest, manifest list, metadata
def test_a_failed_fsync_is_fatal_to_the_commit_and_never_asked_again(file: int, tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = lake.ensure(LOANS, lease=lease)
    before = files_below(tmp_path)
    with writing(tmp_path, world=world_on(FailingSync(file))) as (lake, lease):
        with pytest.raises(StorageError, match="refused to sync"):
            append(lake, lease, head, loans(1), "1")
        assert files_below(tmp_path) == before
        assert lake.head(LOANS.name) == head


def test_the_transaction_begins_when_all_files_are_durable(tmp_path: Path) -> None:
    synced: list[str] = []

    class Watched(LocalDisk):
        def sync(self, *paths: str) -> None:
            super().sync(*paths)
            synced.extend(paths)

    with writing(tmp_path, world=world_on(Watched())) as (lake, lease):
        head = lake.ensure(LOANS, lease=lease)
        event.listen(lake.catalog.engine, "begin", lambda _: seen.append(set(synced)))
        seen: list[set[str]] = []
        append(lake, lease, head, loans(1), "1")
    assert files_below(tmp_path) == seen[-1]


def test_an_unknown_outcome_that_took_place_is_a_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit is durable, but its answer is lost."""
    with writing(tmp_path) as (lake, lease):
        head = lake.ensure(LOANS, lease=lease)

        def lost(*_: object) -> None:
            raise sqlite3.OperationalError("disk I/O error")

        with lake.stage(lease=lease, token="x") as commit:
            commit.table(head).append(loans(1))
            swap = type(commit.committer)._swap

            def swap_and_lose(*arguments: object) -> None:
                swap(*arguments)  # type: ignore[arg-type]
                lost()

            monkeypatch.setattr(type(commit.committer), "_swap", swap_and_lose)
            commit.apply()
        assert len(read(lake.scan(LOANS.name))) == 1


def test_of_two_threads_one_does_not_hide_that_the_unknown_outcome_of_the_other_took_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The catalogue keeps the id of the last commit alone, so the second waits until the first knows."""
    with writing(tmp_path) as (lake, lease):
        first, second = (lake.ensure(table, lease=lease) for table in (LOANS, RETURNS))
        other = threading.Thread(target=lambda: append(lake, lease, second, returns(2), "2"))
        swap = Committer._swap

        def swap_and_lose(*arguments: object) -> None:
            swap(*arguments)  # type: ignore[arg-type]
            monkeypatch.setattr(Committer, "_swap", swap)
            other.start()
            other.join(0.3)
            raise sqlite3.OperationalError("disk I/O error")

        monkeypatch.setattr(Committer, "_swap", swap_and_lose)
        append(lake, lease, first, loans(1), "1")
        other.join()
        assert [len(read(lake.scan(table.name))) for table in (LOANS, RETURNS)] == [1, 1]


def test_an_unknown_outcome_after_a_take_over_keeps_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may be part of the table by now: orphan removal decides when it knows."""
    with writing(tmp_path) as (lake, lease):
        head = lake.ensure(LOANS, lease=lease)
        before = files_below(tmp_path)

        def take_over_and_fail(*_: object) -> None:
            (tmp_path / "locks" / "run.lock").unlink()
            with writing(tmp_path):
                raise sqlite3.OperationalError("disk I/O error")

        with lake.stage(lease=lease, token="x") as commit:
            commit.table(head).append(loans(1))
            monkeypatch.setattr(type(commit.committer), "_swap", take_over_and_fail)
            with pytest.raises(StorageError, match="not known whether a commit took place"):
                commit.apply()
        assert len(files_below(tmp_path) - before) == 4


def test_a_file_in_the_place_of_the_catalogue_is_named(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_text("this is not a database, but a text long enough to be asked" * 20)
    with pytest.raises(StorageError, match=r"catalog.db: .*file is not a database.*choose another --data-dir"):
        Lake.open(tmp_path, still_world())


def test_a_catalogue_held_by_another_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with writing(tmp_path) as (lake, lease):
        lake.ensure(LOANS, lease=lease)
    monkeypatch.setattr("penstock.lake.access._BUSY_SECONDS", 0)
    holder = sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with Lake.open(tmp_path, still_world()) as lake:
        assert lake.scan(LOANS.name).files == ()  # reading does not wait for a writer
        with pytest.raises(StorageError, match=r"database is locked.*Another program holds it"):
            lake.lease("run", holder="a test")
    holder.close()


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="refused to create"):
        Lake.open(tmp_path / "file" / "data", still_world())
