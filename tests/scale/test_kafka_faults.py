"""What may happen to a cluster and its clients: nothing is lost, nothing is there twice, nothing is read unnoticed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka import Producer

from penstock.errors import Fenced
from penstock.log.kafka.client import KafkaSettings, kafka_errors
from penstock.log.kafka.kafka_group import KafkaGroup, Rebalanced
from penstock.log.protocol import Chunk, LogStorageError, Position, Reader, SourceReset, TopicSpec, beginning
from penstock.runtime.installation import Installation
from penstock.runtime.stream import stream
from penstock.runtime.topics import append_lines, peek
from penstock.testing.log_rows import PAYLOAD, ids, numbered, read
from penstock.testing.log_suite import LogSuite
from penstock.testing.schema_registry import schema_registry
from tests.scale.broker import Broker
from tests.scale.scale_place import Cluster
from tests.scale.writing import ROWS
from tests.stream.lending import lending

HERE = Path(__file__).parent
COUNTED = """\
  - name: killed
    input: loans_json
    steps:
      - running: {key: [member], value: fee, count: earlier}
    outputs: [{topic: told}]
"""
Fresh = Callable[[str], str]


def writing(broker: Broker, topic: str, count: int, *, hangs_at: int | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, str(HERE / "writing.py"), broker.servers, topic, str(count)]
    command += [] if hangs_at is None else [str(hangs_at)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_kill_9_in_a_transaction_leaves_nothing_of_it(broker: Broker, place: Cluster, fresh: Fresh) -> None:
    topic = fresh("killed")
    with writing(broker, topic, 5, hangs_at=2) as process:
        assert process.stdout is not None
        assert [line.strip() for line in iter(process.stdout.readline, "hangs\n")] == ["0", "1"]
        os.kill(process.pid, signal.SIGKILL)
    log = place.open()
    producer = log.producer("writer", topic)
    assert producer.last_sequence == 1
    assert sorted(ids(log, topic)) == list(range(2 * ROWS))
    assert not producer.append(numbered(2 * ROWS, 3 * ROWS), sequence=2).duplicate
    assert sorted(ids(log, topic)) == list(range(3 * ROWS))


@pytest.mark.usefixtures("on_kafka")
@pytest.mark.parametrize("aside", [20, 1000], ids=["beside the next round", "within its turn"])
def test_kill_9_of_a_topology_in_its_transaction_leaves_neither_rows_nor_positions(tmp_path: Path, aside: int) -> None:
    lending(tmp_path, COUNTED)
    installation = Installation.at(tmp_path)
    loans = [
        b'{"loan": "K%d", "member": "m%d", "fee": 1, "lent": "2026-03-01T00:00:00Z"}' % (n, n % 3) for n in range(90)
    ]
    append_lines(installation, "loans_json", loans)
    with subprocess.Popen(
        [sys.executable, str(HERE / "streaming.py"), str(tmp_path), "2", str(aside)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"hangs\n"
        os.kill(process.pid, signal.SIGKILL)

    stream(installation, until_idle=True)

    told = sorted((row["member"], row["earlier"]) for row in peek(installation, "told", limit=1000))
    assert told == [(f"m{member}", earlier) for member in range(3) for earlier in range(30)]


def test_kill_9_at_any_time_loses_nothing_that_was_acknowledged(broker: Broker, place: Cluster, fresh: Fresh) -> None:
    topic, chance, acknowledged = fresh("killed"), random.Random(5), -1
    for kill in range(3):
        with writing(broker, topic, 15 * (kill + 1)) as process:
            assert process.stdout is not None
            for _ in range(chance.randint(1, 8)):
                acknowledged = int(process.stdout.readline())
            os.kill(process.pid, signal.SIGKILL)
            acknowledged = max([acknowledged, *(int(line) for line in process.stdout)])
    with writing(broker, topic, 45) as process:
        assert process.wait() == 0
    assert acknowledged >= 2
    assert sorted(ids(place.open(), topic)) == list(range(45 * ROWS))


def test_a_broker_may_be_killed_and_come_back(broker: Broker, place: Cluster, fresh: Fresh) -> None:
    log = place.open()
    topic = log.ensure(TopicSpec(fresh("restarted"), 2, PAYLOAD)).spec.name
    producer = log.producer("writer", topic)
    reader = log.reader(beginning(log, topic))
    begun = threading.Event()

    def append() -> None:
        for sequence in range(30):
            while True:
                try:
                    producer.append(numbered(10 * sequence, 10 * sequence + 10), sequence=sequence)
                    break
                except LogStorageError:
                    continue
            begun.set()

    thread = threading.Thread(target=append)
    thread.start()
    begun.wait()
    broker.stop(signal.SIGKILL)
    broker.start()
    thread.join()
    seen: list[int] = []
    while len(seen) < 300:
        seen += [one for chunk in reader.poll(1000, 30.0) for one in chunk.records.column("id").to_pylist()]
    reader.close()
    assert sorted(seen) == list(range(300))
    assert sorted(ids(log, topic)) == list(range(300))


def read_nothing(reader: Reader) -> None:
    for _ in range(50):
        assert all(chunk.records.num_rows == 0 for chunk in reader.poll(1000, 1.0))


def test_a_topic_made_anew_under_a_reader_stops_it(place: Cluster, fresh: Fresh) -> None:
    log = place.open()
    spec = TopicSpec(fresh("anew"), 1, PAYLOAD)
    before = log.ensure(spec)
    log.producer("writer", spec.name).append(numbered(0, 5), sequence=0)
    reader = log.reader(beginning(log, spec.name))
    assert sum(chunk.records.num_rows for chunk in reader.poll(5, 30.0)) == 5
    place.remove(spec.name)
    other = place.open()
    after = other.ensure(spec)
    other.producer("other", spec.name).append(numbered(100, 200), sequence=0)
    with pytest.raises(SourceReset) as caught:
        read_nothing(reader)
    reader.close()
    assert before.incarnation != after.incarnation
    assert spec.name in str(caught.value)


def test_a_zombie_that_returns_in_the_middle_of_its_transaction_is_fenced(place: Cluster, fresh: Fresh) -> None:
    log = place.open()
    topic = log.ensure(TopicSpec(fresh("in"), 1, PAYLOAD)).spec.name
    name, out = fresh("job"), TopicSpec(fresh("out"), 1, PAYLOAD)
    zombie = log.job(name, [topic], [out])
    zombie._transactions.producer.begin_transaction()
    zombie._transactions.producer.produce(out.name, b'{"id": 666}', partition=0)
    zombie._transactions.producer.flush()
    newer = place.open().job(name, [topic], [out])
    newer.commit(outputs={out.name: numbered(1, 2)}, state_delta=b"d", snapshot=None, journal=None, positions={})
    with pytest.raises(Fenced), kafka_errors(name):
        zombie._transactions.producer.commit_transaction()
    assert ids(log, out.name) == [1]


# Groups


def work(member: KafkaGroup, out: str, *, timeout: float = 0.5, most: int = 40) -> int:
    """One round: copy what came; the number of rows that were committed."""
    chunks = [chunk for chunk in member.poll(most, timeout) if chunk.records.num_rows]
    done = 0
    for chunk in chunks:
        moved = {(chunk.topic, chunk.partition): Position(chunk.next, member.incarnation(chunk.topic))}
        try:
            member.commit({out: chunk.records.drop_columns(["_offset"])}, moved)
        except Rebalanced:
            return done
        done += chunk.records.num_rows
    return done


def two_sided(place: Cluster, fresh: Fresh) -> tuple[str, TopicSpec, str]:
    log = place.open()
    topic = log.ensure(TopicSpec(fresh("shared"), 4, PAYLOAD)).spec.name
    producer = log.producer("writer", topic)
    for sequence in range(4):
        producer.append(numbered(100 * sequence, 100 * sequence + 100), sequence=sequence)
    return topic, TopicSpec(fresh("copied"), 1, PAYLOAD), fresh("group")


def test_a_rebalance_in_mid_batch_commits_nothing_twice(place: Cluster, fresh: Fresh) -> None:
    topic, out, name = two_sided(place, fresh)
    first = place.open().group(name, [topic], [out], session=6.0)
    chunks = list[Chunk]()
    while not chunks:
        chunks = [chunk for chunk in first.poll(400, 0.5) if chunk.records.num_rows]
    second = place.open().group(name, [topic], [out], session=6.0)
    done = 0
    while not second.partitions:
        first.poll(1, 0.1)
        done += work(second, out.name, timeout=0.1)
    gone = [chunk for chunk in chunks if (chunk.topic, chunk.partition) not in first.partitions]
    assert gone
    for chunk in gone:
        position = Position(chunk.next, first.incarnation(topic))
        with pytest.raises(Rebalanced):
            first.commit({out.name: chunk.records.drop_columns(["_offset"])}, {(topic, chunk.partition): position})
    while done < 400:
        done += work(first, out.name) + work(second, out.name)
    assert first.partitions | second.partitions == {(topic, part) for part in range(4)}
    assert sorted(ids(place.open(), out.name)) == list(range(400))


def test_a_member_that_ends_leaves_its_rows_to_the_others(place: Cluster, fresh: Fresh) -> None:
    topic, out, name = two_sided(place, fresh)
    first = place.open().group(name, [topic], [out], session=6.0)
    done = 0
    while done == 0:
        done = work(first, out.name)
    first.close()
    second = place.open().group(name, [topic], [out], session=6.0)
    while done < 400:
        done += work(second, out.name)
    assert sorted(ids(place.open(), out.name)) == list(range(400))


# What others wrote, and what they find


def test_batches_are_compressed_by_lz4(broker: Broker, place: Cluster, fresh: Fresh) -> None:
    log = place.open()
    topic = log.ensure(TopicSpec(fresh("small"), 1, PAYLOAD)).spec.name
    log.producer("writer", topic).append(numbered(0, 1000), sequence=0)
    batch = (broker.folder / "data" / f"{topic}-0" / f"{0:020}.log").read_bytes()
    attributes = int.from_bytes(batch[21:23], "big")
    assert (batch[16], attributes & 0b111, bool(attributes & 0b10000)) == (
        2,
        3,
        True,
    )  # format 2, LZ4, in a transaction


def test_what_cannot_be_read_is_poison_with_its_bytes(settings: KafkaSettings, place: Cluster, fresh: Fresh) -> None:
    log = place.open()
    topic = log.ensure(TopicSpec(fresh("foreign"), 1, PAYLOAD)).spec.name
    stranger = Producer({"bootstrap.servers": settings.servers})
    for value in (b'{"id": 1}', b"\xff", b'{"id": 2, "note": "x"}', b'{"id": 3', None):
        stranger.produce(topic, value, partition=0)
    stranger.flush()
    chunks = read(log, beginning(log, topic))
    assert [one for chunk in chunks for one in chunk.records.column("id").to_pylist()] == [1, 2]
    poison = [row for chunk in chunks if chunk.poison is not None for row in chunk.poison.to_pylist()]
    assert [(row["_offset"], row["raw"], row["code"]) for row in poison] == [
        (1, b"\xff", "encoding"),
        (3, b'{"id": 3', "json"),
        (4, None, "json"),
    ]


def test_avro_goes_the_same_way(settings: KafkaSettings, fresh: Fresh) -> None:
    with schema_registry() as registry:
        place = Cluster(replace(settings, encoding="avro", registry=registry.url))
        try:
            suite = LogSuite()
            suite.test_every_type_of_a_contract_comes_back(place, fresh)
            suite.test_optional_columns_may_be_added(place, fresh)
            suite.test_bytes_of_any_kind_are_a_topic_of_their_own(place, fresh)
        finally:
            place.close()
        assert any(subject.startswith("types-") for subject in registry.subjects)
