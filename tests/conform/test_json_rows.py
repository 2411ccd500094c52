"""Rows of bytes are judged all at once as DuckDB judges each of them alone."""

from __future__ import annotations

import json
from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.conform.json_rows import MOST_BYTES, TEXT, VALUE, Judge, columns, named
from penstock.conform.texts import decoded, long_numbers, without
from penstock.sql.connection import connect

ORACLE = r"""
SELECT CASE
    WHEN octet_length(v) > 1048576 THEN 'line_too_long'
    WHEN t IS NULL THEN 'undecodable'
    WHEN NOT json_valid(t) THEN 'broken_json'
    WHEN json_type(t) <> 'OBJECT' THEN 'not_an_object'
    WHEN len(json_keys(t)) <> len(list_distinct(json_keys(t))) THEN 'duplicate_key'
    WHEN list_has_any(json_keys(t), ['', chr(0)]) THEN 'nameless_key'
    WHEN regexp_matches(t, '[:,\[]\s*-?[0-9.]{17,}') AND regexp_matches(t, '[:,\[]\s*-?[0-9]+[.][0-9]')
    THEN 'inexact_number'
    END, t
FROM (SELECT v, TRY(decode(v)) AS t FROM (SELECT ?::BLOB AS v))
"""
KEYS = st.sampled_from(["a", "A", "b", "", "a/b", "~c", "é", "\x00", "_LINE", "_line_2", "n", "two words"])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(), st.text(max_size=5), st.just("1" * 20)
)
VALUES = st.recursive(SCALARS, lambda some: st.lists(some, max_size=3) | st.dictionaries(KEYS, some, max_size=3))
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4).map(lambda one: json.dumps(one, ensure_ascii=False))
ODDITIES = st.sampled_from(
    [
        '{"a": 1, "a": 2}', '{"a": 1, "A": 2}', "{}", "[]", "null", '"a"', "1e400", '{"a": 1e400}', "", " ", "{", "[" * 2000,
        '{"a": 0.12345678901234567}', '{"a": 12345678901234567}', '{"a": 12345678901234567, "b": 0.5}',
        '{"a": "12345678901234567", "b": 0.5}', '{"a": 1.5, "b": [ -0.1234567890123456]}', '{"a": 1}{"b": 2}',
        '{"a": NaN}', '{"a": 1,}', '\ufeff{"a": 1}', '{"a": {"b": 1, "b": 2}}', '{"a\\u0062": 1, "ab": 2}',
    ]
)  # fmt: skip
TEXTS = st.one_of(OBJECTS, OBJECTS, VALUES.map(json.dumps), ODDITIES, st.text(max_size=8)).map(
    lambda text: text.encode("utf-8", "surrogatepass")
)
CUT = st.builds(lambda text, at: text[: at % (len(text) + 1)], TEXTS, st.integers(0, 60))
BYTES = st.one_of(
    st.binary(max_size=6),
    st.lists(st.sampled_from(b"\x80\xbf\xc0\xc2\xe0\xa0\xed\x9f\xf0\x90\xf4\x8f\xf5\xffa"), max_size=6).map(bytes),
    st.text(max_size=4).map(str.encode),
)
ROWS = st.lists(st.none() | TEXTS | TEXTS | CUT | BYTES, max_size=12)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(threads=1) as opened:
        opened.execute("SET preserve_insertion_order = true")
        yield opened


@pytest.fixture(scope="module")
def judge(connection: duckdb.DuckDBPyConnection) -> Judge:
    return Judge(connection)


def chunked(values: list[bytes | None], at: int) -> pa.ChunkedArray:
    """In two pieces, the second of which is a part of something longer."""
    later = pa.array([b"\xff", *values[at:], b"\xff"], pa.binary()).slice(1, max(0, len(values) - at))
    return pa.chunked_array([pa.array(values[:at], pa.binary()), later])


@given(values=ROWS, at=st.integers(0, 12))
def test_each_row_has_the_fault_it_has_alone(
    connection: duckdb.DuckDBPyConnection, judge: Judge, values: list[bytes | None], at: int
) -> None:
    alone = [connection.execute(ORACLE, [value]).fetchall()[0] for value in values]
    rows = pa.table({VALUE: chunked(values, at), "n": pa.array(range(len(values)), pa.int64())})

    found = judge.judge(rows)

    bad = [(number, code, values[number]) for number, (code, _) in enumerate(alone) if code is not None]
    good = [(number, text) for number, (code, text) in enumerate(alone) if code is None]
    assert [(row["n"], row["code"], row[VALUE]) for row in found.malformed.to_pylist()] == bad
    assert [(row["n"], row[TEXT]) for row in found.objects.to_pylist()] == good
    keys = [connection.execute("SELECT json_keys(?)", [text]).fetchall()[0][0] for _, text in good]
    assert found.keys == tuple(sorted({key for some in keys for key in some}))


@given(values=ROWS)
def test_the_text_of_a_key_is_what_duckdb_extracts(
    connection: duckdb.DuckDBPyConnection, judge: Judge, values: list[bytes | None]
) -> None:
    found = judge.judge(pa.table({VALUE: pa.array(values, pa.binary())}))
    connection.register("objects", found.objects)

    names = named(found.keys)
    rows = connection.sql(columns("objects", names, ())).to_arrow_table() if names else pa.table({})

    assert len({name.lower() for name in names}) == len(names)
    for number, keys in enumerate(names.values()):
        paths = ["/" + key.replace("~", "~0").replace("/", "~1") for key in keys]
        for text, extracted in zip(found.objects[TEXT].to_pylist(), rows.column(number).to_pylist(), strict=True):
            alone = [connection.execute("SELECT json_extract_string(?, ?)", [text, path]).fetchall() for path in paths]
            assert next((one for ((one,),) in alone if one is not None), None) == extracted


@given(values=st.lists(st.none() | BYTES, max_size=12), at=st.integers(0, 12))
def test_text_is_what_python_decodes(values: list[bytes | None], at: int) -> None:
    def alone(value: bytes | None) -> str | None:
        try:
            return None if value is None else value.decode()
        except UnicodeDecodeError:
            return None

    found = decoded(chunked(values, at))

    found.validate(full=True)
    assert found.to_pylist() == [alone(value) for value in values]


@given(values=st.lists(BYTES, max_size=12), at=st.integers(0, 12), rows=st.sets(st.integers(0, 11)))
def test_all_but_some_rows_are_the_others_in_their_order(values: list[bytes], at: int, rows: set[int]) -> None:
    gone = sorted(row for row in rows if row < len(values))

    kept = without(chunked([*values], at), gone).to_pylist()

    assert kept == [value for row, value in enumerate(values) if row not in rows]


@given(values=st.lists(st.text("0123456789./-:a", max_size=12), max_size=12), digits=st.integers(1, 9))
def test_no_text_with_a_long_number_is_missed(values: list[str], digits: int) -> None:
    def longest(text: str) -> int:
        return max(map(len, "".join(one if one in "0123456789." else " " for one in text).split(" ")))

    found = long_numbers(pa.chunked_array([pa.array(values, pa.string())]), digits)

    assert all(flag for flag, text in zip(found, values, strict=True) if longest(text) >= digits)


def test_a_line_may_have_a_mebibyte_and_no_byte_more(judge: Judge) -> None:
    longest = b'{"a": "' + b"x" * (MOST_BYTES - 9) + b'"}'

    found = judge.judge(pa.table({VALUE: pa.array([longest, longest + b" "], pa.binary())}))

    assert (found.objects.num_rows, found.malformed["code"].to_pylist()) == (1, ["line_too_long"])
