"""What is kept for a time is gone after it, whether or not files arrive."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from penstock.errors import StorageError
from penstock.lake.lake import Lake
from penstock.lake.records import put_record, stored_records
from penstock.load.bronze import take
from penstock.runtime import run as running
from penstock.runtime.forgetting import forget_records
from penstock.runtime.installation import Installation
from penstock.runtime.plan import ConformRows
from penstock.runtime.planning import plan_run
from penstock.runtime.run import run
from penstock.runtime.state import read_state
from penstock.runtime.watch import Unwatched
from penstock.testing.world import ManualClock
from tests.flows.library import Library, loan


def later(library: Library, days: int) -> Installation:
    """The library as it is in some days."""
    now = Installation.at(library.project, library.data, environment=library.environment)
    clock = ManualClock(datetime.now(UTC) + timedelta(days=days))
    return replace(now, world=replace(now.world, clock=clock))


def raw_lines(library: Library) -> int:
    return library.count("quarantine.loans WHERE raw IS NOT NULL")


def test_raw_bytes_are_forgotten_without_anything_new(library: Library) -> None:
    assert raw_lines(library) == 1
    assert run(later(library, 29), Unwatched()).outcome == "nothing new"
    assert raw_lines(library) == 1
    assert run(later(library, 31), Unwatched()).outcome == "nothing new"
    assert raw_lines(library) == 0
    run(later(library, 33), Unwatched())
    tables = {table["name"]: table for table in library.call("status", "--json").document["tables"]}
    held = list((library.data / "lake/quarantine/loans").rglob("*.parquet"))
    assert len(held) == tables["quarantine.loans"]["files"]  # nor do older snapshots hold them


def test_raw_bytes_of_a_dataset_that_is_not_declared_any_more_are_forgotten_too(library: Library) -> None:
    for name in ("contracts/loans.yml", "sources/loans.yml", "checks/loans.yml"):
        (library.project / name).unlink()
    for name in ("models", "streams"):
        shutil.rmtree(library.project / name)
    run(later(library, 31), Unwatched())
    assert raw_lines(library) == 0


def test_the_warehouse_of_a_former_release_goes_with_the_run_or_with_the_next(library: Library) -> None:
    library.loans("tuesday", loan(6))
    library.run()
    cache = library.data / "cache"
    assert [path.name for path in cache.glob("warehouse-*")] == ["warehouse-2.duckdb"]
    shutil.copy(
        cache / "warehouse-2.duckdb", cache / "warehouse-1.duckdb"
    )  # of a run that was killed after its release
    run(later(library, 2), Unwatched())
    assert [path.name for path in cache.glob("warehouse-*")] == ["warehouse-2.duckdb"]


def kept(library: Library, kind: str) -> list[str]:
    return [record.key for record in stored_records(library.data, kind)]


def test_records_beyond_their_retention_are_forgotten_and_what_rests_on_them_stays(library: Library) -> None:
    for number in (11, 12):
        library.loans(f"day{number}", loan(number))
        library.run()
    assert (len(kept(library, "run")), len(kept(library, "batch")), len(kept(library, "release"))) == (3, 8, 3)

    run(later(library, 89), Unwatched())
    assert (len(kept(library, "run")), len(kept(library, "batch")), len(kept(library, "release"))) == (4, 8, 3)
    put_record(library.data, "metrics", "of a candidate that was refused", {}, at=datetime.now(UTC))
    run(later(library, 91), Unwatched())

    assert (len(kept(library, "run")), kept(library, "metrics")) == (2, [])
    assert kept(library, "batch") == []
    assert kept(library, "release") == ["00000001", "00000002", "00000003"]  # all three can still be read
    assert library.count("gold.dim_member", release=1) == 2
    assert library.run()["outcome"] == "nothing new"


def test_an_expired_release_is_forgotten_with_its_metrics_and_numbers_go_on(library: Library) -> None:
    library.edit("penstock.yml", "tenant: default", "tenant: default\nretention: {releases_keep: 1, records_for: P40D}")
    library.loans("tuesday", loan(6))
    assert library.run()["release"] == 2
    run(later(library, 35), Unwatched())
    assert "expired" in library.call("query", "SELECT 1", "--release", "1").expect(2).err
    run(later(library, 41), Unwatched())
    assert kept(library, "release") == ["00000002"]
    assert "There is no release 1" in library.call("query", "SELECT 1", "--release", "1").expect(2).err
    library.loans("wednesday", loan(7))
    assert library.run()["release"] == 3


def test_a_batch_that_silver_has_not_seen_is_remembered_whatever_its_age(library: Library) -> None:
    library.loans("tuesday", loan(6), loan(7))
    installation = later(library, 0)
    with Lake.open(library.data, installation.world) as lake, lake.lease("run", holder="test") as lease:
        state = read_state(installation.project, installation.place, installation.world, lake=lake)
        source = installation.project.sources["loans"]
        found = state.discoveries["loans"]
        list(take(lake, installation.project, source, found, lease=lease, world=installation.world, observe=print))
        forget_records(library.data, older_than=timedelta(days=90), now=datetime.now(UTC) + timedelta(days=200))
    step = plan_run(later(library, 0)).steps[0]
    assert isinstance(step, ConformRows)
    assert step.rows == 2


def test_a_refusal_stands_until_a_release_answers_it_and_is_then_forgotten(library: Library) -> None:
    library.edit("checks/loans.yml", "minimum: 1", "minimum: 100")
    library.loans("tuesday", loan(6))
    library.run(1)
    now = datetime.now(UTC) + timedelta(days=200)
    assert forget_records(library.data, older_than=timedelta(days=90), now=now)["gate"] == 0
    library.edit("checks/loans.yml", "minimum: 100", "minimum: 1")
    assert library.run()["release"] == 2
    assert forget_records(library.data, older_than=timedelta(days=90), now=now)["gate"] == 1


def test_a_run_that_finds_its_work_done_by_another_has_nothing_new(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan is made again under the lease; by then the other run may have ended."""
    library.loans("tuesday", loan(6))
    before = read_state(later(library, 0).project, later(library, 0).place, later(library, 0).world)
    library.run()
    seen = iter([before])
    monkeypatch.setattr(running, "read_state", lambda *a, **k: next(seen, None) or read_state(*a, **k))
    report = run(later(library, 0), Unwatched())
    assert (report.outcome, report.verdict) == ("nothing new", "Nothing new: release 2 is up to date.")


