"""How rows come and go on Kafka, where it is not as on the embedded log."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import pyarrow as pa
import pytest

from penstock.log.kafka import kafka_reader
from penstock.log.protocol import SYSTEM, LogStorageError, TopicSpec, beginning
from penstock.testing.log_rows import NOON, PAYLOAD, numbered, rows
from tests.scale.scale_place import Cluster

Fresh = Callable[[str], str]


def test_who_asks_for_fewer_rows_than_were_fetched_ahead_misses_none(place: Cluster, fresh: Fresh) -> None:
    log = place.open()
    topic = log.ensure(TopicSpec(fresh("ahead"), 1, PAYLOAD)).spec.name
    log.producer("writer", topic).append(numbered(0, 40), sequence=0)
    found: list[int] = []
    with closing(log.reader(beginning(log, topic))) as reader:
        for most in (10, 10, 3, 10, 40, 40):
            came = [number for one in reader.poll(most, 0.1) for number in one.records.column("id").to_pylist()]
            assert len(came) <= most
            found += came
    assert found == list(range(40))


def test_who_is_behind_waits_for_few_rows_first_and_then_gets_ever_more_up_to_what_it_asks_for(
    place: Cluster, fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_reader, "_FIRST", 10)
    log = place.open()
    topic = log.ensure(TopicSpec(fresh("behind"), 1, PAYLOAD)).spec.name
    log.producer("writer", topic).append(numbered(0, 70), sequence=0)
    with closing(log.reader(beginning(log, topic))) as reader:
        polls = [reader.poll(25, 10.0) for _ in range(4)]
    assert [sum(chunk.records.num_rows for chunk in chunks) for chunks in polls] == [10, 20, 25, 15]


def test_what_was_fetched_ahead_is_fetched_again_after_a_failure(
    place: Cluster, fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_reader, "_FIRST", 10)
    log = place.open()
    topic = log.ensure(TopicSpec(fresh("failed"), 1, PAYLOAD)).spec.name
    log.producer("writer", topic).append(numbered(0, 90), sequence=0)
    found: list[int] = []
    with closing(log.reader(beginning(log, topic))) as reader:
        for turn in range(7):
            with monkeypatch.context() as broken:
                if turn == 1:
                    broken.setattr(kafka_reader.KafkaReader, "_check_incarnations", _fail)
                    with pytest.raises(LogStorageError):
                        reader.poll(20, 10.0)
                    continue
                chunks = reader.poll(20, 10.0)
            found += [number for one in chunks for number in one.records.column("id").to_pylist()]
    assert found == list(range(90))


def _fail(*_: object) -> None:
    raise LogStorageError("The cluster does not answer")


def test_rows_of_a_job_have_a_time_or_none(place: Cluster, fresh: Fresh) -> None:
    log, spec = place.open(), TopicSpec(fresh("copied"), 1, PAYLOAD)
    timed = numbered(0, 2)
    nothing = [pa.nulls(2, type) for type in SYSTEM.types[1:]]
    timeless = pa.RecordBatch.from_arrays([timed.column(0), *nothing, *timed.columns[3:]], schema=timed.schema)
    job = log.job(fresh("copy"), [], [spec])
    for records in (timed, timeless):
        job.commit(outputs={spec.name: records}, state_delta=b"", snapshot=None, journal=None, positions={})
    assert [row["_timestamp"] for row in rows(log, spec.name)] == [NOON, NOON + timedelta(seconds=1), None, None]
