"""What the jobs of every event log do, as tests; part of `LogSuite`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

import pytest

from penstock.errors import Fenced
from penstock.log.protocol import Log, LogError, Position, SourceReset, TopicSpec
from penstock.testing.log_rows import PAYLOAD, ids, numbered


class Place(Protocol):
    """Where the logs under test are kept."""

    def open(self) -> Log:
        """The log as another process would open it; closed by the fixture."""

    def forsake(self, log: Log) -> None:
        """Let others believe that the process of this log is dead; it goes on as a zombie."""

    def remove(self, topic: str) -> None:
        """Delete a topic that nobody has open."""


class JobSuite:
    """The behaviour. `place` and `fresh` are fixtures; the default `fresh` gives topic names that were not used."""

    def spec(self, fresh: Callable[[str], str], partitions: int = 1) -> TopicSpec:
        return TopicSpec(fresh("events"), partitions, PAYLOAD)

    def topic(self, log: Log, fresh: Callable[[str], str], partitions: int = 1) -> str:
        return log.ensure(self.spec(fresh, partitions)).spec.name

    def test_a_job_begins_with_the_oldest_rows(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        topic = self.topic(log, fresh, partitions=2)
        job = log.job(fresh("job"), [topic], [])
        incarnation = log.topics()[topic].incarnation
        assert job.positions() == {(topic, 0): Position(0, incarnation), (topic, 1): Position(0, incarnation)}
        assert (job.restore().snapshot, list(job.restore().deltas), list(job.journal())) == (None, [], [])

    def test_a_commit_is_there_as_a_whole_after_a_restart(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        topic, name, out = self.topic(log, fresh), fresh("job"), self.spec(fresh, 2)
        job = log.job(name, [topic], [out])
        moved = {(topic, 0): Position(7, log.topics()[topic].incarnation)}
        job.commit(outputs={out.name: numbered(0, 5)}, state_delta=b"d1", snapshot=None, journal=b"j1", positions=moved)
        job.commit(outputs={}, state_delta=b"d2", snapshot=None, journal=None, positions=moved)
        log.close()
        log = place.open()
        job = log.job(name, [topic], [out])
        assert job.positions() == moved
        assert (job.restore().snapshot, list(job.restore().deltas)) == (None, [b"d1", b"d2"])
        assert list(job.journal()) == [b"j1"]
        assert sorted(ids(log, out.name)) == [0, 1, 2, 3, 4]

    def test_the_oldest_entry_of_a_journal_is_told_while_its_job_is_at_work(
        self, place: Place, fresh: Callable[[str], str]
    ) -> None:
        log = place.open()
        topic, name = self.topic(log, fresh), fresh("job")
        assert log.oldest_entry(name) is None
        job = log.job(name, [topic], [])
        assert log.oldest_entry(name) is None
        for entry in (b"j1", b"j2"):
            job.commit(outputs={}, state_delta=b"", snapshot=None, journal=entry, positions={})
        assert log.oldest_entry(name) == b"j1"

    def test_a_snapshot_replaces_what_came_before_it(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        topic, name = self.topic(log, fresh), fresh("job")
        job = log.job(name, [topic], [])
        for delta, snapshot in [(b"d1", None), (None, b"s" * 3_000_000), (b"d2", None), (b"d3", b"S"), (b"d4", None)]:
            job.commit(outputs={}, state_delta=delta, snapshot=snapshot, journal=delta, positions={})
        log.close()
        job = place.open().job(name, [topic], [])
        restored = job.restore()
        assert (restored.snapshot, list(restored.deltas)) == (b"S", [b"d3", b"d4"])
        assert list(job.journal())[-2:] == [b"d3", b"d4"]

    def test_a_snapshot_that_was_prepared_keeps_the_deltas_committed_meanwhile(
        self, place: Place, fresh: Callable[[str], str]
    ) -> None:
        log = place.open()
        topic, name = self.topic(log, fresh), fresh("job")
        job = log.job(name, [topic], [])
        for delta in (b"d1", b"d2"):
            job.commit(outputs={}, state_delta=delta, snapshot=None, journal=None, positions={})
        prepared = job.prepare(b"s" * 3_000_000)
        for delta in (b"d3", b"d4"):
            job.commit(outputs={}, state_delta=delta, snapshot=None, journal=None, positions={})
        job.commit(outputs={}, state_delta=b"d5", snapshot=prepared, journal=None, positions={}, kept=2)
        log.close()
        restored = place.open().job(name, [topic], []).restore()
        assert (restored.snapshot, list(restored.deltas)) == (b"s" * 3_000_000, [b"d3", b"d4", b"d5"])

    def test_a_snapshot_that_no_commit_named_is_none(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        topic, name = self.topic(log, fresh), fresh("job")
        job = log.job(name, [topic], [])
        job.commit(outputs={}, state_delta=b"d", snapshot=None, journal=None, positions={})
        job.prepare(b"s")
        log.close()
        restored = place.open().job(name, [topic], []).restore()
        assert (restored.snapshot, list(restored.deltas)) == (None, [b"d"])

    def test_a_zombie_job_commits_nothing(self, place: Place, fresh: Callable[[str], str]) -> None:
        zombie_log = place.open()
        topic, name, out = self.topic(zombie_log, fresh), fresh("job"), self.spec(fresh)
        zombie = zombie_log.job(name, [topic], [out])
        place.forsake(zombie_log)
        log = place.open()
        job = log.job(name, [topic], [out])
        with pytest.raises(Fenced):
            zombie.commit(
                outputs={out.name: numbered(0, 3)}, state_delta=b"z", snapshot=None, journal=b"z", positions={}
            )
        job.commit(outputs={out.name: numbered(3, 4)}, state_delta=b"d", snapshot=None, journal=None, positions={})
        assert ids(log, out.name) == [3]
        assert (list(job.restore().deltas), list(job.journal())) == ([b"d"], [])

    def test_a_job_whose_input_was_made_anew_stops_loudly(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        spec, name = self.spec(fresh), fresh("job")
        before = log.ensure(spec)
        moved = {(spec.name, 0): Position(0, before.incarnation)}
        log.job(name, [spec.name], []).commit(
            outputs={}, state_delta=None, snapshot=None, journal=None, positions=moved
        )
        log.close()
        place.remove(spec.name)
        log = place.open()
        log.ensure(spec)
        with pytest.raises(SourceReset, match=re.escape(before.incarnation)):
            log.job(name, [spec.name], []).positions()

    def test_a_job_writes_only_its_own_topics(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        topic = self.topic(log, fresh)
        job = log.job(fresh("job"), [topic], [])
        with pytest.raises(LogError, match="does not own"):
            job.commit(outputs={topic: numbered(0, 1)}, state_delta=None, snapshot=None, journal=None, positions={})
        assert ids(log, topic) == []
