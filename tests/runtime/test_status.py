"""What `status` tells of everything that moves: how fast, how far behind, and what was committed last."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from penstock.cli import condition
from penstock.runtime.installation import Installation
from penstock.runtime.landing import land_topics
from penstock.runtime.landing_state import landings_in
from penstock.runtime.status import read_status
from penstock.runtime.stream import stream
from penstock.runtime.topics import append_lines
from penstock.testing.world import ManualClock
from tests.stream.lending import lending

COPY = "  - {name: copy, input: loans_typed, outputs: [{topic: copied}]}\n"


def lines(count: int) -> list[bytes]:
    text = b'{"loan": "L%d", "member": "m", "fee": 1.5, "lent": "2026-03-01T00:00:00Z"}'
    return [text % number for number in range(count)]


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    lending(tmp_path, COPY)
    installation = Installation.at(tmp_path)
    append_lines(installation, "loans_typed", lines(20))
    return installation


def test_each_part_tells_its_last_commit(installation: Installation) -> None:
    stream(installation, until_idle=True)
    land_topics(installation, ["loans_typed"], until_idle=True)
    status = read_status(installation)
    commits = {one.part: one.what for one in status.commits}
    assert commits == {"stream": "round 0 of copy", "land": "batch 1 of loans_typed"}
    assert [one.committed for one in status.topologies] == [status.commits[0].at]
    assert [one.committed for one in status.landings] == [status.commits[1].at]


def test_a_topic_tells_how_fast_it_goes_to_the_lake_and_what_is_left(installation: Installation) -> None:
    clock, turns = ManualClock(), iter(range(100))
    land_topics(replace(installation, world=replace(installation.world, clock=clock)), ["loans_typed"], until_idle=True)
    append_lines(installation, "loans_typed", lines(5))

    def after_some_turns() -> bool:
        clock.sleep(0.25)
        return next(turns) == 8

    waiting = replace(installation, world=replace(installation.world, clock=clock))
    land_topics(waiting, ["loans_typed"], stopped=after_some_turns)
    (told,) = landings_in(installation.place.root)
    assert (told.rows, told.commits, told.lag) == (5, 1, 0)
    assert told.rate is not None
    assert told.rate > 0


def test_status_is_read_by_people(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    stream(installation, until_idle=True)
    land_topics(installation, ["loans_typed"], until_idle=True)
    condition.status(read_status(installation), as_json=False)
    shown = capsys.readouterr().out
    assert "rows/s" in shown
    assert "topic to the lake" in shown
    assert "land: last commit 20" in shown


def test_nothing_is_told_where_nothing_ran(installation: Installation) -> None:
    status = read_status(installation)
    assert (status.topologies, status.landings, status.commits) == ((), (), ())
