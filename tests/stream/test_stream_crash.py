"""A stream that is stopped anywhere on its road, from the log to silver: a ledger outside finds every event once.

The points are those of the disk (see `penstock.testing.disk`), found by watching an undisturbed road. A transaction of
SQLite is one point before and one after; what it does with its own files is SQLite's to prove.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from penstock.testing.disk import Mode, Point
from tests.flows.command import ROOT
from tests.stream.running_topology import Row
from tests.stream.stream_road_program import BATCHES, rows_of

SHARES = 4  # of the exhaustive suite, so that it can be divided among processes
Seen = dict[str, Any]


def road(folder: Path, *arguments: str) -> list[Any]:
    """Run the program of this suite; its output, line by line."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.stream.stream_road_program", str(folder), *arguments]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1_800, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> list[Point]:
    [found] = road(tmp_path_factory.mktemp("undisturbed"), "points")
    return [Point(**point) for point in found]


def place(point: Point) -> str:
    """Whose file it is: of a topic, of the job, of a live table, or of all."""
    return next((one for one in ("topics", "jobs", "live") if one in Path(point.path).parts), "")


def sample(points: Sequence[Point]) -> list[Point]:
    """The last point of each sort; of files, whose protocols have suites of their own, where they are torn."""
    own = [point for point in points if point.event not in ("created", "written", "synced")]
    return sorted({(point.kind, place(point)): point for point in own}.values(), key=lambda point: point.number)


def check(folder: Path, chosen: Sequence[Point], modes: Sequence[Mode]) -> None:
    tries = [f"{point.number}:{mode}" for point, mode in zip(chosen, modes, strict=True)]
    attempts = road(folder, "try", *tries)
    assert len(attempts) == len(chosen)
    for point, attempt in zip(chosen, attempts, strict=True):
        where = f"{point} {attempt['mode']}"
        assert attempt["killed"], where
        check_stopped(attempt["stopped"], where)
        check_whole(attempt["after"], where)
        assert attempt["replayed"] == [0, 0], where


def check_stopped(seen: Seen, where: str) -> None:
    """What was acknowledged is there; nothing is there twice, altered, or before what it is made of."""
    whole = expected(range(BATCHES))
    batches = {
        word: {int(batch) for said, batch in seen["ledger"] if said == word} for word in ("meant", "acknowledged")
    }
    assert Counter(expected(batches["acknowledged"])["topic"]) <= counted(seen["topic"]), where
    assert counted(seen["topic"]) <= Counter(expected(batches["meant"])["topic"]), where
    for made, source in (("scored", "topic"), ("bronze", "topic"), ("silver", "bronze"), ("latest", "scored")):
        assert counted(seen[made]) <= Counter(whole[made]), f"{made} {where}"
        assert {row[0] for row in seen[made]} <= {row[0] for row in seen[source]}, f"{made} {where}"
    assert len(seen["silver"]) + seen["quarantined"] <= len(seen["bronze"]), where
    assert sum(loans for _, loans, _ in seen["days"]) <= len(seen["scored"]), where


def check_whole(seen: Seen, where: str) -> None:
    """Every row once, as it was meant, wherever it belongs."""
    acknowledged = [int(batch) for word, batch in seen["ledger"] if word == "acknowledged"]
    assert acknowledged == sorted(set(acknowledged)), where
    for name, rows in expected(range(BATCHES)).items():
        assert counted(seen[name]) == Counter(rows), f"{name} {where}"
    refused = sum(row["fee"] < 0 for batch in range(BATCHES) for row in rows_of(batch))
    assert seen["quarantined"] == len({tuple(row) for row in seen["rejected"]}) == len(seen["rejected"]) == refused, (
        where
    )


def counted(rows: list[list[Any]]) -> Counter[tuple[Any, ...]]:
    return Counter(map(tuple, rows))


def expected(batches: Sequence[int] | set[int]) -> dict[str, list[tuple[Any, ...]]]:
    """What stands where when these batches went along the whole road."""
    rows = [row for batch in sorted(batches) for row in rows_of(batch)]
    good = [row for row in rows if row["fee"] >= 0]
    members = [row["member"] for row in good]
    earlier = [members[:number].count(member) for number, member in enumerate(members)]
    hundredths = [int(row["fee"] * 100) for row in good]
    return {
        "topic": [written(row) for row in rows],
        "bronze": [(*written(row)[:3], written(row)[3].removesuffix(":00")) for row in rows],
        "silver": [written(row) for row in good],
        "scored": [(*written(row), str(count)) for row, count in zip(good, earlier, strict=True)],
        "latest": [
            (row["loan"], row["member"], fee, int(row["lent"].timestamp()) * 1_000_000, count)
            for row, fee, count in zip(good, hundredths, earlier, strict=True)
        ],
        "days": [
            (member, count, sum(fee for one, fee in zip(members, hundredths, strict=True) if one == member))
            for member, count in Counter(members).items()
        ],
    }


def written(row: Row) -> tuple[str, ...]:
    return row["loan"], row["member"], str(row["fee"]), str(row["lent"])


def test_the_points_cover_log_state_live_tables_and_lake(points: list[Point]) -> None:
    kinds = {(point.kind, place(point)) for point in points}
    for event in ("before transaction", "after transaction"):
        assert {(f"{event} db", home) for home in ("topics", "jobs", "")} <= kinds
        assert {(f"{event} live", "live"), (f"{event} catalogue", "")} <= kinds
    for file, home in (("parquet", ""), ("avro", ""), ("manifest list", ""), ("json", ""), ("snapshot", "jobs")):
        assert {(f"{event} {file}", home) for event in ("created", "torn", "written", "synced")} <= kinds


def test_killed_at_a_point_of_each_sort_the_stream_goes_on_to_the_same_rows(
    tmp_path: Path, points: list[Point]
) -> None:
    chosen = sample(points)[::2]
    check(tmp_path, chosen, [Mode.KILL] * len(chosen))


def test_without_power_at_a_point_of_each_sort_the_stream_goes_on_to_the_same_rows(
    tmp_path: Path, points: list[Point]
) -> None:
    chosen = sample(points)[1::2]
    modes = [Mode.VANISH, Mode.TRUNCATE] * len(chosen)
    check(tmp_path, chosen, modes[: len(chosen)])


@pytest.mark.faults
@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("share", range(SHARES))
def test_stopped_at_any_point_the_stream_goes_on_to_the_same_rows(
    tmp_path: Path, points: list[Point], share: int, mode: Mode
) -> None:
    chosen = points[share::SHARES]
    check(tmp_path, chosen, [mode] * len(chosen))
