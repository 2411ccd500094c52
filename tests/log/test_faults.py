"""Whatever ends the process, and whenever: what was acknowledged is there once, and nothing else is."""

from __future__ import annotations

import errno
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from penstock.errors import StorageError
from penstock.log.database import storage_errors
from penstock.log.protocol import LogError, LogStorageError, Lost, Position, TopicSpec, beginning
from penstock.log.segment import Segment
from penstock.log.volume import Limits
from penstock.testing.crash import Program, one_of_each_kind
from penstock.testing.disk import FullDisk, Mode
from penstock.testing.log_rows import PAYLOAD, ids, numbered, read
from penstock.testing.world import ManualClock, manual_world
from tests.full_disk import no_room_for_any_file
from tests.log.appending import ROWS
from tests.log.logs import clocked, open_log
from tests.log.plain_log import ids_in
from tests.waiting import wait_for

HERE = Path(__file__).parent
COUNT = 6
SEGMENT = "3000"


def program(*arguments: str) -> Program:
    return Program("appending:main", arguments, HERE)


def check_complete(root: Path, count: int = COUNT) -> None:
    """All rows once and in order, in the topic and in its copy, and the job at the end."""
    expected = list(range(ROWS * count))
    assert ids_in(root / "log" / "topics") == expected
    assert ids_in(root / "log" / "jobs") == expected
    with open_log(root) as log:
        assert (ids(log, "events"), ids(log, "copied")) == (expected, expected)
        job = log.job("copy", ["events"], [TopicSpec("copied", 1, PAYLOAD)])
        assert [at.offset for at in job.positions().values()] == [ROWS * count]
        assert list(job.journal())[-1] == str(ROWS * count).encode()
        assert job.restore().snapshot == b"snapshot"


def crash_and_go_on(root: Path, mode: Mode, *, every: bool) -> None:
    points = program(str(root / "undisturbed"), str(COUNT), SEGMENT).points()
    check_complete(root / "undisturbed")
    chosen = points if every else one_of_each_kind(points)
    runs = program(str(root / "{point}"), str(COUNT), SEGMENT)
    runs.crash_each(chosen, mode)
    runs.complete_each(chosen)
    for point in chosen:
        check_complete(root / str(point.number))


@pytest.mark.parametrize("mode", [Mode.KILL, Mode.VANISH])
def test_a_crash_at_a_point_of_each_class_loses_nothing(tmp_path: Path, mode: Mode) -> None:
    crash_and_go_on(tmp_path, mode, every=False)


@pytest.mark.faults
@pytest.mark.parametrize("mode", list(Mode))
def test_a_crash_at_any_point_loses_nothing(tmp_path: Path, mode: Mode) -> None:
    crash_and_go_on(tmp_path, mode, every=True)


def kill_at(root: Path, after: int, count: int) -> int:
    """Run until so many rounds are acknowledged, then kill; the last round that was."""
    command = [sys.executable, str(HERE / "appending.py"), str(root), str(count), SEGMENT]
    acknowledged = -1
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            acknowledged = int(line)
            after -= 1
            if after == 0:
                os.kill(process.pid, signal.SIGKILL)
                break
        for line in process.stdout:
            acknowledged = int(line)
    return acknowledged


def killed_again_and_again(root: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    rounds = 0
    for _ in range(kills):
        rounds += 40
        acknowledged = kill_at(root, chance.randint(1, 15), rounds)
        found = ids_in(root / "log" / "topics")
        assert found == list(range(len(found)))
        assert len(found) >= ROWS * min(acknowledged + 1, rounds)
    kill_at(root, -1, rounds)
    check_complete(root, rounds)


def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    killed_again_and_again(tmp_path, 3, seed=1)


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(10))
def test_kill_9_at_thirty_times_loses_nothing(tmp_path: Path, seed: int) -> None:
    killed_again_and_again(tmp_path, 3, seed=seed + 100)


# Damage


