"""Formats lose nothing: every value reads back as it was."""

from __future__ import annotations

import base64
import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import UsageError
from penstock.release.formats import FORMATS, unique, write

SCHEMA = pa.schema(
    [
        ("whole", pa.int64()),
        ("money", pa.decimal128(38, 2)),
        ("small", pa.decimal128(2, 2)),
        ("number", pa.float64()),
        ("text", pa.string()),
        ("flag", pa.bool_()),
        ("day", pa.date32()),
        ("moment", pa.timestamp("us", tz="UTC")),
        ("raw", pa.binary()),
        ("many", pa.list_(pa.string())),
    ]
)
FIRST = datetime(1, 1, 2, tzinfo=UTC).replace(tzinfo=None)
LAST = datetime(9999, 12, 30, tzinfo=UTC).replace(tzinfo=None)
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
row = st.fixed_dictionaries(
    {
        "whole": st.none() | st.integers(-(2**63), 2**63 - 1),
        "money": st.none() | st.integers(-(10**37), 10**37).map(lambda n: Decimal(n).scaleb(-2)),
        "small": st.none() | st.integers(-99, 99).map(lambda n: Decimal(n).scaleb(-2)),
        "number": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "text": st.none() | text,
        "flag": st.none() | st.booleans(),
        "day": st.none() | st.dates(),
        "moment": st.none() | st.datetimes(min_value=FIRST, max_value=LAST).map(lambda at: at.replace(tzinfo=UTC)),
        "raw": st.none() | st.binary(max_size=20),
        "many": st.none() | st.lists(text, max_size=3),
    }
)
rows = st.lists(row, max_size=5)
few = settings(max_examples=25)  # every one starts a database


def written(table: pa.Table, form: str, *, batch_rows: int = 2) -> bytes:
    output = io.BytesIO()
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=batch_rows))
    assert write(reader, form, output) == table.num_rows
    return output.getvalue()


def plain(value: object) -> object:
    """A value as JSON text holds it."""
    if isinstance(value, datetime):
        moment = value.replace(tzinfo=None)
        digits = f".{moment:%f}".rstrip("0").rstrip(".")
        return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}{digits}Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


@few
@given(rows)
def test_json_reads_back_exactly(data: list[dict[str, Any]]) -> None:
    expected = [{name: plain(value) for name, value in one.items()} for one in data]
    table = pa.Table.from_pylist(data, schema=SCHEMA)
    found = json.loads(written(table, "json"), parse_float=Decimal)
    lines = [json.loads(line, parse_float=Decimal) for line in written(table, "ndjson").splitlines()]
    assert found == lines
    for one, other in zip(found, expected, strict=True):
        number = one.pop("number")
        assert (None if number is None else float(number)) == other.pop("number")
        assert one == other


@few
@given(rows)
def test_csv_reads_back_and_tells_null_from_empty(data: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(data, schema=SCHEMA)
    content = written(table, "csv").decode()
    found = list(csv.DictReader(io.StringIO(content, newline=""), lineterminator="\n", strict=True))
    assert len(found) == len(data)
    for one, other in zip(found, data, strict=True):
        assert one["text"] == (other["text"] or "")
        assert one["money"] == ("" if other["money"] is None else f"{other['money']:.2f}")
    only = pa.table({"text": ["", None]})
    assert written(only, "csv") == b'text\n""\n\n'


@few
@given(rows)
def test_parquet_keeps_values_and_types(data: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(data, schema=SCHEMA)
    found = pq.read_table(io.BytesIO(written(table, "parquet")))
    assert found.to_pylist() == table.to_pylist()
    assert found.schema.field("money").type == pa.decimal128(38, 2)


def test_decimals_keep_every_digit_in_json() -> None:
    table = pa.table({"m": pa.array([Decimal("12345678901234567890123456789012345.10")], pa.decimal128(38, 2))})
    assert written(table, "json") == b'[\n{"m":12345678901234567890123456789012345.10}\n]\n'


def test_numbers_that_json_cannot_hold_are_texts() -> None:
    table = pa.table({"x": [float("nan"), float("inf"), -0.5, 1e22, None]})
    assert [one["x"] for one in json.loads(written(table, "json"))] == ["nan", "inf", -0.5, 1e22, None]


def test_rows_keep_their_order() -> None:
    table = pa.table({"n": list(range(300_000, 0, -1))})
    lines = written(table, "csv", batch_rows=250_000).split(b"\n")
    assert (lines[1], lines[300_000]) == (b"300000", b"1")


@pytest.mark.parametrize("form", FORMATS)
def test_no_rows_are_written_too(form: str) -> None:
    written(SCHEMA.empty_table(), form)


def test_the_table_format_aligns_and_shows_what_cannot_be_seen() -> None:
    table = pa.table({"name": ["a\tb", None, "日本"], "n": pa.array([Decimal("1.50"), Decimal("-20.00"), None])})
    assert written(table, "table").decode().splitlines() == [
        "name       n",
        "────  ──────",
        "a\\tb    1.50",
        "NULL  -20.00",
        "日本    NULL",
    ]


@pytest.mark.parametrize("form", ["json", "csv"])
def test_thousands_of_columns_are_written(form: str) -> None:
    table = pa.table({f"c{number}": [number] for number in range(2_000)})
    assert written(table, form).count(b"1999") == 2  # the name and the value


def test_columns_of_equal_name_are_numbered() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "A"])
    assert json.loads(written(table, "json")) == [{"a": 1, "A_1": 2}]
    assert unique(["a", "a", "a_1"]) == ["a", "a_1", "a_1_1"]


def test_an_unknown_format_names_the_known() -> None:
    with pytest.raises(UsageError, match="one of table, json, ndjson, csv, parquet"):
        write(SCHEMA.empty_table().to_reader(), "xml", io.BytesIO())
