"""History is kept as long as declared, and what nothing needs is really gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from penstock.errors import Fenced, UsageError
from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.lake.table import Head
from penstock.lake.upkeep import FORGETS, Expired, Retention, expire, files_of, remove_orphans
from penstock.testing.world import ManualClock
from tests.lake.lake_shapes import LOANS, RETURNS, append, files_below, read, returns, still_world, writing

NOW = Retention(snapshots=2, slack=0, grace=timedelta(0))


def replaced(lake: Lake, lease: Lease, head: Head, number: int) -> Head:
    """A commit that takes all files out and puts one in."""
    with lake.stage(lease=lease, token=str(number)) as commit:
        commit.table(head).remove(lake.scan_head(head).files)
        commit.table(head).append(returns(number))
        return commit.apply()[head.name]


def needed(lake: Lake) -> set[str]:
    return {path for head in lake.heads().values() for path in files_of(lake, head)}


def test_snapshots_beyond_the_retention_go_with_their_files(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = lake.ensure(RETURNS, lease=lease)
        heads = [head := replaced(lake, lease, head, number) for number in range(6)]
        done = expire(lake, NOW, lease=lease, pinned={})
        assert done.snapshots == 4
        assert len(list((tmp_path / "lake").rglob("*.parquet"))) == 2
        assert files_below(tmp_path) == needed(lake)
        assert read(lake.scan(RETURNS.name, snapshot_id=heads[4].snapshot_id)) == [(4, "note 4")]
        with pytest.raises(UsageError, match="expired"):
            lake.scan(RETURNS.name, snapshot_id=heads[3].snapshot_id)


def test_what_a_commit_forgot_is_in_no_file_any_more(tmp_path: Path) -> None:
    """History that still holds it is not waited for, unless somebody reads it."""
    with writing(tmp_path) as (lake, lease):
        head = lake.ensure(RETURNS, lease=lease)
        read_now, held = (head := replaced(lake, lease, head, number) for number in (1, 2))
        with lake.stage(lease=lease, token="forget") as commit:
            change = commit.table(held)
            change.remove(lake.scan_head(held).files)
            change.append(returns(3))
            change.summary(FORGETS, "1")
            commit.apply()
        usual = Retention(grace=timedelta(0))
        assert read_now.snapshot_id is not None
        pinned = {RETURNS.name: {read_now.snapshot_id}}
        assert expire(lake, usual, lease=lease, pinned=pinned).snapshots == 1
        assert len(list((tmp_path / "lake").rglob("*.parquet"))) == 2
        assert expire(lake, usual, lease=lease, pinned={}).snapshots == 1
        assert len(list((tmp_path / "lake").rglob("*.parquet"))) == 1
        assert expire(lake, usual, lease=lease, pinned={}) == Expired()
        assert read(lake.scan(RETURNS.name)) == [(3, "note 3")]


def test_a_pinned_snapshot_stays_readable(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = lake.ensure(RETURNS, lease=lease)
        heads = [head := replaced(lake, lease, head, number) for number in range(6)]
        pinned = heads[1].snapshot_id
        assert pinned is not None
        expire(lake, NOW, lease=lease, pinned={RETURNS.name: {pinned}})
        assert read(lake.scan(RETURNS.name, snapshot_id=pinned)) == [(1, "note 1")]
        assert files_below(tmp_path) == needed(lake)
        expire(lake, replace(NOW, snapshots=1), lease=lease, pinned={})
        assert len(list((tmp_path / "lake").rglob("*.parquet"))) == 1
        assert files_below(tmp_path) == needed(lake)


def test_rows_that_were_only_appended_outlive_their_snapshots(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = lake.ensure(RETURNS, lease=lease)
        for number in range(12):
            head = append(lake, lease, head, returns(number), str(number))
        expire(lake, NOW, lease=lease, pinned={})
        assert sorted(row[0] for row in read(lake.scan(RETURNS.name))) == list(range(12))
        assert files_below(tmp_path) == needed(lake)


def test_data_files_of_an_expired_snapshot_stay_for_the_grace(tmp_path: Path) -> None:
    world = still_world()
    clock = world.clock
    assert isinstance(clock, ManualClock)
    with writing(tmp_path, world=world) as (lake, lease):
        head = lake.ensure(RETURNS, lease=lease)
        for number in range(3):
            head = replaced(lake, lease, head, number)
        hour = replace(NOW, snapshots=1, grace=timedelta(hours=1))
        expire(lake, hour, lease=lease, pinned={})
        assert len(list((tmp_path / "lake").rglob("*.parquet"))) == 3
        clock.sleep(3599)
        assert expire(lake, hour, lease=lease, pinned={}).files == 0
        clock.sleep(1)
        assert expire(lake, hour, lease=lease, pinned={}) == Expired(0, 2, ())
        assert files_below(tmp_path) == needed(lake)


def test_expiry_waits_until_it_is_worth_a_commit(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        lake.ensure(RETURNS, lease=lease)
        retention = Retention(snapshots=2, slack=3)
        expired = []
        for number in range(8):
            append(lake, lease, lake.heads()[RETURNS.name], None, str(number))
            expired.append(expire(lake, retention, lease=lease, pinned={}).snapshots)
        assert expired == [0, 0, 0, 0, 3, 0, 0, 3]


def test_expiry_leaves_a_table_that_moved_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with writing(tmp_path) as (lake, lease), writing(tmp_path, "other") as (other, other_lease):
        head = lake.ensure(RETURNS, lease=lease)
        for number in range(5):
            head = append(lake, lease, head, returns(number), str(number))
        stale = lake.heads()
        append(other, other_lease, head, returns(9), "9")
        monkeypatch.setattr(lake, "heads", lambda: stale)
        assert expire(lake, NOW, lease=lease, pinned={}) == Expired(postponed=(RETURNS.name,))
        assert len(read(other.scan(RETURNS.name))) == 6


def test_only_who_has_the_lease_may_expire(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = lake.ensure(RETURNS, lease=lease)
        for number in range(5):
            head = append(lake, lease, head, returns(number), str(number))
        (tmp_path / "locks" / "run.lock").unlink()
        with writing(tmp_path), pytest.raises(Fenced):
            expire(lake, NOW, lease=lease, pinned={})


def test_orphans_are_removed_when_they_are_old_and_nobody_is_staging_them(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = append(lake, lease, lake.ensure(RETURNS, lease=lease), returns(1), "1")
        needed_files = files_below(tmp_path)
        living = lake.stage(lease=lease, token="x")
        living.table(head).append(returns(2))
        staged = files_below(tmp_path) - needed_files
        dead = Path(head.metadata_location).parent / "00007-dead.metadata.json"
        dead.write_text("{}")
        late = lake.world.clock
        assert isinstance(late, ManualClock)
        late.time = late.time.replace(year=2100)
        assert remove_orphans(lake, older_than=timedelta(days=365 * 200)) == ()
        assert remove_orphans(lake, older_than=timedelta(days=1)) == (str(dead),)
        assert files_below(tmp_path) == needed_files | staged
        living.apply()
        assert remove_orphans(lake, older_than=timedelta(days=1)) == ()
        assert len(read(lake.scan(RETURNS.name))) == 2


def test_files_of_a_staging_that_died_are_orphans(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = lake.ensure(LOANS, lease=lease)
        needed_files = files_below(tmp_path)
        dying = lake.stage(lease=lease, token="x")
        dying.table(head).property("a", "b")
        dying.table(head).staged()
        dying.staging._alive.release()  # as the system does when the process is killed
        late = lake.world.clock
        assert isinstance(late, ManualClock)
        late.time = late.time.replace(year=2100)
        assert len(remove_orphans(lake, older_than=timedelta(days=1))) == 2
        assert files_below(tmp_path) == needed_files


def test_metadata_does_not_grow_with_history(tmp_path: Path) -> None:
    """After 200 commits: at most 9 small and 9 middling manifests, ten snapshots and the slack, ten versions."""
    with writing(tmp_path) as (lake, lease):
        head = lake.ensure(RETURNS, lease=lease)
        sizes = []
        for number in range(200):
            head = append(lake, lease, lake.heads()[RETURNS.name], returns(number), str(number))
            expire(lake, Retention(), lease=lease, pinned={})
            sizes.append(Path(head.metadata_location).stat().st_size)
        snapshot = lake.metadata(head).current_snapshot()
        assert snapshot is not None
        assert len(lake.manifests.manifests(snapshot)) <= 20
        assert len(list((tmp_path / "lake").rglob("metadata/*"))) < 90
        assert max(sizes[100:]) <= max(sizes[:100]) * 1.05
        assert len(read(lake.scan(RETURNS.name))) == 200
