"""Two writers, a zombie, a file in motion: nothing is doubled, nothing half done, and the one who lost is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from penstock.errors import CommitConflict, Fenced, RolledBack, SourceBusy
from penstock.lake.commit import Commit
from penstock.load.bronze import take
from penstock.load.silver import settle
from tests.load.load_shapes import Road, refusals


def _before_apply(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do something, once, when everything is staged and the commit is about to be applied."""
    apply = Commit.apply
    acted: list[bool] = []

    def acting(self: Commit) -> object:
        if not acted:
            acted.append(True)
            act()
        return apply(self)

    monkeypatch.setattr(Commit, "apply", acting)


def test_the_same_files_from_two_writers_land_once(plain: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    plain.deliver("a.csv", "1,Dune,,", "2,Emma")
    found = plain.discover()
    _before_apply(monkeypatch, lambda: plain.take(found=found))
    with pytest.raises(CommitConflict):
        plain.take(found=found)
    assert plain.values("bronze.desk", "loan", "_batch") == [("1", 1)]
    assert len(plain.rows("quarantine.loans")) == len(plain.rows("ledger.desk")) == 1


def test_a_retry_with_what_was_discovered_before_takes_nothing_twice(plain: Road) -> None:
    plain.deliver("a.csv", "1,Dune,,")
    found = plain.discover()
    plain.take(found=found)
    plain.deliver("b.csv", "2,Emma,,")
    both = replace(found, new=found.new + plain.discover().new)
    assert plain.take(found=found) == []
    assert [getattr(one, "files", None) for one in plain.take(found=both)] == [("b.csv",)]
    assert plain.values("bronze.desk", "loan", "_batch") == [("1", 1), ("2", 2)]


def test_the_same_rows_from_two_writers_enter_silver_once(keyed: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    keyed.deliver("a.csv", "1,Dune,,", "2,Emma,free,")
    keyed.take()
    _before_apply(monkeypatch, keyed.settle)
    with pytest.raises(CommitConflict):
        keyed.settle()
    assert (keyed.titles(), len(keyed.refused()), keyed.settle()) == ({"1": "Dune"}, 1, [])


def test_a_zombie_does_not_take_files(plain: Road) -> None:
    plain.deliver("a.csv", "1,Dune,,")
    plain.take()
    plain.deliver("b.csv", "2,Emma,,")
    found, zombie = plain.discover(), plain.lease
    zombie.release()
    with plain.lake.lease("run", holder="the next") as lease:
        arguments = (plain.lake, plain.project, plain.project.sources["desk"], found)
        with pytest.raises(Fenced):
            list(take(*arguments, lease=zombie, world=plain.world, observe=lambda *_: None))
        assert len(plain.rows("bronze.desk")) == 1
        list(take(*arguments, lease=lease, world=plain.world, observe=lambda *_: None))
    assert len(plain.rows("bronze.desk")) == 2


def test_a_zombie_does_not_conform_rows(keyed: Road) -> None:
    keyed.deliver("a.csv", "1,Dune,,")
    keyed.run()
    keyed.deliver("b.csv", "2,Emma,,")
    keyed.take()
    zombie = keyed.lease
    zombie.release()
    declared = keyed.project.contracts["loans"]
    with keyed.lake.lease("run", holder="the next"), pytest.raises(Fenced):
        list(settle(keyed.lake, keyed.project, declared, lease=zombie, world=keyed.world, settings=keyed.settings))
    assert keyed.titles() == {"1": "Dune"}


def test_a_file_that_changed_since_it_was_found_waits_for_the_next_run(plain: Road) -> None:
    plain.deliver("a.csv", "1,Dune,,")
    plain.deliver("b.csv", "2,Emma,,")
    found = plain.discover()
    plain.deliver("a.csv", "1,Dune,,", "3,Ulysses,,")
    assert refusals(plain.take(found=found)) == [("a.csv", SourceBusy)]
    assert plain.values("ledger.desk", "path") == [("b.csv",)]
    plain.run()
    assert plain.titles() == {"1": "Dune", "2": "Emma", "3": "Ulysses"}


def test_a_file_that_went_since_it_was_found_does_not_hold_the_others(plain: Road) -> None:
    path = plain.deliver("a.csv", "1,Dune,,")
    plain.deliver("b.csv", "2,Emma,,")
    found = plain.discover()
    path.unlink()
    assert refusals(plain.take(found=found)) == [("a.csv", SourceBusy)]
    assert plain.values("ledger.desk", "path") == [("b.csv",)]


def test_a_refused_commit_leaves_no_file_behind(keyed: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    keyed.deliver("a.csv", "1,Dune,,")
    keyed.run()
    keyed.deliver("b.csv", "1,Emma,,2024-01-01", "2,Emma")
    keyed.take()
    before = set((keyed.folder / "data" / "lake").rglob("*.parquet"))
    monkeypatch.setattr(Commit, "apply", lambda _: (_ for _ in ()).throw(CommitConflict("lost")))
    with pytest.raises(CommitConflict):
        keyed.settle()
    assert set((keyed.folder / "data" / "lake").rglob("*.parquet")) == before


def test_silver_stops_when_bronze_is_behind_it(keyed: Road) -> None:
    keyed.deliver("a.csv", "1,Dune,,")
    keyed.run()
    head = keyed.lake.head("silver.loans")
    assert head is not None
    with keyed.lake.stage(lease=keyed.lease, token="by hand") as commit:
        commit.table(head).position("bronze.desk", "7")
        commit.apply()
    with pytest.raises(RolledBack, match="behind"):
        keyed.settle()
