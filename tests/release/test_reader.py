"""Readers see a release whole, to the end, and can touch nothing else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.errors import UsageError
from penstock.lake.lake import Lake
from penstock.lake.lease import FileLock
from penstock.lake.upkeep import Retention as UpkeepRetention
from penstock.lake.upkeep import expire
from penstock.release.pin import pins
from penstock.release.reader import open_reader
from penstock.release.record import releases
from penstock.release.retention import expire_releases, expired
from penstock.spec.project import Retention
from tests.release.release_shapes import House, model

NOTHING_KEPT = UpkeepRetention(snapshots=0, slack=0, grace=timedelta(0))


def sweep(house: House) -> None:
    """Expire everything that no pin holds, and delete its files."""
    with Lake.open(house.root, house.world) as lake, lake.lease("upkeep", holder="test") as lease:
        expire(lake, NOTHING_KEPT, lease=lease, pinned=pins(house.root))


def test_a_reader_never_sees_a_torn_release(house: House) -> None:
    house.release(model("a", [1]), model("b", [1]))
    with open_reader(house.root, house.world) as reader:
        house.release(model("a", [2]), model("b", [2]))
        seen = reader.connection.execute("SELECT a.n, b.n FROM gold.a, gold.b").fetchall()
    assert seen == [(1, 1)]
    with open_reader(house.root, house.world) as reader:
        assert reader.connection.execute("SELECT a.n, b.n FROM gold.a, gold.b").fetchall() == [(2, 2)]


def test_a_reader_of_some_tables_sees_no_other(house: House) -> None:
    house.silver("s", [1])
    house.silver("t", [1])
    house.release(model("a", [1], shown_in="vault"), model("b", [1]))
    with open_reader(house.root, house.world, only=["vault.a", "silver.s", "gold.none"]) as reader:
        assert set(reader.tables) == {"vault.a", "silver.s"}
        assert reader.connection.execute("SELECT n FROM vault.a").fetchall() == [(1,)]


def test_a_reader_keeps_its_release_to_the_end_whatever_upkeep_does(house: House) -> None:
    house.release(model("a", [1]))
    with open_reader(house.root, house.world) as reader:
        house.release(model("a", [2]))
        house.world.clock.sleep(timedelta(days=400).total_seconds())
        assert expire_releases(house.root, Retention(releases_keep=1), clock=house.world.clock) == (1,)
        sweep(house)
        assert reader.connection.execute("SELECT n FROM gold.a").fetchall() == [(1,)]
        old = reader.tables["gold.a"].files[0].path
    sweep(house)
    assert not open_file(old)


def open_file(path: str) -> bool:
    try:
        with open(path, "rb"):
            return True
    except FileNotFoundError:
        return False


def test_a_pin_of_a_dead_reader_holds_nothing(house: House) -> None:
    house.release(model("a", [1]))
    locks = house.root / "locks"
    (locks / "reader-dead.json").write_text('{"gold.a": 5}')
    assert 5 not in pins(house.root)["gold.a"]
    assert not list(locks.glob("reader-*"))


def test_a_pin_that_upkeep_took_for_a_dead_one_is_made_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its making and its locking a pin looks like one that a dead reader left."""
    house.release(model("a", [1]))
    acquire, swept = FileLock.acquire, list[Path]()

    def late(lock: FileLock) -> bool:
        if not swept and "reader-" in lock.path.name:
            swept.append(lock.path)
            taken = acquire(lock)
            lock.path.unlink()  # by upkeep, which had it open before it was locked
            return taken
        return acquire(lock)

    monkeypatch.setattr(FileLock, "acquire", late)
    with open_reader(house.root, house.world) as reader:
        monkeypatch.undo()
        house.release(model("a", [2]))
        assert swept
        assert reader.tables["gold.a"].snapshot_id in pins(house.root)["gold.a"]
        assert len(list((house.root / "locks").glob("reader-*"))) == 1


