"""What every event log does, as tests: subclass `LogSuite` and give it a `place` fixture that opens your log.

Where logs differ, their declared capabilities say so; nothing here asks which log it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

import pyarrow as pa
import pytest

from penstock.errors import Fenced, LeaseHeld
from penstock.log.protocol import (
    OFFSET,
    RAW,
    SYSTEM,
    Chunk,
    Log,
    LogError,
    Part,
    Position,
    SourceReset,
    TopicSpec,
    beginning,
    end,
)

PAYLOAD = pa.schema([pa.field("id", pa.int64()), pa.field("note", pa.string())])
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_PATIENCE = 30.0  # seconds that rows which are there may take to arrive


class Place(Protocol):
    """Where the logs under test are kept."""

    def open(self) -> Log:
        """The log as another process would open it; closed by the fixture."""

    def forsake(self, log: Log) -> None:
        """Let others believe that the process of this log is dead; it goes on as a zombie."""

    def remove(self, topic: str) -> None:
        """Delete a topic that nobody has open."""


def records(
    schema: pa.Schema, rows: Sequence[Mapping[str, object]], *, keys: Sequence[bytes | None] | None = None
) -> pa.RecordBatch:
    """Rows with keys `default/<first column>` unless others are given, one second apart."""
    given = list(keys or [f"default/{row[schema.names[0]]}".encode() for row in rows])
    times = [NOON + timedelta(seconds=number) for number in range(len(rows))]
    system = [
        pa.array(given, SYSTEM.types[0]),
        pa.array(times, SYSTEM.types[1]),
        pa.array([[("source", b"test")]] * len(rows), SYSTEM.types[2]),
    ]
    columns = [pa.array([row[name] for row in rows], schema.field(name).type) for name in schema.names]
    return pa.RecordBatch.from_arrays([*system, *columns], schema=pa.schema([*SYSTEM, *schema]))


def numbered(first: int, next: int) -> pa.RecordBatch:
    """Rows of `PAYLOAD` with these ids."""
    return records(PAYLOAD, [{"id": number, "note": f"note {number}"} for number in range(first, next)])


def read(log: Log, positions: Mapping[Part, Position], *, most: int = 10_000) -> list[Chunk]:
    """Everything from the positions to where the log ends now."""
    ends = {part: at.offset for topic, _ in positions for part, at in end(log, topic).items()}
    waiting = {part for part, at in positions.items() if at.offset < ends[part]}
    reader = log.reader(positions)
    found: list[Chunk] = []
    while waiting:
        chunks = reader.poll(most, _PATIENCE)
        if not chunks:
            break
        found += chunks
        waiting -= {(one.topic, one.partition) for one in chunks if one.next >= ends[one.topic, one.partition]}
    reader.close()
    return [chunk for chunk in found if chunk.records.num_rows or chunk.poison is not None]


def rows(log: Log, topic: str, *, most: int = 10_000) -> list[dict[str, Any]]:
    """Every row of a topic, by partition and offset."""
    chunks = sorted(read(log, beginning(log, topic), most=most), key=lambda one: (one.partition, one.next))
    return [row for chunk in chunks for row in chunk.records.to_pylist()]


def ids(log: Log, topic: str, *, most: int = 10_000) -> list[int]:
    return [row["id"] for row in rows(log, topic, most=most)]


class LogSuite:
    """The behaviour. `place` and `fresh` are fixtures; the default `fresh` gives topic names that were not used."""

    def spec(self, fresh: Callable[[str], str], partitions: int = 1) -> TopicSpec:
        return TopicSpec(fresh("events"), partitions, PAYLOAD)

    def topic(self, log: Log, fresh: Callable[[str], str], partitions: int = 1) -> str:
        return log.ensure(self.spec(fresh, partitions)).spec.name

    # Rows

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
            (chunk,) = reader.poll(3, _PATIENCE)
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
        first = log.reader(beginning(log, topic)).poll(4, _PATIENCE)
        position = Position(first[-1].next, log.topics()[topic].incarnation)
        rest = read(log, {(topic, 0): position})
        assert [one for chunk in rest for one in chunk.records.column("id").to_pylist()] == list(range(4, 10))

    def test_a_reader_that_waits_gets_what_comes(self, place: Place, fresh: Callable[[str], str]) -> None:
        log, other = place.open(), place.open()
        topic = self.topic(log, fresh)
        reader = other.reader(beginning(other, topic))
        assert reader.poll(10, 0.0) == []
        log.producer("writer", topic).append(numbered(0, 2), sequence=0)
        found = reader.poll(10, _PATIENCE)
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
            for chunk in reader.poll(1000, _PATIENCE):
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
            log.reader(positions).poll(10, _PATIENCE)
        assert after.incarnation in str(caught.value)

    def test_a_position_beyond_the_end_stops_loudly(self, place: Place, fresh: Callable[[str], str]) -> None:
        log = place.open()
        topic = self.topic(log, fresh)
        log.producer("writer", topic).append(numbered(0, 3), sequence=0)
        position = Position(400, log.topics()[topic].incarnation)
        with pytest.raises(SourceReset, match="400"):
            log.reader({(topic, 0): position}).poll(10, _PATIENCE)

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

    # Jobs

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
