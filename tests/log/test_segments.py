"""Segments: they follow each other without a gap, and go as retention says."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from penstock.errors import Fenced, LeaseHeld
from penstock.log.protocol import Position, SourceReset, TopicSpec, beginning
from penstock.log.volume import Limits
from penstock.testing.log_rows import PAYLOAD, ids, numbered, read
from penstock.testing.world import ManualClock
from tests.log.logs import HOURLY, clocked, files, open_log

DAY = timedelta(days=1)
TINY = Limits(segment_bytes=1)


def test_rows_cross_segments_without_a_gap(tmp_path: Path) -> None:
    log = open_log(tmp_path, limits=TINY)
    log.ensure(TopicSpec("events", 1, PAYLOAD))
    producer = log.producer("writer", "events")
    reader = log.reader(beginning(log, "events"))
    for number in range(6):
        producer.append(numbered(10 * number, 10 * number + 10), sequence=number)
    assert len(files(tmp_path, "topics")) == 7
    seen = [one for _ in range(20) for chunk in reader.poll(7, 0.0) for one in chunk.records.column("id").to_pylist()]
    assert seen == list(range(60))
    assert log.bounds("events") == {0: (0, 60)}
    assert producer.last_sequence == 5


def test_a_batch_is_kept_compressed(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.ensure(TopicSpec("events", 1, PAYLOAD))
    rows = numbered(0, 10_000)
    log.producer("writer", "events").append(rows, sequence=0)

    (segment,) = (tmp_path / "log").glob("topics/**/*.db")
    with closing(sqlite3.connect(segment)) as db:
        [(size,)] = db.execute("SELECT sum(length(data)) FROM batch").fetchall()

    assert size < rows.nbytes * 2 / 3


def test_a_segment_ends_with_its_time(tmp_path: Path) -> None:
    clock = ManualClock()
    log = open_log(tmp_path, world=clocked(clock), limits=HOURLY)
    log.ensure(TopicSpec("events", 1, PAYLOAD))
    producer = log.producer("writer", "events")
    for number in range(4):
        producer.append(numbered(number, number + 1), sequence=number)
        clock.sleep(31 * 60)
    assert len(files(tmp_path, "topics")) == 2
    clock.sleep(3600)
    log.upkeep()
    assert len(files(tmp_path, "topics")) == 3
    assert ids(log, "events") == [0, 1, 2, 3]


def old_and_new(root: Path, clock: ManualClock, spec: TopicSpec) -> None:
    """Three segments of ten rows, a day apart each."""
    with open_log(root, world=clocked(clock), limits=TINY) as log:
        log.ensure(TopicSpec(spec.name, spec.partitions, spec.schema))
        producer = log.producer("writer", spec.name)
        for number in range(3):
            producer.append(numbered(10 * number, 10 * number + 10), sequence=number)
            clock.sleep(DAY.total_seconds())
        log.ensure(spec)


def test_old_segments_go_whole(tmp_path: Path) -> None:
    clock = ManualClock()
    old_and_new(tmp_path, clock, TopicSpec("events", 1, PAYLOAD, retention=DAY * 2))
    with open_log(tmp_path, world=clocked(clock), limits=TINY) as log:
        log.producer("writer", "events")
        log.upkeep()
        assert log.bounds("events") == {0: (20, 30)}
        assert ids(log, "events") == list(range(20, 30))


def test_age_waits_for_a_named_reader(tmp_path: Path) -> None:
    clock = ManualClock()
    old_and_new(tmp_path, clock, TopicSpec("events", 1, PAYLOAD, retention=DAY))
    with open_log(tmp_path, world=clocked(clock), limits=TINY) as log:
        incarnation = log.topics()["events"].incarnation
        log.save_positions("lake", {("events", 0): Position(15, incarnation)})
        log.producer("writer", "events")
        log.upkeep()
        assert log.bounds("events") == {0: (10, 30)}
        log.save_positions("lake", {("events", 0): Position(30, incarnation)})
        log.upkeep()
        assert log.bounds("events") == {0: (30, 30)}


def test_age_waits_for_a_job(tmp_path: Path) -> None:
    clock = ManualClock()
    old_and_new(tmp_path, clock, TopicSpec("events", 1, PAYLOAD, retention=DAY))
    with open_log(tmp_path, world=clocked(clock), limits=TINY) as log:
        job = log.job("enrich", ["events"], [])
        log.producer("writer", "events")
        log.upkeep()
        assert log.bounds("events") == {0: (0, 30)}
        moved = {("events", 0): Position(20, log.topics()["events"].incarnation)}
        job.commit(outputs={}, state_delta=None, snapshot=None, journal=None, positions=moved)
        log.upkeep()
        assert log.bounds("events") == {0: (20, 30)}


def test_age_waits_no_longer_for_a_reader_and_a_job_that_are_forgotten(tmp_path: Path) -> None:
    clock = ManualClock()
    old_and_new(tmp_path, clock, TopicSpec("events", 1, PAYLOAD, retention=DAY))
    with open_log(tmp_path, world=clocked(clock), limits=TINY) as log:
        log.job("enrich", ["events"], [])
    with open_log(tmp_path, world=clocked(clock), limits=TINY) as log:
        position = Position(15, log.topics()["events"].incarnation)
        log.save_positions("lake", {("events", 0): position})
        log.producer("writer", "events")
        assert log.readers() == {
            "lake": {("events", 0): position},
            "enrich": {("events", 0): Position(0, position.incarnation)},
        }
        log.forget("enrich")
        log.upkeep()
        assert log.bounds("events") == {0: (10, 30)}
        log.forget("lake")
        log.upkeep()
        assert (log.bounds("events"), log.readers()) == ({0: (30, 30)}, {})


def test_a_job_at_work_is_not_forgotten(tmp_path: Path) -> None:
    with open_log(tmp_path) as working, open_log(tmp_path) as log:
        working.ensure(TopicSpec("events", 1, PAYLOAD))
        working.job("enrich", ["events"], [])
        with pytest.raises(LeaseHeld, match="job enrich"):
            log.forget("enrich")
        assert "enrich" in log.readers()


def test_size_waits_for_nobody_and_the_reader_is_told_what_it_missed(tmp_path: Path) -> None:
    clock = ManualClock()
    old_and_new(tmp_path, clock, TopicSpec("events", 1, PAYLOAD, max_bytes=1))
    with open_log(tmp_path, world=clocked(clock), limits=TINY) as log:
        positions = {("events", 0): Position(3, log.topics()["events"].incarnation)}
        log.save_positions("lake", positions)
        log.producer("writer", "events")
        log.upkeep()
        with pytest.raises(SourceReset, match="27 rows were dropped unread"):
            log.reader(positions).poll(10, 0.0)


def test_a_job_begins_a_segment_with_its_state(tmp_path: Path) -> None:
    out = TopicSpec("out", 1, PAYLOAD)
    with open_log(tmp_path, limits=TINY) as log:
        log.ensure(TopicSpec("events", 1, PAYLOAD))
        job = log.job("enrich", ["events"], [out])
        for number in range(4):
            snapshot = b"state" if number == 1 else None
            job.commit(
                outputs={"out": numbered(number, number + 1)},
                state_delta=f"d{number}".encode(),
                snapshot=snapshot,
                journal=f"j{number}".encode(),
                positions={},
            )
        expected = (b"state", [b"d1", b"d2", b"d3"])
        assert (job.restore().snapshot, list(job.restore().deltas)) == expected
    assert len(files(tmp_path, "jobs")) > 2
    with open_log(tmp_path, limits=TINY) as log:
        job = log.job("enrich", ["events"], [out])
        assert (job.restore().snapshot, list(job.restore().deltas)) == expected
        assert list(job.journal()) == [b"j0", b"j1", b"j2", b"j3"]
        assert ids(log, "out") == [0, 1, 2, 3]


def test_the_journal_goes_with_the_rows_it_tells_of(tmp_path: Path) -> None:
    clock = ManualClock()
    out = TopicSpec("out", 1, PAYLOAD, retention=DAY)

    def commit(entry: bytes, count: int) -> None:
        job.commit(
            outputs={"out": numbered(0, count)} if count else {},
            state_delta=None,
            snapshot=b"s",
            journal=entry,
            positions={},
        )

    with open_log(tmp_path, world=clocked(clock), limits=TINY) as log:
        log.ensure(TopicSpec("events", 1, PAYLOAD))
        job = log.job("copy", ["events"], [out])
        for number, count in enumerate((0, 10, 0, 10)):
            commit(b"%d" % number, count)
            clock.sleep(0.2 * DAY.total_seconds())
            log.upkeep()
        assert list(job.journal()) == [b"0", b"1", b"2", b"3"]
        clock.sleep(DAY.total_seconds())
        log.upkeep()
        assert log.bounds("out") == {0: (20, 20)}
        assert b"3" in list(job.journal())
        assert b"0" not in list(job.journal())


def test_superfluous_deltas_and_snapshots_go(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.ensure(TopicSpec("events", 1, PAYLOAD))
        job = log.job("enrich", ["events"], [])
        for number in range(40):
            snapshot = bytes(100) if number % 10 == 9 else None
            job.commit(outputs={}, state_delta=b"d", snapshot=snapshot, journal=None, positions={})
        kept = log._volumes["jobs/enrich"].read(lambda segment: len(list(segment.notes("delta", 0))))
        assert kept <= 10
        assert len(list((tmp_path / "log" / "jobs" / "enrich").glob("*.snapshot"))) == 1


def test_a_snapshot_that_was_prepared_goes_when_the_one_after_the_next_is_prepared(tmp_path: Path) -> None:
    def files() -> list[bytes]:
        return sorted(path.read_bytes() for path in (tmp_path / "log" / "jobs" / "enrich").glob("*.snapshot"))

    with open_log(tmp_path) as log:
        log.ensure(TopicSpec("events", 1, PAYLOAD))
        job = log.job("enrich", ["events"], [])
        for state in (b"1", b"2"):
            job.commit(outputs={}, state_delta=b"d", snapshot=job.prepare(state), journal=None, positions={})
        assert files() == [b"1", b"2"]

        job.prepare(b"3")

        assert files() == [b"2", b"3"]
        assert job.restore().snapshot == b"2"
    with open_log(tmp_path) as log:
        log.job("enrich", ["events"], [])
        assert files() == [b"2"]


def test_a_zombie_cannot_write_into_a_sealed_segment(tmp_path: Path) -> None:
    zombie = open_log(tmp_path)
    zombie.ensure(TopicSpec("events", 1, PAYLOAD))
    producer = zombie.producer("writer", "events")
    next(iter(zombie._volumes.values())).lock.release()
    with open_log(tmp_path, limits=TINY) as log:
        log.producer("other", "events").append(numbered(0, 1), sequence=0)
        with pytest.raises(Fenced):
            producer.append(numbered(7, 8), sequence=0)
        assert ids(log, "events") == [0]


def test_a_long_reader_cannot_make_the_write_ahead_log_grow(tmp_path: Path) -> None:
    import sqlite3

    limits = Limits(checkpoint_bytes=1 << 14, wal_bytes=1 << 16)
    with open_log(tmp_path, limits=limits) as log:
        log.ensure(TopicSpec("events", 1, PAYLOAD))
        producer = log.producer("writer", "events")
        producer.append(numbered(0, 1), sequence=0)
        first = next((tmp_path / "log" / "topics").glob("**/*.db"))
        holder = sqlite3.connect(first, isolation_level=None)
        holder.execute("BEGIN")
        holder.execute("SELECT count(*) FROM batch").fetchone()
        for number in range(1, 200):
            producer.append(numbered(1000 * number, 1000 * number + 1000), sequence=number)
        largest = max(path.stat().st_size for path in (tmp_path / "log" / "topics").glob("**/*-wal"))
        holder.close()
        assert largest < 40 * limits.wal_bytes
        assert sum(chunk.records.num_rows for chunk in read(log, beginning(log, "events"))) == 199_001
