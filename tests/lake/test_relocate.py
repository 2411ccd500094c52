"""A data directory that was moved says so, and can be made at home where it is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from penstock.errors import UsageError
from penstock.lake.lake import Lake
from penstock.lake.relocate import relocate
from penstock.lake.upkeep import Retention, expire, files_of
from tests.lake.lake_shapes import LOANS, RETURNS, append, files_below, loans, read, returns, still_world, writing
from tests.lake.plain_reader import read_tables


def moved(tmp_path: Path) -> tuple[Path, int]:
    """A lake with history, moved; and an old snapshot of it."""
    old, new = tmp_path / "old", tmp_path / "new place"
    with writing(old) as (lake, lease):
        first = head = append(lake, lease, lake.ensure(LOANS, lease=lease), loans(1), "1")
        lake.ensure(RETURNS, lease=lease)
        for number in range(2, 14):
            head = append(lake, lease, head, loans(number, month=number % 3 + 1), str(number))
        with lake.stage(lease=lease, token="x") as commit:
            commit.table(head).remove(lake.scan(LOANS.name).files[:2])
            commit.table(lake.heads()[RETURNS.name]).append(returns(1))
            commit.apply()
    old.rename(new)
    assert first.snapshot_id is not None
    return new, first.snapshot_id


def test_opening_says_where_it_was_and_what_to_do(tmp_path: Path) -> None:
    new, _ = moved(tmp_path)
    with pytest.raises(UsageError, match=f"moved.*expected {tmp_path}/old, found {tmp_path}/new place.*doctor"):
        Lake.open(new, still_world())


def test_relocation_makes_every_table_and_snapshot_readable_again(tmp_path: Path) -> None:
    new, first = moved(tmp_path)
    assert relocate(new, still_world(), holder="a test") == (LOANS.name, RETURNS.name)
    with writing(new) as (lake, lease):
        assert len(read(lake.scan(LOANS.name))) == 11
        assert [row[0] for row in read(lake.scan(LOANS.name, snapshot_id=first))] == [1]
        head = lake.heads()[LOANS.name]
        assert lake.position(head, "desk") == "13"
        append(lake, lease, head, loans(14), "14")
        expire(lake, Retention(1, 0, timedelta(0)), lease=lease, pinned={})
        assert len(read(lake.scan(LOANS.name))) == 12
        assert files_below(new) == {path for one in lake.heads().values() for path in files_of(lake, one)}
    assert len(read_tables(new)[LOANS.name].rows) == 12
    assert relocate(new, still_world(), holder="a test") == ()


def test_a_crash_before_the_transaction_leaves_the_directory_as_it_was(tmp_path: Path) -> None:
    new, _ = moved(tmp_path)
    before = files_below(new)
    world = still_world()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.disk, "transaction", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            relocate(new, world, holder="a test")
    assert files_below(new) == before
    with pytest.raises(UsageError, match="moved"):
        Lake.open(new, still_world())