def test_silver_is_read_as_it_was_at_an_older_release_and_as_it_is_without_one(house: House) -> None:
    first = house.silver("loans", [1])
    house.release(model("a", [1]), loans=first)
    second = house.silver("loans", [2])
    house.release(model("a", [2]), loans=second)
    house.silver("loans", [3])
    assert house.rows("silver.loans", release=1) == [{"n": 1}]
    assert house.rows("silver.loans", release=2) == [{"n": 1}, {"n": 2}]
    assert house.rows("silver.loans") == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_a_silver_table_younger_than_the_release_is_empty_there(house: House) -> None:
    house.release(model("a", [1]), loans=None)
    house.silver("loans", [1])
    assert house.rows("silver.loans", release=1) == []


def test_before_the_first_release_gold_is_empty_and_silver_can_be_read(house: House) -> None:
    house.silver("loans", [1])
    with open_reader(house.root, house.world) as reader:
        assert (reader.release, list(reader.tables)) == (None, ["silver.loans"])


def test_without_data_the_reader_says_what_to_do(house: House) -> None:
    with pytest.raises(UsageError, match="Run `penstock run` first"):
        open_reader(house.root, house.world)
    assert not house.root.exists()


def test_an_unknown_release_names_those_that_can_be_read(house: House) -> None:
    for number in range(3):
        house.release(model("a", [number]))
    with pytest.raises(UsageError, match="no release 9: expected one of 1, 2, 3"):
        open_reader(house.root, house.world, release=9)
    assert not list((house.root / "locks").glob("reader-*"))


def test_an_expired_release_says_so_and_keeps_its_story(house: House) -> None:
    for number in range(3):
        house.release(model("a", [number]))
        house.world.clock.sleep(timedelta(days=40).total_seconds())
    retention = Retention(releases_keep=1, releases_for=timedelta(days=60))
    assert expire_releases(house.root, retention, clock=house.world.clock) == (1, 2)
    assert expire_releases(house.root, retention, clock=house.world.clock) == ()
    with pytest.raises(UsageError, match=r"Release 1 expired on 2020-04-30 .* one of 3"):
        open_reader(house.root, house.world, release=1)
    sweep(house)
    assert house.rows("gold.a", release=3) == [{"n": 2}]
    assert [(one.number, one.expired_at is None) for one in releases(house.root)] == [(1, False), (2, False), (3, True)]


def test_a_release_that_somebody_names_stays_and_those_beside_it_go(house: House) -> None:
    for number in range(4):
        house.release(model("a", [number]))
    old = house.world.clock.now() + timedelta(days=4000)
    kept = Retention(releases_keep=1, releases_for=timedelta(0))
    assert expired(releases(house.root), kept, old) == (1, 2, 3)
    assert expired(releases(house.root), kept, old, named={2}) == (1, 3)


def test_the_last_release_never_expires(house: House) -> None:
    release = house.release(model("a", [1]))
    late = release.committed_at + timedelta(days=4000)
    assert expired([release], Retention(releases_keep=0, releases_for=timedelta(0)), late) == ()


def test_readable_releases_survive_upkeep(house: House) -> None:
    for number in range(4):
        house.release(model("a", [number]), loans=house.silver("loans", [number]))
    sweep(house)
    for number in range(4):
        assert house.rows("gold.a", release=number + 1) == [{"n": number}]
        assert len(house.rows("silver.loans", release=number + 1)) == number + 1


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_parquet('{other}')",
        "SELECT * FROM '{other}'",
        "COPY (SELECT 1) TO '{other}'",
        "ATTACH '{other}'",
        "SET memory_limit = '1TB'",
        "INSTALL httpfs",
    ],
)
def test_the_connection_of_a_reader_reaches_no_other_file(house: House, tmp_path: Path, sql: str) -> None:
    house.release(model("a", [1]))
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"secret": [1]}), other)
    with open_reader(house.root, house.world) as reader, pytest.raises(duckdb.Error):
        reader.connection.execute(sql.format(other=other))


def test_a_table_is_found_in_a_further_schema_that_shows_it(house: House) -> None:
    house.release(model("a", [1]), model("b", [2], shown_in="views"))
    assert house.rows("views.b") == house.rows("gold.b") == [{"n": 2}]
    house.release(model("a", [1]), model("b", [2]))
    assert house.rows("views.b", release=1) == [{"n": 2}]
    with pytest.raises(duckdb.Error, match="views"):
        house.rows("views.b")
