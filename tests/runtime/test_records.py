"""Every run leaves a record, also one that failed or was killed; what is odd about the files is told."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from penstock.lake.lake import Lake
from penstock.lake.records import put_record, read_records
from penstock.runtime.installation import Installation
from penstock.runtime.run import run
from penstock.runtime.watch import Unwatched
from penstock.world import real_world
from tests.flows.library import Library, loan


def runs(library: Library) -> list[dict[str, Any]]:
    return library.call("history", "--json").expect(0).document["runs"]


def test_a_failed_run_is_recorded_with_its_error(library: Library) -> None:
    library.edit("models/marts/dim_member.sql", "member_id,", "membr_id,")
    done = library.call("run").expect(1)
    assert "dim_member" in done.err
    last = runs(library)[0]
    assert (last["outcome"], last["release"]) == ("failed", 1)
    assert "dim_member" in last["error"]


def test_a_run_that_says_it_goes_on_while_nobody_runs_was_interrupted(library: Library) -> None:
    record = {**read_records(library.data, "run")[-1], "run": "late", "outcome": "running"}
    put_record(library.data, "run", "late", record, at=real_world().clock.now())
    with Lake.open(library.data, real_world()) as lake, lake.lease("run", holder="the test"):
        assert runs(library)[0]["outcome"] == "running"
    assert runs(library)[0]["outcome"] == "interrupted"
    assert "run late was interrupted" in library.call("status").out


def test_a_run_tells_its_steps_as_they_go(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in library.environment.items():
        monkeypatch.setenv(name, value)
    library.loans("tuesday", loan(7), loan(8, status="torn"))
    watch = Told()
    run(Installation.at(library.project, library.data), watch)
    assert [step for step, _ in watch.steps] == [
        "read loans",
        "conform loans",
        "build the models",
        "pass the gate",
        "release gold",
    ]
    assert watch.steps[0][1] == "2 rows from 1 file"
    assert watch.steps[1][1] == "1 row accepted"
    assert watch.steps[-1][1] == "release 2"


class Told(Unwatched):
    """Remembers every step with its outcome."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, str]] = []
        self.step = ""

    def begin(self, step: str, *, total_bytes: int | None = None) -> None:
        self.step = step

    def end(self, outcome: str) -> None:
        self.steps.append((self.step, outcome))


def test_files_that_vanished_or_came_again_are_told_and_harm_nothing(library: Library) -> None:
    monday = library.inbox / "loans_monday.csv"
    monday.write_bytes(monday.read_bytes())
    (library.inbox / "members_north_v1.csv").unlink()
    report = library.run()
    assert {(notice["kind"], notice["source"]) for notice in report["notices"]} == {
        ("identical", "loans"),
        ("vanished", "members"),
    }
    assert (report["outcome"], report["exit_code"]) == ("nothing new", 0)


def test_a_file_that_still_grows_waits_for_a_later_run(library: Library) -> None:
    library.edit("sources/loans.yml", "optional: true", "optional: true\nsettle: PT1H")
    library.loans("tuesday", loan(7))
    report = library.run()
    assert {notice["kind"] for notice in report["notices"]} == {"unsettled"}
    assert library.count("bronze.loans") == 4


def test_a_project_without_models_loads_and_says_so(library: Library) -> None:
    shutil.rmtree(library.project / "models")
    library.loans("tuesday", loan(7))
    report = library.run()
    assert (report["outcome"], report["exit_code"]) == ("loaded", 0)
    assert library.count("silver.loans") == 4
