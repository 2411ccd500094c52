"""Rows as JSON and as Avro: what was written comes back, and what cannot be read is named without touching others."""

from __future__ import annotations

import io
import json
import math
import struct
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import fastavro
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.log.kafka.avro_codec import AvroCodec
from penstock.log.kafka.json_codec import JsonCodec
from penstock.log.kafka.json_lines import is_line, lines_of
from penstock.log.kafka.registry import SchemaRegistry
from penstock.log.protocol import LogError, LogStorageError
from penstock.testing.schema_registry import RegistryForTests, schema_registry

SCHEMA = pa.schema(
    {
        "whole": pa.int64(),
        "real": pa.float64(),
        "money": pa.decimal128(18, 2),
        "text": pa.string(),
        "bytes": pa.binary(),
        "yes": pa.bool_(),
        "day": pa.date32(),
        "moment": pa.timestamp("us", tz="UTC"),
        "tags": pa.list_(pa.string()),
        "top": pa.list_(pa.struct({"value": pa.decimal128(9, 2), "count": pa.int64()})),
    }
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(-(10**15), 7 * 10**15).map(lambda one: EPOCH + timedelta(microseconds=one))
FOREIGN = [
    b'{"whole": 1, "other": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"whole": 2, "other": {"a": 1, "a": 2}}',
    b'{"whole": 3, "other": NaN}',
    b'{"whole": 4, "other": 1e999}',
    b'{"whole": 5, "real": "Infinity"}',
    b' {"whole": 6}',
    b'{"whole": 7, "text": "two\\nlines"}',
    b'{\n"whole": 8}',
    b'{"whole": 9, "real": Infinity}',
]
TOP = st.fixed_dictionaries({"value": st.none() | st.decimals(-99, 99, places=2), "count": st.integers(0, 9)})
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "whole": st.none() | st.integers(-(2**63), 2**63 - 1),
            "real": st.none() | st.floats(allow_nan=False),
            "money": st.none() | st.decimals(-(10**15), 10**15, places=2),
            "text": st.none() | st.text(st.characters(codec="utf-8")),
            "bytes": st.none() | st.binary(max_size=20),
            "yes": st.none() | st.booleans(),
            "day": st.none() | st.dates(date(1900, 1, 1), date(2200, 1, 1)),
            "moment": st.none() | MOMENTS,
            "tags": st.none() | st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=5), max_size=3),
            "top": st.none() | st.lists(TOP, max_size=3),
        }
    ),
    max_size=8,
)
POISON = [
    b"",
    b"{",
    b"[1]",
    b'"text"',
    b'{"whole": 1} {"whole": 2}',
    b'{"whole": 1}\n{"whole": 2}',
    b'{"whole": 1, "whole": 2}',
    b'{"whole": "1"}',
    b'{"whole": 1.5}',
    b'{"whole": 99999999999999999999}',
    b'{"real": 1e400}',
    b'{"real": NaN}',
    b'{"text": "\xff"}',
    b'{"text": 5}',
    b'{"money": "1.234.5"}',
    b'{"moment": "yesterday"}',
    b'{"bytes": "???"}',
    b'{"tags": "a"}',
    b'{"tags": [1]}',
    b'{"top": [{"value": "x"}]}',
    b"[" * 100_000,
    None,
]


@given(ROWS)
@settings(max_examples=60)
def test_rows_come_back_from_json(rows: list[dict[str, object]]) -> None:
    codec = JsonCodec(SCHEMA)
    values = codec.encode(pa.RecordBatch.from_pylist(rows, SCHEMA))
    assert [sorted(json.loads(value)) for value in values] == [sorted(SCHEMA.names)] * len(rows)
    found, bad = codec.decode(values)
    assert (found.to_pylist(), bad) == (rows, {})


@given(ROWS, st.integers(0, 8))
@settings(max_examples=40)
def test_a_part_of_a_batch_is_written_as_it_is_in_the_whole(rows: list[dict[str, object]], first: int) -> None:
    codec, whole = JsonCodec(SCHEMA), pa.RecordBatch.from_pylist(3 * rows, SCHEMA)
    assert codec.encode(whole.slice(first)) == codec.encode(whole)[first:]


@pytest.mark.parametrize("text", ['"', "\\", "\n", "\x00", "\x1f", " ", "\x7f", "é"])
def test_a_text_is_escaped_wherever_it_stands(text: str) -> None:
    codec, given = JsonCodec(pa.schema({"text": pa.string()})), ["plain", f"a{text}", "plain"]
    assert [json.loads(value)["text"] for value in codec.encode(pa.RecordBatch.from_pydict({"text": given}))] == given


def test_what_json_has_no_number_for_is_a_word() -> None:
    codec = JsonCodec(pa.schema({"real": pa.float64()}))
    given = pa.RecordBatch.from_pydict({"real": [math.inf, -math.inf, math.nan, 0.5]})
    values = codec.encode(given)
    assert [json.loads(value)["real"] for value in values] == ["Infinity", "-Infinity", "NaN", 0.5]
    found, bad = codec.decode(values)
    assert (str(found.column(0).to_pylist()), bad) == ("[inf, -inf, nan, 0.5]", {})


@pytest.mark.parametrize("value", POISON, ids=range(len(POISON)))
def test_what_is_no_row_is_named_and_its_neighbours_are_read(value: bytes | None) -> None:
    good = b'{"whole": 7, "text": "a", "unknown": [1, {"b": 2}]}'
    found, bad = JsonCodec(SCHEMA).decode([good, value, good])
    assert found.column("whole").to_pylist() == [7, 7]
    assert list(bad) == [1]
    assert bad[1].code in ("json", "encoding", "type")


