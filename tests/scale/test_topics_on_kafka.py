"""`penstock topics` looks into Kafka as into the log of the data directory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka import Producer

from penstock.runtime.installation import Installation
from penstock.runtime.live_rows import live_rows
from penstock.runtime.stream import stream
from penstock.runtime.topics import append_lines, list_topics, peek, tail
from penstock.world import SystemClock, real_world
from tests.scale.broker import Broker
from tests.stream.lending import COUNT, lending

pytestmark = pytest.mark.usefixtures("on_kafka")


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    lending(tmp_path, COUNT)
    return Installation.at(tmp_path)


def loan(number: int, member: str) -> bytes:
    return b'{"loan": "L%d", "member": "%s", "fee": "1.00", "lent": "2026-03-01T00:00:00Z"}' % (number, member.encode())


def test_the_newest_rows_are_found_behind_the_marks_of_transactions(installation: Installation) -> None:
    for number in range(6):
        append_lines(installation, "loans_typed", [loan(number, "ada")])

    newest = loans(peek(installation, "loans_typed", limit=2))
    everything = loans(peek(installation, "loans_typed", limit=100))
    with closing(tail(installation, "loans_typed", last=3, stopped=lambda: False)) as rows:
        begun = [next(rows)["loan"] for _ in range(3)]
        append_lines(installation, "loans_typed", [loan(6, "ada")])
        came = next(rows)["loan"]

    assert (newest, everything) == (["L4", "L5"], [f"L{number}" for number in range(6)])
    assert (begun, came) == (["L3", "L4", "L5"], "L6")
    assert ("loans_typed", 2) in [(one.name, one.partitions) for one in list_topics(installation)]


def loans(rows: Iterable[Mapping[str, object]]) -> list[object]:
    return [row["loan"] for row in rows if row["member"] == "ada"]


class Waiting(SystemClock):
    """Time during which something happens when somebody waits."""

    def __init__(self, happen: Callable[[], None]) -> None:
        self._happen = happen

    def sleep(self, seconds: float) -> None:
        self._happen()
        time.sleep(seconds)


def test_until_idle_waits_for_a_transaction_that_is_open(installation: Installation, broker: Broker) -> None:
    append_lines(installation, "loans_typed", [loan(0, "bob")])
    stream(installation, until_idle=True)
    with closing(Producer({"bootstrap.servers": broker.servers, "transactional.id": "elsewhere"})) as producer:
        producer.init_transactions()
        producer.begin_transaction()
        producer.produce("loans_typed", loan(1, "bob"), b"default/bob")
        producer.flush()
        commits = iter([producer.commit_transaction])
        world = replace(real_world(), clock=Waiting(lambda: next(commits, lambda: None)()))

        stream(replace(installation, world=world), until_idle=True)

    rows = live_rows(installation, "latest", order=None, limit=9)
    assert {row["member"]: row["earlier"] for row in rows}["bob"] == 1