def three_batches(root: Path) -> Path:
    with open_log(root) as log:
        log.ensure(TopicSpec("events", 1, PAYLOAD))
        producer = log.producer("writer", "events")
        for number in range(3):
            producer.append(numbered(10 * number, 10 * number + 10), sequence=number)
    return next((root / "log" / "topics").glob("**/0*.db"))


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE batch SET data = CAST(substr(data, 1, 200) || x'00' || substr(data, 202) AS BLOB) WHERE first = 10",
        "UPDATE batch SET data = x'' WHERE first = 10",
        "UPDATE batch SET at = at + 1 WHERE first = 10",
        "UPDATE batch SET schema = 77 WHERE first = 10",
        "DELETE FROM batch WHERE first = 10",
    ],
    ids=["byte", "emptied", "time", "schema", "lost"],
)
def test_a_damaged_batch_is_named_and_never_served(tmp_path: Path, damage: str) -> None:
    path = three_batches(tmp_path)
    with sqlite3.connect(path) as connection:
        connection.execute(damage)
    connection.close()
    with open_log(tmp_path) as log:
        reader = log.reader(beginning(log, "events"))
        assert [chunk.next for chunk in reader.poll(100, 0.0)] == [10]
        for _ in range(2):
            with pytest.raises(LogError, match="events, partition 0, offsets 10 to"):
                reader.poll(100, 0.0)


@pytest.mark.parametrize("first", [10, 20], ids=["between", "last"])
@pytest.mark.parametrize("damage", ["UPDATE batch SET data = x''", "DELETE FROM batch"], ids=["other", "gone"])
def test_rows_that_were_given_up_are_poison_and_those_behind_them_are_read(
    tmp_path: Path, damage: str, first: int
) -> None:
    with sqlite3.connect(three_batches(tmp_path)) as connection:
        connection.execute(f"{damage} WHERE first = {first}")
    connection.close()
    with open_log(tmp_path) as log:
        with pytest.raises(Lost, match=f"give-up events --partition 0 --offset {first}") as lost:
            read(log, {("events", 0): Position(first, log.topics()["events"].incarnation)})
        log.give_up(lost.value)
    with open_log(tmp_path) as log:
        reader = log.reader(beginning(log, "events"))
        chunks = [chunk for _ in range(5) for chunk in reader.poll(100, 0.0)]

    offsets = [offset for chunk in chunks for offset in chunk.records["_offset"].to_pylist()]
    poison = [row for chunk in chunks if chunk.poison is not None for row in chunk.poison.to_pylist()]
    assert offsets == [one for one in range(30) if one not in range(first, first + 10)]
    assert [(row["_offset"], row["code"]) for row in poison] == [(one, "lost") for one in range(first, first + 10)]


