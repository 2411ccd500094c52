"""Topics on their way into the lake: once, whatever ends the process, and never from another topic of the same name."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from penstock.errors import DiskFull
from penstock.lake.lake import Lake
from penstock.load.topic import land
from penstock.log.embedded import EmbeddedLog
from penstock.log.embedded_reader import EmbeddedReader
from penstock.log.protocol import SourceReset
from penstock.runtime import landing
from penstock.runtime.installation import Installation
from penstock.runtime.landing import land_topics
from penstock.runtime.live_rows import live_rows
from penstock.runtime.replaying import replay_topologies
from penstock.runtime.stream import stream
from penstock.runtime.topics import append_lines
from penstock.sql.connection import connect
from penstock.sql.scan import read_scan
from penstock.testing.world import ManualClock
from tests.stream.lending import lending

COPY = "  - {name: copy, input: loans_typed, outputs: [{topic: copied}]}\n"
LAND = """
import sys
from pathlib import Path
import penstock.runtime.landing as landing
from penstock.runtime.installation import Installation

landing._ROWS_PER_POLL, landing.ROWS_PER_COMMIT = 300, 300

def told() -> bool:
    sys.stdout.write(".\\n")
    sys.stdout.flush()
    return False

landing.land_topics(Installation.at(Path(sys.argv[1])), ["loans_typed"], until_idle=True, stopped=told)
"""


def lines(count: int, first: int = 0) -> list[bytes]:
    return [
        b'{"loan": "L%d", "member": "m%d", "fee": 1.5, "lent": "2026-03-01T00:00:00Z"}' % (number, number % 7)
        for number in range(first, first + count)
    ]


def bronze(installation: Installation) -> list[tuple[str, ...]]:
    with Lake.open(installation.place.root, installation.world) as lake, connect() as connection:
        scan = lake.scan("bronze.loans_typed")
        read = read_scan(scan.files, scan.columns)
        return connection.execute(f"SELECT loan FROM ({read}) ORDER BY loan").fetchall()


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    lending(tmp_path, COPY)
    return Installation.at(tmp_path)


def test_until_idle_waits_for_what_is_durable_and_cannot_be_read_yet(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_lines(installation, "loans_typed", lines(50))
    poll, looks = EmbeddedReader.poll, count()
    monkeypatch.setattr(EmbeddedReader, "poll", lambda *given: poll(*given) if next(looks) % 3 == 2 else [])

    (landed,) = land_topics(installation, ["loans_typed"], until_idle=True)

    assert (landed.rows, len(bronze(installation))) == (50, 50)


def test_a_killed_landing_loses_and_doubles_nothing(installation: Installation) -> None:
    append_lines(installation, "loans_typed", lines(2000))

    for rounds in (6, 3):
        process = subprocess.Popen(
            [sys.executable, "-c", LAND, installation.project.root], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for _ in range(rounds):
            process.stdout.readline()
        process.kill()
        process.stdout.close()
        process.wait()
    (landed,) = land_topics(installation, ["loans_typed"], until_idle=True)

    assert bronze(installation) == sorted((f"L{number}",) for number in range(2000))
    assert landed.rows < 2000


def test_landing_goes_on_where_it_was(installation: Installation) -> None:
    append_lines(installation, "loans_typed", lines(10))
    land_topics(installation, until_idle=True)
    append_lines(installation, "loans_typed", lines(5, 10))

    landed = {one.topic: one.rows for one in land_topics(installation, until_idle=True)}

    assert landed == {"loans_json": 0, "loans_typed": 5}
    assert len(bronze(installation)) == 15


def test_a_full_disk_stops_landing_only_while_it_is_full(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_lines(installation, "loans_typed", lines(10))
    waiting = replace(installation, world=replace(installation.world, clock=ManualClock()))
    tries, told, turns = iter(range(100)), list[str](), iter(range(100))

    def refused(*given: Any, **facts: Any) -> Any:
        if next(tries) < 2:
            raise DiskFull("The disk is full")
        return land(*given, **facts)

    monkeypatch.setattr(landing, "land", refused)
    with pytest.raises(DiskFull):
        land_topics(waiting, ["loans_typed"], until_idle=True)
    (landed,) = land_topics(waiting, ["loans_typed"], stopped=lambda: next(turns) > 40, note=told.append)

    assert (len(told), landed.rows, len(bronze(installation))) == (1, 10, 10)


def test_thousands_of_commits_leave_few_snapshots(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landing, "_ROWS_PER_POLL", 10)
    monkeypatch.setattr(landing, "ROWS_PER_COMMIT", 10)
    append_lines(installation, "loans_typed", lines(450))

    (landed,) = land_topics(installation, ["loans_typed"], until_idle=True)

    with Lake.open(installation.place.root, installation.world) as lake:
        head = lake.head("bronze.loans_typed")
        assert head is not None
        snapshots = len(lake.metadata(head).snapshots)
    assert (landed.commits, len(bronze(installation))) == (45, 450)
    assert snapshots <= 30


def test_a_topic_that_was_made_anew_stops_landing_and_stream(installation: Installation) -> None:
    append_lines(installation, "loans_typed", lines(10))
    land_topics(installation, until_idle=True)
    stream(installation, until_idle=True)
    with EmbeddedLog.open(installation.place.root / "log", installation.world) as log:
        log.remove("loans_typed")
    append_lines(installation, "loans_typed", lines(20))

    with pytest.raises(SourceReset):
        land_topics(installation, until_idle=True)
    with pytest.raises(SourceReset):
        stream(installation, until_idle=True)


def test_rows_of_the_lake_are_looked_up_while_events_come(tmp_path: Path) -> None:
    beside = """\
  - name: beside
    input: loans_json
    steps:
      - lookup: {table: silver.loans, on: {loan: loan}, columns: {first_member: member}}
    outputs:
      - {live: seen, key: [loan], columns: [loan, first_member]}
"""
    lending(tmp_path, beside)
    installation = Installation.at(tmp_path)
    append_lines(installation, "loans_typed", lines(3))
    land_topics(installation, ["loans_typed"], until_idle=True)
    append_lines(installation, "loans_json", lines(2, 2))

    stream(installation, until_idle=True)

    seen = live_rows(installation, "seen", order=None, limit=9)
    assert seen == [{"loan": "L2", "first_member": "m2"}, {"loan": "L3", "first_member": None}]
    assert [one.different for one in replay_topologies(installation)] == [0]
