"""Messages of Kafka become rows a piece at a time; where a piece ends, and who makes rows of it, makes no difference."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import chain

import pyarrow as pa
import pytest
from confluent_kafka import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.log.kafka import messages
from penstock.log.kafka.json_codec import JsonCodec
from penstock.log.kafka.messages import Form, Received
from penstock.log.protocol import OFFSET, Chunk, Topic, TopicSpec

SCHEMA = pa.schema({"id": pa.int64(), "text": pa.string()})
FORM = Form(Topic(TopicSpec("visits", 1, SCHEMA), "first"), JsonCodec(SCHEMA), of_job=False)
VALUES = st.sampled_from([b'{"id": 1, "text": "a"}', b'{"id": 2}', b"{", b"\xff", None])


def message(offset: int, value: bytes | None) -> Message:
    headers: list[tuple[str, str | bytes | None]] = [("of", b"shop"), (messages.MICROS, b"%d" % offset)]
    return Message(
        "visits",
        0,
        offset,
        b"k%d" % offset,
        value,
        headers=headers if offset % 2 else None,
        timestamp=(2, 1000 + offset),
    )


def taken(parts: list[list[tuple[int, bytes | None]]], *, bare: bool, decoding: Executor | None = None) -> list[Chunk]:
    received = Received(FORM, 0, bare, decoding)
    for part in parts:
        received.add([message(offset, value) for offset, value in part])
    return received.chunks()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(1, 3), VALUES), min_size=1, max_size=12),
    st.integers(1, 5),
    st.integers(1, 4),
    st.booleans(),
)
def test_where_a_piece_ends_makes_no_difference(
    monkeypatch: pytest.MonkeyPatch, steps: list[tuple[int, bytes | None]], at_once: int, piece: int, bare: bool
) -> None:
    came, offset = list[tuple[int, bytes | None]](), 0
    for step, value in steps:
        offset += step
        came.append((offset, value))
    monkeypatch.setattr(messages, "_PIECE", 1000)
    [whole] = taken([came], bare=bare)

    monkeypatch.setattr(messages, "_PIECE", piece)
    parts = [came[start : start + at_once] for start in range(0, len(came), at_once)]
    found = taken(parts, bare=bare)
    with ThreadPoolExecutor(1) as other:
        beside = taken(parts, bare=bare, decoding=other)

    assert found == beside
    assert pa.concat_batches([one.records for one in found]) == whole.records
    poison = [one.poison for one in found if one.poison is not None]
    assert (pa.concat_batches(poison) if poison else None) == whole.poison
    assert found[-1].next == whole.next == offset + 1
    taken_offsets = [one.column(OFFSET).to_pylist() for one in (*poison, *(one.records for one in found))]
    assert sorted(chain.from_iterable(taken_offsets)) == [at for at, _ in came]
