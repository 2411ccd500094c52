"""Running topologies for long: a log that refuses for a while loses nothing."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pytest

from penstock.log.embedded_job import EmbeddedJob
from penstock.log.embedded_reader import EmbeddedReader
from penstock.log.protocol import LogStorageError
from penstock.runtime.event_log import open_log
from penstock.runtime.installation import Installation
from penstock.runtime.latency import COMMITTED, SECONDS, VISIBLE
from penstock.runtime.live_rows import live_rows
from penstock.runtime.stream import stream
from penstock.runtime.topics import append_lines
from penstock.runtime.topology_state import read_states
from penstock.stream.runner import Limits
from penstock.testing.world import manual_world
from penstock.world import LocalDisk
from tests.stream.lending import COUNT, lending


def test_what_a_topology_wrote_goes_after_its_retention_while_it_runs(tmp_path: Path) -> None:
    kept = COUNT.replace("{live: latest, key: [member], columns: [member, earlier]}", "{topic: told, retention: PT1H}")
    lending(tmp_path, kept)
    installation = Installation.at(tmp_path, world=manual_world(disk=LocalDisk()))
    append_lines(
        installation, "loans_typed", [b'{"loan": "L", "member": "m", "fee": 1, "lent": "2020-01-01T00:00:00Z"}']
    )
    turns = iter(range(8))

    def after_an_hour() -> bool:
        installation.world.clock.sleep(3_600)
        return next(turns, None) is None

    stream(installation, stopped=after_an_hour)

    with open_log(installation) as log:
        assert log.bounds("told") == {0: (1, 1)}


def test_a_full_disk_stops_the_stream_only_while_it_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lending(tmp_path, COUNT)
    installation = Installation.at(tmp_path, world=manual_world(disk=LocalDisk()))
    lines = [b'{"loan": "L%d", "member": "m", "fee": 1, "lent": "2020-01-01T00:00:00Z"}' % one for one in range(50)]
    append_lines(installation, "loans_typed", lines)
    commit, tries, told, turns = EmbeddedJob.commit, iter(range(100)), list[str](), iter(range(100))

    def refused(self: EmbeddedJob, **facts: Any) -> None:
        if next(tries) in (1, 2):
            raise LogStorageError("The disk is full")
        commit(self, **facts)

    monkeypatch.setattr(EmbeddedJob, "commit", refused)
    stream(installation, limits=Limits(rows=20), stopped=lambda: next(turns) > 12, note=told.append)

    assert len(told) == 2
    assert live_rows(installation, "latest", order=None, limit=9) == [{"member": "m", "earlier": 49}]


def test_until_idle_waits_for_what_is_durable_and_cannot_be_read_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lending(tmp_path, COUNT)
    installation = Installation.at(tmp_path, world=manual_world(disk=LocalDisk()))
    lines = [b'{"loan": "L%d", "member": "m", "fee": 1, "lent": "2020-01-01T00:00:00Z"}' % one for one in range(50)]
    append_lines(installation, "loans_typed", lines)
    poll, looks = EmbeddedReader.poll, count()
    monkeypatch.setattr(EmbeddedReader, "poll", lambda *given: poll(*given) if next(looks) % 5 == 4 else [])

    (state,) = stream(installation, limits=Limits(rows=20), until_idle=True)

    assert (state.counts["rows_in"], state.lag) == (50, 0)
    assert live_rows(installation, "latest", order=None, limit=9) == [{"member": "m", "earlier": 49}]


def test_a_topology_tells_how_long_rows_took_to_be_durable_and_to_be_seen(tmp_path: Path) -> None:
    lending(tmp_path, COUNT)
    installation = Installation.at(tmp_path, world=manual_world(disk=LocalDisk()))
    line = b'{"loan": "L", "member": "m", "fee": 1, "lent": "2020-01-01T00:00:00Z"}'
    append_lines(installation, "loans_typed", [line, line])
    installation.world.clock.sleep(20)

    (state,) = stream(installation, until_idle=True)

    assert {name: sum(told["counts"]) for name, told in state.latency.items()} == {COMMITTED: 2, VISIBLE: 2}
    assert all(told["counts"][SECONDS.index(30.0)] == 2 for told in state.latency.values())
    assert read_states(installation) == (state,)
