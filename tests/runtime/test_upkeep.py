"""What is kept for a time is gone after it, whether or not files arrive."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from penstock.errors import StorageError
from penstock.runtime import run as running
from penstock.runtime.installation import Installation
from penstock.runtime.run import run
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
    shutil.rmtree(library.project / "models")
    run(later(library, 31), Unwatched())
    assert raw_lines(library) == 0


def test_a_run_that_finds_its_work_done_by_another_has_nothing_new(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan is made again under the lease; by then the other run may have ended."""
    library.loans("tuesday", loan(6))
    before = running.read_state(later(library, 0).project, later(library, 0).place, later(library, 0).world)
    library.run()
    read_state = running.read_state
    seen = iter([before])
    monkeypatch.setattr(running, "read_state", lambda *a, **k: next(seen, None) or read_state(*a, **k))
    report = run(later(library, 0), Unwatched())
    assert (report.outcome, report.verdict) == ("nothing new", "Nothing new: release 2 is up to date.")


def test_an_error_is_told_also_where_it_cannot_be_recorded(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    library.loans("tuesday", loan(6))

    def refuse(*_: object, **__: object) -> None:
        raise StorageError("The disk refused to write a file of the lake")

    def broken(*_: object, **__: object) -> None:
        monkeypatch.setattr(running, "put_record", lambda *_, **__: refuse_record())
        refuse()

    def refuse_record() -> None:
        raise StorageError("The catalogue cannot be used")

    monkeypatch.setattr(running._Running, "_take", broken)
    with pytest.raises(StorageError, match="disk refused"):
        run(later(library, 0), Unwatched())
