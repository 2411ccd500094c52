"""Who reads the topic of a job in the job's process sees what the brokers would have shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pyarrow as pa
import pytest

from penstock.errors import Fenced
from penstock.log.protocol import OFFSET, Job, Reader, TopicSpec, beginning
from penstock.testing.log_rows import PAYLOAD, numbered
from tests.scale.scale_place import Cluster

Fresh = Callable[[str], str]
NAMES = [*PAYLOAD.names, OFFSET]


def commit(job: Job, topic: str, records: pa.RecordBatch) -> None:
    job.commit(outputs={topic: records}, state_delta=b"", snapshot=None, journal=None, positions={})


def read(reader: Reader, count: int, *, most: int = 100) -> Iterator[dict[str, object]]:
    """So many rows."""
    while count > 0:
        for chunk in reader.poll(most, 1.0):
            yield from chunk.records.select(NAMES).to_pylist()
            count -= chunk.records.num_rows


def test_commits_are_read_with_the_offsets_that_they_have_in_kafka(place: Cluster, fresh: Fresh) -> None:
    log, spec = place.open(), TopicSpec(fresh("told"), 1, PAYLOAD)
    job = log.job(fresh("job"), [], [spec])
    found = []
    with closing(log.reader(beginning(log, spec.name), bare=True)) as reader:
        for first, next in ((0, 10), (10, 10), (10, 20), (20, 30)):
            commit(job, spec.name, numbered(first, next))
            found += list(read(reader, next - first, most=7))
    other = place.open()
    with closing(other.reader(beginning(other, spec.name), bare=True)) as reader:
        assert found == list(read(reader, 30))
    assert [row["id"] for row in found] == list(range(30))


def test_a_reader_who_has_all_comes_behind_the_mark_of_the_transaction(place: Cluster, fresh: Fresh) -> None:
    log, spec = place.open(), TopicSpec(fresh("told"), 1, PAYLOAD)
    job = log.job(fresh("job"), [], [spec])
    with closing(log.reader(beginning(log, spec.name), bare=True)) as reader:
        commit(job, spec.name, numbered(0, 10))
        assert [chunk.next for chunk in reader.poll(100, 1.0)] == [10]
        polls = (reader.poll(100, 0.1) for _ in range(100))
        marks = next(found for found in polls if found)
    assert [(chunk.records.num_rows, chunk.next) for chunk in marks] == [(0, 11)]


def test_what_was_taken_back_is_not_read(place: Cluster, fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    log, spec = place.open(), TopicSpec(fresh("told"), 1, PAYLOAD)
    job = log.job(fresh("job"), [], [spec])
    with closing(log.reader(beginning(log, spec.name), bare=True)) as reader:
        commit(job, spec.name, numbered(0, 5))
        with monkeypatch.context() as broken:
            broken.setattr(job._changelog, "write", lambda *_: 1 // 0)
            with pytest.raises(ZeroDivisionError):
                commit(job, spec.name, numbered(5, 10))
        commit(job, spec.name, numbered(10, 15))
        commit(job, spec.name, numbered(15, 20))
        assert [row["id"] for row in read(reader, 15)] == [*range(5), *range(10, 20)]


def test_a_newer_job_of_another_process_is_followed(place: Cluster, fresh: Fresh) -> None:
    log, spec, name = place.open(), TopicSpec(fresh("told"), 1, PAYLOAD), fresh("job")
    job = log.job(name, [], [spec])
    with closing(log.reader(beginning(log, spec.name), bare=True)) as reader:
        commit(job, spec.name, numbered(0, 5))
        assert [row["id"] for row in read(reader, 5)] == [0, 1, 2, 3, 4]
        newer = place.open().job(name, [], [spec])
        commit(newer, spec.name, numbered(5, 8))
        assert [row["id"] for row in read(reader, 3)] == [5, 6, 7]
        with pytest.raises(Fenced):
            commit(job, spec.name, numbered(8, 9))
        commit(newer, spec.name, numbered(8, 10))
        assert [row["id"] for row in read(reader, 2)] == [8, 9]