@given(st.lists(st.sampled_from([*POISON, *FOREIGN]), max_size=6))
def test_what_becomes_of_a_value_does_not_depend_on_its_neighbours(values: list[bytes | None]) -> None:
    codec = JsonCodec(SCHEMA)
    alone = [codec.decode([value]) for value in values]
    rows, bad = codec.decode(values)
    assert rows.to_pylist() == [row for found, _ in alone for row in found.to_pylist()]
    assert {number: why.code for number, why in bad.items()} == {
        number: why[0].code for number, (_, why) in enumerate(alone) if why
    }


@given(st.lists(st.none() | st.text("{}\n1", max_size=4).map(str.encode), min_size=1, max_size=4))
def test_values_are_lines_when_each_of_them_is(values: list[bytes | None]) -> None:
    assert (lines_of(values) is not None) == all(map(is_line, values))


def test_poison_among_many_rows_changes_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = JsonCodec(SCHEMA)
    strange = [*POISON, *FOREIGN]
    values: list[bytes | None] = [b'{"whole": %d, "moment": "2026-03-02T09:00:00Z"}' % number for number in range(3000)]
    values[50:2900:50] = [strange[number % len(strange)] for number in range(57)]
    alone = [codec.decode([value]) for value in values]
    monkeypatch.setattr(codec, "_one_by_one", None)  # few among many: the others are not looked at one by one
    rows, bad = codec.decode(values)
    assert rows.to_pylist() == [row for found, _ in alone for row in found.to_pylist()]
    assert {number: str(why) for number, why in bad.items()} == {
        number: str(why[0]) for number, (_, why) in enumerate(alone) if why
    }


def test_a_missing_column_is_null() -> None:
    found, bad = JsonCodec(SCHEMA).decode([b"{}", b' {"whole": 3} '])
    assert (found.column("whole").to_pylist(), bad) == ([None, 3], {})


def test_a_type_without_a_form_is_refused() -> None:
    with pytest.raises(LogError, match="no form in JSON"):
        JsonCodec(pa.schema({"tags": pa.map_(pa.string(), pa.string())}))


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryForTests]:
    with schema_registry() as running:
        yield running


@given(rows=ROWS)
@settings(max_examples=40)
def test_rows_come_back_from_avro(registry: RegistryForTests, rows: list[dict[str, object]]) -> None:
    codec = AvroCodec("events", SCHEMA, SchemaRegistry(registry.url))
    found, bad = codec.decode(codec.encode(pa.RecordBatch.from_pylist(rows, SCHEMA)))
    assert (found.to_pylist(), bad) == (rows, {})


def test_avro_is_in_the_wire_format(registry: RegistryForTests) -> None:
    schema = pa.schema({"whole": pa.int64()})
    [value] = AvroCodec("wire", schema, SchemaRegistry(registry.url)).encode(
        pa.RecordBatch.from_pylist([{"whole": 5}], schema)
    )
    magic, number = struct.unpack(">bI", value[:5])
    written = json.loads(registry.schemas[number - 1])
    assert magic == 0
    assert registry.subjects["wire-value"] == [number]
    assert fastavro.schemaless_reader(io.BytesIO(value[5:]), written, None) == {"whole": 5}


def test_avro_of_an_older_schema_is_read_under_the_newer(registry: RegistryForTests) -> None:
    older, newer = pa.schema({"whole": pa.int64()}), pa.schema({"whole": pa.int64(), "more": pa.string()})
    client = SchemaRegistry(registry.url)
    values = AvroCodec("grown", older, client).encode(pa.RecordBatch.from_pylist([{"whole": 5}], older))
    found, bad = AvroCodec("grown", newer, client).decode(values)
    assert (found.to_pylist(), bad) == ([{"whole": 5, "more": None}], {})


@pytest.mark.parametrize(
    "value",
    [None, b"", b"\x00\x00", b"\x01\x00\x00\x00\x01\x02", b"\x00\x00\x00\x00\xff\x02", b"\x00\x00\x00\x00\x01\x02\xff"],
    ids=["nothing", "empty", "cut", "magic", "number", "datum"],
)
def test_what_is_no_avro_row_is_named(registry: RegistryForTests, value: bytes | None) -> None:
    codec = AvroCodec("events", SCHEMA, SchemaRegistry(registry.url))
    good = codec.encode(pa.RecordBatch.from_pylist([{"whole": 7}], SCHEMA))
    found, bad = codec.decode([*good, value, *good])
    assert found.column("whole").to_pylist() == [7, 7]
    assert {number: why.code for number, why in bad.items()} == {1: "avro"}


def test_a_registry_is_asked_once_for_each_schema(registry: RegistryForTests) -> None:
    client = SchemaRegistry(registry.url)
    schema = pa.schema({"whole": pa.int64()})
    before = registry.asked
    for _ in range(3):
        codec = AvroCodec("often", schema, client)
        codec.decode(codec.encode(pa.RecordBatch.from_pylist([{"whole": 1}] * 5, schema)))
    assert registry.asked - before == 2


def test_a_registry_that_refuses_or_is_away_is_told_apart(registry: RegistryForTests) -> None:
    with pytest.raises(LogError, match="422 Invalid schema"):
        SchemaRegistry(registry.url).register("events-value", "no schema")
    with schema_registry() as gone:
        url = gone.url
    with pytest.raises(LogStorageError, match="does not answer"):
        SchemaRegistry(url).register("events-value", "{}")