@pytest.mark.parametrize("failing", ["keep_up", "serve_latest"])
def test_a_release_stands_where_what_follows_it_fails_and_the_next_run_mends_it(
    library: Library, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    library.loans("tuesday", loan(6))
    target = running if failing == "keep_up" else running._Running
    with monkeypatch.context() as patched:
        patched.setattr(target, failing, refuse)
        report = library.run(1)

    assert (report["outcome"], report["release"]) == ("released", 2)
    [notice] = report["notices"]
    assert (notice["kind"], "next run tries again: The disk refused" in notice["text"]) == ("unfinished", True)
    assert library.call("history", "--json").document["runs"][0]["outcome"] == "released"
    assert library.run()["outcome"] == "nothing new"


def refuse(*_: object, **__: object) -> None:
    raise StorageError("The disk refused to write a file of the lake")


def test_what_follows_a_release_and_fails_is_said_last(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "keep_up", refuse)
    library.loans("tuesday", loan(6))
    done = library.call("run").expect(1)
    assert "Release 2 is out." in done.out
    assert done.err.splitlines()[-1].startswith("error: The upkeep was not done; the next run tries again: The disk")


def test_an_error_is_told_also_where_it_cannot_be_recorded(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    library.loans("tuesday", loan(6))

    def broken(*_: object, **__: object) -> None:
        monkeypatch.setattr(running, "put_record", lambda *_, **__: refuse_record())
        refuse()

    def refuse_record() -> None:
        raise StorageError("The catalogue cannot be used")

    monkeypatch.setattr(running._Running, "_load", broken)
    with pytest.raises(StorageError, match="disk refused"):
        run(later(library, 0), Unwatched())