def test_rows_of_a_topic_made_anew_are_not_given_up(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        for _ in range(2):
            topic = log.ensure(TopicSpec("events", 1, PAYLOAD))
            log.producer("writer", "events").append(numbered(0, 10), sequence=0)
            path = next((tmp_path / "log" / "topics" / "events" / topic.incarnation).glob("0*.db"))
            with sqlite3.connect(path) as connection:
                connection.execute("DELETE FROM batch")
            connection.close()
            with pytest.raises(Lost, match="offsets 0 to 9") as lost:
                read(log, beginning(log, "events"))
            log.give_up(lost.value)
            log.remove("events")


def test_a_cut_file_is_named(tmp_path: Path) -> None:
    path = three_batches(tmp_path)
    os.truncate(path, path.stat().st_size // 2)
    with open_log(tmp_path) as log, pytest.raises(LogError, match=path.name):
        read(log, beginning(log, "events"))


def test_damaged_state_is_not_restored(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.ensure(TopicSpec("events", 1, PAYLOAD))
        job = log.job("enrich", ["events"], [])
        job.commit(outputs={}, state_delta=None, snapshot=b"state", journal=None, positions={})
        next((tmp_path / "log" / "jobs").glob("**/*.snapshot")).write_bytes(b"stato")
        with pytest.raises(LogError, match="state of the job is damaged"):
            job.restore()


# Full disk


def test_a_full_disk_stops_appending_and_nothing_else(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.ensure(TopicSpec("events", 1, PAYLOAD))
        producer = log.producer("writer", "events")
        producer.append(numbered(0, 10), sequence=0)
        connection = next(iter(log._volumes.values())).connection
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(LogStorageError) as refused:
            producer.append(numbered(10, 50_000), sequence=1)
        assert refused.value.retryable
        assert ids(log, "events") == list(range(10))
        connection.execute("PRAGMA max_page_count = 1000000")
        assert not producer.append(numbered(10, 20), sequence=1).duplicate
        assert ids(log, "events") == list(range(20))


def test_without_room_for_a_new_segment_the_old_one_goes_on(tmp_path: Path) -> None:
    disk = FullDisk(room=1 << 30)
    with open_log(tmp_path, world=manual_world(disk=disk), limits=Limits(segment_bytes=1)) as log:
        log.ensure(TopicSpec("events", 1, PAYLOAD))
        job = log.job("enrich", ["events"], [])
        disk.room = 0
        with pytest.raises(LogStorageError):
            job.commit(outputs={}, state_delta=None, snapshot=b"state", journal=None, positions={})
        job.commit(outputs={}, state_delta=b"delta", snapshot=None, journal=None, positions={})
        disk.room = 1 << 30
        job.commit(outputs={}, state_delta=None, snapshot=b"state", journal=None, positions={})
        assert (job.restore().snapshot, list(job.restore().deltas)) == (b"state", [])


def test_after_a_failed_sync_nothing_more_is_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        raise error

    with open_log(tmp_path) as log:
        log.ensure(TopicSpec("events", 1, PAYLOAD))
        producer = log.producer("writer", "events")
        producer.append(numbered(0, 10), sequence=0)
        with monkeypatch.context() as broken:
            broken.setattr(Segment, "advance_holder", fail)
            with pytest.raises(StorageError, match="disk I/O error") as refused:
                producer.append(numbered(10, 20), sequence=1)
        assert not refused.value.retryable
        with pytest.raises(StorageError, match="disk I/O error"):
            producer.append(numbered(10, 20), sequence=1)
        assert ids(log, "events") == list(range(10))
    with open_log(tmp_path) as log:
        assert not log.producer("writer", "events").append(numbered(10, 20), sequence=1).duplicate
        assert ids(log, "events") == list(range(20))


def test_only_what_may_pass_is_retryable(tmp_path: Path) -> None:
    for number, retryable in [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EIO, False), (errno.EROFS, False)]:
        with pytest.raises(StorageError) as caught, storage_errors(tmp_path):
            raise OSError(number, os.strerror(number))
        assert caught.value.retryable is retryable


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE])
def test_wherever_sqlite_misses_room_the_same_call_may_succeed_later(tmp_path: Path, code: int) -> None:
    error = sqlite3.OperationalError("no room")
    error.sqlite_errorcode = code
    with pytest.raises(LogStorageError, match="The disk is full"), storage_errors(tmp_path):
        raise error


def test_a_reader_that_began_on_a_full_disk_misses_nothing_that_comes_when_there_is_room(tmp_path: Path) -> None:
    three_batches(tmp_path)
    with open_log(tmp_path) as log:
        reader = log.reader(beginning(log, "events"))
        with no_room_for_any_file():
            found = [chunk.records.num_rows for _ in range(3) for chunk in reader.poll(100, 0.0)]
        producer = log.producer("writer", "events")
        for number in range(3, 5):
            producer.append(numbered(10 * number, 10 * number + 10), sequence=number)
            found += [chunk.records.num_rows for chunk in reader.poll(100, 0.0)]
        reader.close()
    assert found == [10] * 5


# Threads


def test_threads_that_append_together_share_commits(tmp_path: Path) -> None:
    with open_log(tmp_path, world=clocked(ManualClock())) as log:
        log.ensure(TopicSpec("events", 1, PAYLOAD))
        producers = [log.producer(f"writer-{number}", "events") for number in range(16)]
        volume = next(iter(log._volumes.values()))
        before = volume.read(lambda segment: segment.commits())

        def work(number: int) -> None:
            for sequence in range(10):
                first = 1000 * number + 10 * sequence
                producers[number].append(numbered(first, first + 10), sequence=sequence)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
        with volume._commit_lock:  # as long as one of them commits
            for thread in threads:
                thread.start()
            wait_for(lambda: len(volume._queue) == len(threads), pause=0.001)
        for thread in threads:
            thread.join()
        assert volume.read(lambda segment: segment.commits()) - before < 160
        found = ids(log, "events")
        assert sorted(found) == [1000 * number + one for number in range(16) for one in range(100)]
        for number in range(16):
            mine = [one for one in found if one // 1000 == number]
            assert mine == sorted(mine)
