"""What every event log does, as tests: subclass `LogSuite` and give it a `place` fixture that opens your log.

Where logs differ, their declared capabilities say so; nothing here asks which log it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from penstock.errors import Fenced, LeaseHeld
from penstock.log.protocol import (
    OFFSET,
    RAW,
    SYSTEM,
    LogError,
    Position,
    SourceReset,
    TopicSpec,
    beginning,
)
from penstock.testing.job_suite import JobSuite, Place
from penstock.testing.log_rows import NOON, PATIENCE, PAYLOAD, ids, numbered, read, records, rows


class LogSuite(JobSuite):
    """The behaviour, with that of jobs. `place` and `fresh` are fixtures; the default `fresh` gives unused topic names."""

    def test_rows_come_back_as_they_were_appended(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        topic = self.topic(log, fresh)
        log.producer("writer", topic).append(numbered(0, 3), sequence=0)
        found = rows(log, topic)
        assert [(row["id"], row["note"]) for row in found] == [(0, "note 0"), (1, "note 1"), (2, "note 2")]
        assert found[1]["_key"] == b"default/1"
        assert found[1]["_timestamp"] == NOON + timedelta(seconds=1)
        assert found[1]["_headers"] == [("source", b"test")]
        assert [row["_offset"] for row in found] == [0, 1, 2]

    def test_a_bare_reader_gives_the_same_payload(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        topic = self.topic(log, fresh)
        log.producer("writer", topic).append(numbered(0, 3), sequence=0)
        names = [*PAYLOAD.names, OFFSET]
        with closing(log.reader(beginning(log, topic), bare=True)) as reader:
            (chunk,) = reader.poll(3, PATIENCE)
        whole = [row for chunk in read(log, beginning(log, topic)) for row in chunk.records.select(names).to_pylist()]
        assert chunk.records.select(names).to_pylist() == whole
        assert chunk.records.schema.names == [*SYSTEM.names, *names]

    def test_every_type_of_a_contract_comes_back(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        schema = pa.schema(
            {
                "whole": pa.int64(),
                "small": pa.int32(),
                "real": pa.float64(),
                "money": pa.decimal128(18, 2),
                "text": pa.string(),
                "bytes": pa.binary(),
                "yes": pa.bool_(),
                "day": pa.date32(),
                "moment": pa.timestamp("us", tz="UTC"),
            }
        )
        given: list[dict[str, object]] = [
            {
                "whole": 2**62 + 1,
                "small": -7,
                "real": 0.1,
                "money": Decimal("-12345678901234.56"),
                "text": 'Zoë "quoted" \u2028 \x00',
                "bytes": b"\x00\xff",
                "yes": False,
                "day": NOON.date(),
                "moment": NOON + timedelta(microseconds=1),
            },
            dict.fromkeys(schema.names),
            {**dict.fromkeys(schema.names), "text": "", "bytes": b"", "whole": 0, "real": float("inf")},
        ]
        topic = log.ensure(TopicSpec(fresh("types"), 1, schema)).spec.name
        log.producer("writer", topic).append(records(schema, given), sequence=0)
        assert [{name: row[name] for name in schema.names} for row in rows(log, topic)] == given

    def test_bytes_of_any_kind_are_a_topic_of_their_own(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        topic = log.ensure(TopicSpec(fresh("raw"), 1, RAW)).spec.name
        given = [b"{", b"\xff\xfe", b"", b'{"a": 1}']
        log.producer("writer", topic).append(
            records(RAW, [{"value": value} for value in given], keys=[None] * 4), sequence=0
        )
        assert [row["value"] for row in rows(log, topic)] == given

    def test_equal_keys_share_a_partition(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        topic = self.topic(log, fresh, partitions=4)
        for writer in ("one", "two"):
            log.producer(writer, topic).append(numbered(0, 50), sequence=0)
        chunks = read(log, beginning(log, topic))
        homes: dict[bytes, set[int]] = {}
        for chunk in chunks:
            for key in chunk.records.column("_key").to_pylist():
                homes.setdefault(key, set()).add(chunk.partition)
        assert all(len(found) == 1 for found in homes.values())
        assert len({chunk.partition for chunk in chunks}) == 4

    def test_a_partition_may_be_named(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        topic = self.topic(log, fresh, partitions=3)
        appended = log.producer("writer", topic).append(numbered(0, 9), sequence=0, partition=2)
        assert appended.ranges == {2: (0, 9)}
        with pytest.raises(LogError, match="no such partition"):
            log.producer("other", topic).append(numbered(0, 1), sequence=0, partition=3)

    def test_rows_of_other_columns_are_refused(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        topic = self.topic(log, fresh)
        other = records(pa.schema([pa.field("id", pa.string())]), [{"id": "1"}])
        with pytest.raises(LogError, match="columns of the topic"):
            log.producer("writer", topic).append(other, sequence=0)

    # Producers

    def test_what_is_appended_again_is_there_once(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        topic = self.topic(log, fresh)
        producer = log.producer("writer", topic)
        first = producer.append(numbered(0, 5), sequence=0)
        again = producer.append(numbered(0, 5), sequence=0)
        assert (first.duplicate, again.duplicate, again.ranges) == (False, True, first.ranges)
        log.close()
        reopened = place.open()
        producer = reopened.producer("writer", topic)
        assert producer.last_sequence == 0
        assert producer.append(numbered(0, 5), sequence=0).duplicate
        assert ids(reopened, topic) == [0, 1, 2, 3, 4]

    def test_a_missing_append_is_noticed(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        topic = self.topic(log, fresh)
        producer = log.producer("writer", topic)
        assert producer.last_sequence == -1
        with pytest.raises(LogError, match="An append is missing"):
            producer.append(numbered(0, 1), sequence=1)
        assert producer.append(numbered(0, 1), sequence=0).duplicate is False

    def test_an_empty_append_counts(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        topic = self.topic(log, fresh)
        producer = log.producer("writer", topic)
        assert producer.append(numbered(0, 0), sequence=0).ranges == {}
        assert producer.last_sequence == 0
        assert ids(log, topic) == []

    def test_a_newer_producer_fences_the_older(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        topic = self.topic(log, fresh)
        older = log.producer("writer", topic)
        older.append(numbered(0, 1), sequence=0)
        newer = log.producer("writer", topic)
        assert newer.last_sequence == 0
        newer.append(numbered(1, 2), sequence=1)
        with pytest.raises(Fenced):
            older.append(numbered(5, 6), sequence=1)
        assert ids(log, topic) == [0, 1]

    def test_a_zombie_producer_is_fenced(self, place: Place, fresh: Callable[[str], str]) -> None:
        zombie_log = place.open()
        topic = self.topic(zombie_log, fresh)
        zombie = zombie_log.producer("writer", topic)
        zombie.append(numbered(0, 1), sequence=0)
        place.forsake(zombie_log)
        log = place.open()
        log.producer("writer", topic).append(numbered(1, 2), sequence=1)
        with pytest.raises(Fenced):
            zombie.append(numbered(5, 6), sequence=1)
        assert ids(log, topic) == [0, 1]

    def test_while_one_lives_another_takes_over_or_is_refused(self, place: Place, fresh: Callable[[str], str]) -> None:
        log, other = place.open(), place.open()
        topic = self.topic(log, fresh)
        log.producer("writer", topic).append(numbered(0, 1), sequence=0)
        if other.capabilities.takeover:
            assert other.producer("writer", topic).last_sequence == 0
        else:
            with pytest.raises(LeaseHeld):
                other.producer("writer", topic)

    # Readers

    @pytest.mark.parametrize("most", [1, 3, 7, 1000])
    def test_cuts_do_not_matter(self, place: Place, fresh: Callable[[str], str], most: int) -> None:
        log = place.open()
        topic = self.topic(log, fresh)
        producer = log.producer("writer", topic)
        for sequence, (first, next) in enumerate([(0, 4), (4, 4), (4, 5), (5, 17)]):
            producer.append(numbered(first, next), sequence=sequence)
        chunks = read(log, beginning(log, topic), most=most)
        assert [one for chunk in chunks for one in chunk.records.column("id").to_pylist()] == list(range(17))
        assert all(chunk.records.num_rows <= most for chunk in chunks)

    def test_a_reader_goes_on_from_a_position(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        topic = self.topic(log, fresh)
        log.producer("writer", topic).append(numbered(0, 10), sequence=0)
        first = log.reader(beginning(log, topic)).poll(4, PATIENCE)
        position = Position(first[-1].next, log.topics()[topic].incarnation)
        rest = read(log, {(topic, 0): position})
        assert [one for chunk in rest for one in chunk.records.column("id").to_pylist()] == list(range(4, 10))

    def test_a_reader_that_waits_gets_what_comes(self, place: Place, fresh: Callable[[str], str]) -> None:
        log, other = place.open(), place.open()
        topic = self.topic(log, fresh)
        reader = other.reader(beginning(other, topic))
        assert reader.poll(10, 0.0) == []
        log.producer("writer", topic).append(numbered(0, 2), sequence=0)
        found = reader.poll(10, PATIENCE)
        assert [chunk.records.column("id").to_pylist() for chunk in found] == [[0, 1]]
        reader.close()

    def test_partitions_take_turns(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        topic = self.topic(log, fresh, partitions=2)
        producer = log.producer("writer", topic)
        for sequence in range(8):
            producer.append(numbered(10 * sequence, 10 * sequence + 10), sequence=sequence, partition=sequence % 2)
        reader = log.reader(beginning(log, topic))
        seen: list[int] = []
        while len(seen) < 80:
            for chunk in reader.poll(1000, PATIENCE):
                seen += [chunk.partition] * chunk.records.num_rows
        reader.close()
        assert set(seen) == {0, 1}
        assert seen.count(0) == seen.count(1) == 40

    def test_a_position_of_another_incarnation_stops_loudly(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        spec = self.spec(fresh)
        before = log.ensure(spec)
        log.producer("writer", spec.name).append(numbered(0, 3), sequence=0)
        positions = {(spec.name, 0): Position(2, before.incarnation)}
        log.close()
        place.remove(spec.name)
        log = place.open()
        after = log.ensure(spec)
        assert after.incarnation != before.incarnation
        with pytest.raises(SourceReset, match=re.escape(before.incarnation)) as caught:
            log.reader(positions).poll(10, PATIENCE)
        assert after.incarnation in str(caught.value)

    def test_a_position_beyond_the_end_stops_loudly(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        topic = self.topic(log, fresh)
        log.producer("writer", topic).append(numbered(0, 3), sequence=0)
        position = Position(400, log.topics()[topic].incarnation)
        with pytest.raises(SourceReset, match="400"):
            log.reader({(topic, 0): position}).poll(10, PATIENCE)

    def test_positions_of_a_named_reader_are_kept(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        topic, name = self.topic(log, fresh, partitions=2), fresh("lake")
        assert log.positions(name) == {}
        incarnation = log.topics()[topic].incarnation
        log.save_positions(name, {(topic, 0): Position(3, incarnation), (topic, 1): Position(5, incarnation)})
        log.save_positions(name, {(topic, 0): Position(4, incarnation)})
        log.close()
        expected = {(topic, 0): Position(4, incarnation), (topic, 1): Position(5, incarnation)}
        assert place.open().positions(name) == expected

    def test_a_forgotten_reader_has_no_positions_and_others_keep_theirs(
        self, place: Place, fresh: Callable[[str], str]
    ) -> None:
        log = place.open()
        topic, name, other = self.topic(log, fresh), fresh("lake"), fresh("other")
        positions = {(topic, 0): Position(0, log.topics()[topic].incarnation)}
        log.save_positions(name, positions)
        log.save_positions(other, positions)
        assert log.readers()[name] == positions
        log.forget(name)
        log.close()
        log = place.open()
        assert (log.positions(name), log.positions(other)) == ({}, positions)
        assert name not in log.readers()

    # Topics

    def test_optional_columns_may_be_added(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        spec = self.spec(fresh)
        before = log.ensure(spec)
        log.producer("writer", spec.name).append(numbered(0, 1), sequence=0)
        wider = pa.schema([*PAYLOAD, pa.field("more", pa.float64())])
        after = log.ensure(TopicSpec(spec.name, 1, wider))
        assert after.incarnation == before.incarnation
        log.producer("writer", spec.name).append(records(wider, [{"id": 1, "note": None, "more": 0.5}]), sequence=1)
        assert [(row["id"], row["more"]) for row in rows(log, spec.name)] == [(0, None), (1, 0.5)]

    @pytest.mark.parametrize(
        "changed",
        [
            TopicSpec("", 2, PAYLOAD),
            TopicSpec("", 1, pa.schema([pa.field("id", pa.int64())])),
            TopicSpec("", 1, pa.schema([pa.field("id", pa.string()), pa.field("note", pa.string())])),
        ],
        ids=["partitions", "dropped column", "another type"],
    )
    def test_another_shape_is_refused(self, place: Place, fresh: Callable[[str], str], changed: TopicSpec) -> None:
        log = place.open()
        spec = self.spec(fresh)
        log.ensure(spec)
        with pytest.raises(LogError, match="another shape"):
            log.ensure(TopicSpec(spec.name, changed.partitions, changed.schema))

    def test_an_unknown_topic_is_named(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        with pytest.raises(LogError, match="nowhere"):
            log.producer("writer", "nowhere")
        with pytest.raises(LogError, match="nowhere"):
            log.bounds("nowhere")
