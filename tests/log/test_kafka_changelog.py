"""What a job on Kafka restores from the messages of its commits, without a broker."""

from __future__ import annotations

from typing import Any, cast

import pytest

pytest.importorskip("confluent_kafka")

from penstock.log.kafka.changelog import Changelog, Entry
from penstock.log.kafka.topics import Topics


class Messages:
    """Keeps what is produced, in order."""

    def __init__(self) -> None:
        self.kept: list[tuple[bytes, bytes]] = []

    def produce(self, topic: str, value: bytes, key: bytes, partition: int, **_: Any) -> None:
        self.kept.append((key, value))


def changelog() -> Changelog:
    return Changelog("penstock.job.copy", "penstock.job.copy.journal", cast("Topics", None))


def test_a_snapshot_comes_before_the_deltas_that_are_kept_with_it() -> None:
    writing, messages = changelog(), Messages()
    for delta in (b"d1", b"d2", b"d3"):
        entry = Entry({}, None, delta, None)
        writing.write(cast("Any", messages), entry)
        writing.apply(entry)
    whole = Entry({}, b"s" * 2_000_000, b"d4", None, writing.last_deltas(2))
    writing.write(cast("Any", messages), whole)
    writing.apply(whole)

    reading = changelog()
    for key, value in messages.kept:
        reading._take(key, value)

    assert (reading.snapshot, reading.deltas) == (writing.snapshot, writing.deltas)
    assert reading.deltas == [b"d2", b"d3", b"d4"]
    assert writing.last_deltas(0) == ()
