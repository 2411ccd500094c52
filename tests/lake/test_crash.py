"""The lake's commit protocol, stopped everywhere: nothing lost, nothing doubled, and the next run completes."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from penstock.lake.lake import Lake
from penstock.lake.upkeep import files_of, remove_orphans
from penstock.testing.crash import Program, one_of_each_kind
from penstock.testing.disk import Mode, Point
from penstock.world import real_world
from tests.lake.crash_program import BATCHES, EVENTS, LATEST, batch_rows
from tests.lake.plain_reader import read_records, read_tables

ROOT = Path(__file__).parents[2]


def program(root: Path) -> Program:
    return Program("tests.lake.crash_program:main", (str(root),), ROOT)


@pytest.fixture(scope="session")
def points(tmp_path_factory: pytest.TempPathFactory) -> list[Point]:
    return program(tmp_path_factory.mktemp("reference") / "data").points()


def check_whole(root: Path) -> None:
    """Both tables and the records stand at the same batch, with exactly the rows of the batches up to it."""
    tables = read_tables(root)
    reached = {int(table.properties.get("penstock.position.shop", "0")) for table in tables.values()}
    assert len(reached) <= 1
    batches = list(range(1, max(reached, default=0) + 1))
    if EVENTS.name in tables:
        expected = [row for batch in batches for row in batch_rows(batch)]
        assert sorted(tables[EVENTS.name].rows, key=lambda row: row["line"]) == expected
    if LATEST.name in tables:
        assert tables[LATEST.name].rows == [{"key": "shop", "batch": batch} for batch in batches[-1:]]
        assert set(read_records(root, "batch")) == {str(batch) for batch in batches}


def check_complete(root: Path) -> None:
    """The work is done, and no file is left that nobody needs."""
    check_whole(root)
    assert len(read_tables(root)[EVENTS.name].rows) == 4 * BATCHES
    with Lake.open(root, real_world()) as lake:
        remove_orphans(lake, older_than=timedelta(0))
        needed = {path for head in lake.heads().values() for path in files_of(lake, head)}
    present = {str(path) for path in (root / "lake").rglob("*") if path.is_file()}
    assert present == needed


def check_crashes(folder: Path, points: list[Point], mode: Mode) -> None:
    """Stop a run of its own at every point; look at what is there; run again; look again."""
    runs = program(folder / "{point}")
    runs.crash_each(points, mode)
    for point in points:
        check_whole(folder / str(point.number))
    runs.complete_each(points)
    for point in points:
        check_complete(folder / str(point.number))


def test_the_points_cover_every_kind_of_file_and_the_transaction(points: list[Point]) -> None:
    kinds = {point.kind for point in points}
    for file in ("parquet", "deletes", "avro", "manifest list", "json"):
        assert {f"{event} {file}" for event in ("created", "torn", "written", "synced")} <= kinds
    assert {"before transaction catalogue", "after transaction catalogue", "before remove avro"} <= kinds


@pytest.mark.parametrize("mode", list(Mode))
def test_a_stop_at_one_point_of_each_kind_loses_and_doubles_nothing(
    points: list[Point], mode: Mode, tmp_path: Path
) -> None:
    check_crashes(tmp_path, one_of_each_kind(points), mode)


@pytest.mark.faults
@pytest.mark.parametrize("mode", list(Mode))
def test_a_stop_at_any_point_loses_and_doubles_nothing(points: list[Point], mode: Mode, tmp_path: Path) -> None:
    check_crashes(tmp_path, points, mode)


def test_stopping_again_and_again_still_completes(points: list[Point], tmp_path: Path) -> None:
    """A commit takes 45 points here, so the process always gets one batch further before it stops."""
    stops = 0
    while program(tmp_path).crash(stop_at=len(points) // 3, mode=Mode.VANISH):
        check_whole(tmp_path)
        stops += 1
        assert stops < 10
    assert stops > 1
    check_complete(tmp_path)


def test_without_fsync_a_loss_of_power_is_noticed(tmp_path: Path) -> None:
    """The suite itself is tried: a product that does not sync must not pass it."""
    careless = (
        "import penstock.testing.crash as c, penstock.testing.disk as d;"
        "d.FaultyDisk.sync = lambda self, *paths: [self._reach('synced', path) for path in paths];"
        "c.main()"
    )
    root = tmp_path / "data"
    transaction = max(p.number for p in program(tmp_path / "other").points() if p.event == "after transaction")
    command = [sys.executable, "-c", careless, "--stop-at", str(transaction), "--mode", "vanish"]
    done = subprocess.run(
        [*command, "tests.lake.crash_program:main", str(root)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == -9
    with pytest.raises(FileNotFoundError):
        check_whole(root)
