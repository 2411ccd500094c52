"""NDJSON and JSON arrays: numbers as written, nested values as canonical JSON, broken lines by themselves."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import SourceError
from penstock.ingest import ndjson
from penstock.ingest.batch import batches
from penstock.ingest.content import open_content
from penstock.ingest.json_array import array_pieces
from penstock.ingest.ndjson import ndjson_pieces
from penstock.ingest.reading import header, parse_lines
from penstock.spec.source import FileFormat
from tests.ingest.ingest_shapes import Read, collect, found, read_bytes, source
from tests.ingest.test_csv_dirt import limit_records

NDJSON = source(format=FileFormat.NDJSON)
ARRAY = source(format=FileFormat.JSON)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
SCALAR = st.none() | st.booleans() | st.integers() | TEXT
VALUE = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)
OBJECTS = st.lists(st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), VALUE, max_size=4), max_size=8)


def as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def lines_of(objects: list[dict[str, Any]], *, ascii: bool) -> bytes:
    return b"".join(json.dumps(value, ensure_ascii=ascii).encode() + b"\n" for value in objects)


def read_pieces(data: bytes, format: FileFormat, block_bytes: int) -> Read:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        path.write_bytes(data)
        with open_content(found(path), None) as content:
            if format is FileFormat.NDJSON:
                pieces = ndjson_pieces(content, block_bytes=block_bytes)
            else:
                pieces = array_pieces(content, "a.json", block_bytes=block_bytes)
            return collect(batches(pieces, batch_rows=3, verify=content.verify))


@given(OBJECTS, st.booleans(), st.sampled_from([1, 3, 10, 1 << 20]))
def test_ndjson_is_read_back_in_any_cut(objects: list[dict[str, Any]], ascii: bool, block_bytes: int) -> None:
    taken = read_pieces(lines_of(objects, ascii=ascii), FileFormat.NDJSON, block_bytes)
    assert taken.malformed == []
    assert taken.rows == [
        (number, {name: as_text(value.get(name)) for name in taken.columns}) for number, value in enumerate(objects, 1)
    ]
    assert set(taken.columns) == {key for value in objects for key in value}


@given(OBJECTS, st.sampled_from([None, 1]), st.sampled_from([1, 3, 10, 1 << 20]))
def test_an_array_is_read_back_in_any_cut(objects: list[dict[str, Any]], indent: int | None, block_bytes: int) -> None:
    data = b"\xef\xbb\xbf " + json.dumps(objects, ensure_ascii=False, indent=indent).encode() + b"\n"
    taken = read_pieces(data, FileFormat.JSON, block_bytes)
    assert [row for _, row in taken.rows] == [
        {name: as_text(value.get(name)) for name in taken.columns} for value in objects
    ]
    assert taken.lines == list(range(1, len(objects) + 1))


@pytest.mark.parametrize("number", ["1.10", "-0", "1E400", "12345678901234567890.123456789", "0.1", "9" * 5000])
@pytest.mark.parametrize("format", [FileFormat.NDJSON, FileFormat.JSON])
def test_numbers_are_kept_as_written_nested_or_not(tmp_path: Path, number: str, format: FileFormat) -> None:
    data = f'{{"a": {number}, "b": {{"c": [{number}]}}}}'
    data = data if format is FileFormat.NDJSON else f"[{data}]"
    taken = read_bytes(tmp_path, data.encode(), source_=source(format=format))
    assert taken.values == [(number, f'{{"c":[{number}]}}')]
    assert Decimal(number) is not None


def test_missing_and_null_are_none_and_empty_stays_empty(tmp_path: Path) -> None:
    taken = read_bytes(tmp_path, b'{"a":"","b":null}\n{"b":true,"c":"x"}', source_=NDJSON)
    assert taken.rows == [(1, {"a": "", "b": None, "c": None}), (2, {"a": None, "b": "true", "c": "x"})]


def test_columns_come_in_the_order_the_file_names_them_and_header_knows_all(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b'{"b":1}\n{"a":1,"b":2}\n{" a ":3}\n')
    assert header(NDJSON, found(path)) == ("b", "a", "a_2")


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b'{"a":1', "broken_json"),
        (b'{"a":1} x', "broken_json"),
        (b"{'a':1}", "broken_json"),
        (b'{"a":NaN}', "broken_json"),
        (b'{"a":01}', "broken_json"),
        (b"[" * 100_000, "broken_json"),
        (b'{"a":1}{"a":2}', "broken_json"),
        (b"[1]", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"12", "not_an_object"),
        (b"null", "not_an_object"),
        (b'{"a":1,"a":1}', "duplicate_key"),
        (b'{"a":{"b":1,"b":2}}', "duplicate_key"),
        (b'{"a":"\xff"}', "undecodable"),
        (b'{"a":"\\ud800"}', "undecodable"),
        (b'{"a":"\0"}', "nul_byte"),
    ],
)
def test_a_bad_line_is_named_and_costs_itself_alone(tmp_path: Path, bad: bytes, code: str) -> None:
    taken = read_bytes(tmp_path, b'{"a":1}\r\n\r\n' + bad + b'\n  \n{"a":2}', source_=NDJSON)
    assert taken.malformed == [(3, bad, code)]
    assert taken.lines == [1, 5]


def test_a_surrogate_pair_is_one_character(tmp_path: Path) -> None:
    taken = read_bytes(tmp_path, b'{"a":"\\ud83d\\ude00"}', source_=NDJSON)
    assert taken.values == [("\U0001f600",)]


@pytest.mark.parametrize("block_bytes", [7, 64, 1 << 20])
def test_a_json_line_too_long_costs_itself_alone(monkeypatch: pytest.MonkeyPatch, block_bytes: int) -> None:
    limit_records(monkeypatch, 100)
    monkeypatch.setattr(ndjson, "MAX_RECORD", 100)
    monkeypatch.setattr(ndjson, "KEPT_OF_OVERLONG", 108)
    long = b'{"a":"' + b"x" * 200 + b'"}'
    taken = read_pieces(b'{"a":1}\n' + long + b'\r\n{"a":2}\n', FileFormat.NDJSON, block_bytes)
    assert taken.malformed == [(2, long[:108], "line_too_long")]
    assert taken.lines == [1, 3]


def test_malformed_elements_of_an_array_are_kept_by_their_position(tmp_path: Path) -> None:
    taken = read_bytes(tmp_path, b'[{"a":1}, 12, {"a":1,"a":2}, {"a":"\\udc00"}, {"a":3}]', source_=ARRAY)
    assert taken.malformed == [
        (2, b"12", "not_an_object"),
        (3, b'{"a":1,"a":2}', "duplicate_key"),
        (4, b'{"a":"\\udc00"}', "undecodable"),
    ]
    assert taken.lines == [1, 5]


@pytest.mark.parametrize(
    ("data", "found_"),
    [
        (b'{"a":1}', "something that is no array"),
        (b'[{"a":1},\n{"a":2}', "the end of the file within the array"),
        (b'[{"a":1},\n{"a":', "the end of the file within the array"),
        (b'[{"a":1}\n{"a":2}]', "'{' between elements"),
        (b'[{"a":1}]\nx', "more text after the array"),
        (b'[{"a":1},\n]', "expecting value"),
        (b"[{'a':1}]", "expecting property name"),
        (b'[{"a":"\xff"}]', "a byte that is not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_broken_array_is_refused_with_the_line(tmp_path: Path, data: bytes, found_: str) -> None:
    with pytest.raises(SourceError, match=rf"a\.json:[12]: The JSON file is broken.*{found_}"):
        read_bytes(tmp_path, data, name="a.json", source_=ARRAY)


@pytest.mark.parametrize("declared", [NDJSON, ARRAY])
def test_an_empty_json_file_has_no_rows(tmp_path: Path, declared: Any) -> None:
    assert read_bytes(tmp_path, b" \n", source_=declared).rows == []


def test_lines_read_again_become_rows() -> None:
    batch = parse_lines(NDJSON, [(4, b'{"a":1}'), (5, b"{")], ())
    assert batch.rows.to_pylist() == [{"a": "1", "_line": 4}]
    assert batch.malformed["code"].to_pylist() == ["broken_json"]
