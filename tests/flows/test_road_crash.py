"""A run that is stopped anywhere on the road: what was released stays, nothing is lost or doubled, the next run ends it.

The points are those of the disk (see `penstock.testing.disk`), found by watching an undisturbed second run of the
library. The protocol of a single commit is tried at every point in `tests/lake`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from penstock.testing.disk import Mode, Point
from tests.flows.command import ROOT
from tests.flows.library import Library, fill, loan

SHARES = 8  # of the exhaustive suite, so that it can be divided among processes


def road(folder: Path, *arguments: str) -> list[Any]:
    """Run the program of this suite; its output, line by line."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.flows.road_program", str(folder), *arguments]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1_800, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with one release, where a correction, a new row, two kinds of dirt and a newer list wait."""
    library = Library.found(tmp_path_factory.mktemp("road") / "town")
    fill(library)
    library.run()
    library.loans("tuesday", loan(1, status="back", day=3), loan(6, "m3"), loan(7, status="torn"), "8,m1")
    library.members("north", 2, "m1,ada@example.org,2020-01-01", "m3,cy@example.org,2022-02-02")
    library.save()
    return library.folder


@pytest.fixture(scope="module")
def points(folder: Path) -> list[Point]:
    [found] = road(folder, "points")
    return [Point(**point) for point in found]


def sample(points: list[Point]) -> list[Point]:
    """Every catalogue transaction and rename, before and after, and the last torn file of each sort."""
    moves = [point for point in points if "transaction" in point.event or "rename" in point.event]
    torn = {point.kind: point for point in points if point.event == "torn"}
    return sorted([*moves, *torn.values()], key=lambda point: point.number)


def check(folder: Path, chosen: list[Point], modes: list[Mode]) -> None:
    tries = [f"{point.number}:{mode}" for point, mode in zip(chosen, modes, strict=True)]
    [reference, *attempts] = road(folder, "try", "0:kill", *tries)
    whole = reference["after"]
    old = reference["stopped"]["first"]
    assert (whole["release"], whole["gold"] == old, len(attempts)) == (2, False, len(chosen))
    for point, attempt in zip(chosen, attempts, strict=True):
        check_attempt(attempt, whole, old, f"{point} {attempt['mode']}")


def check_attempt(attempt: dict[str, Any], whole: dict[str, Any], old: Any, where: str) -> None:
    stopped, after = attempt["stopped"], attempt["after"]
    assert attempt["killed"], where
    assert stopped["first"] == after["first"] == old, where
    assert stopped["gold"] == (old if stopped["release"] == 1 else whole["gold"]), where
    plain = stopped["plain"]
    assert (plain["bronze.loans"], plain["ledger.loans"]) in ((4, 1), (7, 2)), where
    assert (plain["silver.loans"], plain["quarantine.loans"]) in ((3, 2), (3, 3), (4, 4)), where
    assert attempt["report"]["release"] == 2, where
    assert attempt["report"]["outcome"] == ("released" if stopped["release"] == 1 else "nothing new"), where
    for what in ("release", "gold", "rows", "plain", "findings"):
        assert after[what] == whole[what], f"{what} {where}"


def test_the_points_cover_bronze_silver_release_and_warehouse(points: list[Point]) -> None:
    kinds = {point.kind for point in points}
    assert [point.event for point in points].count("after transaction") >= 5
    for file in ("parquet", "avro", "manifest list", "json"):
        assert {f"{event} {file}" for event in ("created", "torn", "written", "synced")} <= kinds
    assert {"synced duckdb", "before rename duckdb", "after rename duckdb"} <= kinds


def test_killed_at_a_point_of_each_sort_the_next_run_ends_the_work(folder: Path, points: list[Point]) -> None:
    chosen = sample(points)[::2]
    check(folder, chosen, [Mode.KILL] * len(chosen))


def test_without_power_at_a_point_of_each_sort_the_next_run_ends_the_work(folder: Path, points: list[Point]) -> None:
    chosen = sample(points)[1::2]
    modes = [Mode.VANISH, Mode.TRUNCATE] * len(chosen)
    check(folder, chosen, modes[: len(chosen)])


@pytest.mark.faults
@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("share", range(SHARES))
def test_stopped_at_any_point_the_next_run_ends_the_work(
    folder: Path, points: list[Point], share: int, mode: Mode
) -> None:
    chosen = points[share::SHARES]
    check(folder, chosen, [mode] * len(chosen))
