"""Dirty CSV: each bad line is named and costs itself alone, in every cut of the bytes."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock.errors import SourceError
from penstock.ingest import csv_block, csv_record, line, malformed
from penstock.ingest.batch import batches
from penstock.ingest.content import open_content
from penstock.ingest.csv import CsvReader
from penstock.ingest.reading import parse_lines
from penstock.spec.source import Csv
from tests.ingest.csv_oracle import understand
from tests.ingest.ingest_shapes import Read, collect, found, read_bytes, source

DIRT = st.lists(
    st.sampled_from(
        [b'"', b'""', b",", b"\n", b"\r\n", b"\r", b"a", b"b,c", b'"x"', b'"x,y"', b"\xc3\xa9", b"\xe9", b"\0", b" "]
    ),
    max_size=60,
).map(b"".join)


def read_headless(data: bytes, *, width: int = 2, encoding: str = "utf-8", block_bytes: int = 1 << 20) -> Read:
    declared = Csv(header=False, encoding=encoding, columns=tuple(f"c{n}" for n in range(width)))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_bytes(data)
        with open_content(found(path), None) as content:
            reader = CsvReader(content, declared, "a.csv", block_bytes=block_bytes)
            return collect(batches(reader.pieces(reader.columns()), batch_rows=3, verify=content.verify))


@given(DIRT, st.integers(1, 3), st.sampled_from(["utf-8", "cp1252"]), st.sampled_from([1, 2, 5, 16, 1 << 20]))
@example(b'a,"b\nc,d\ne,"f"\n', 2, "utf-8", 5)
@example(b'a,"b\r', 2, "utf-8", 1)
@example(b'a,b\n"x\ny",\xe9\n', 2, "utf-8", 3)
def test_dirty_files_are_understood_as_by_the_plain_reading(
    data: bytes, width: int, encoding: str, block_bytes: int
) -> None:
    expected = understand(data, width, encoding=encoding)
    taken = read_headless(data, width=width, encoding=encoding, block_bytes=block_bytes)
    assert [(line, list(row.values())) for line, row in taken.rows] == expected.rows
    assert taken.malformed == expected.malformed


@given(DIRT, st.sampled_from([1, 3, 1 << 20]))
def test_utf_16_is_understood_as_utf_8_is(data: bytes, block_bytes: int) -> None:
    text = data.decode("utf-8", "ignore")
    expected = understand(text.encode(), 2)
    taken = read_headless(text.encode("utf-16"), encoding="utf-16", block_bytes=block_bytes)
    assert [(line, list(row.values())) for line, row in taken.rows] == expected.rows
    assert taken.malformed == [(line, raw.decode().encode("utf-16-le"), code) for line, raw, code in expected.malformed]


def test_an_unclosed_quote_costs_one_line_not_the_fifty_after_it(tmp_path: Path) -> None:
    good = b"".join(b"%d,plain,x\n" % number for number in range(50))
    data = b'id,text,more\n1,"never closed,x\n' + good + b'2,"two\nlines",x\n3,"fine",x\n'
    taken = read_bytes(tmp_path, data)
    assert taken.malformed == [(2, b'1,"never closed,x', "unclosed_quote")]
    assert len(taken.rows) == 52
    assert taken.rows[-2] == (53, {"id": "2", "text": "two\nlines", "more": "x"})


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b"1", "field_count"),
        (b"1,2,3", "field_count"),
        (b"1,,", "field_count"),
        (b'1,"2', "unclosed_quote"),
        (b'1,"2" x', "text_after_quote"),
        (b"1,\xff", "undecodable"),
        (b"1,\xed\xa0\x80", "undecodable"),
        (b"1,\0", "nul_byte"),
    ],
)
def test_a_bad_line_is_named_with_its_bytes_and_its_number(tmp_path: Path, bad: bytes, code: str) -> None:
    taken = read_bytes(tmp_path, b"a,b\n0,0\n" + bad + b"\r\n2,2\n")
    assert taken.malformed == [(3, bad, code)]
    assert taken.lines == [2, 4]


@pytest.mark.parametrize(("encoding", "raw"), [("utf-8", b"1,\xff"), ("cp1252", b"1,\x81")])
def test_a_line_that_is_no_text_says_in_which_encoding(encoding: str, raw: bytes) -> None:
    batch = parse_lines(source(csv=Csv(encoding=encoding)), [(7, raw)], ("a", "b"))
    assert batch.malformed["expected"].to_pylist() == [f"text in {encoding}"]


def test_facts_hold_no_value_of_the_line() -> None:
    batch = parse_lines(source(), [(7, b'secret,"secret" secret')], ("a", "b"))
    facts = batch.malformed.select(["expected", "found"]).to_pylist()
    assert "secret" not in str(facts)
    assert batch.malformed["_line"].to_pylist() == [7]


@pytest.mark.parametrize("block_bytes", [7, 64, 1 << 20])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_line_too_long_is_cut_and_costs_itself_alone(
    monkeypatch: pytest.MonkeyPatch, end: bytes, block_bytes: int
) -> None:
    limit_records(monkeypatch, 100)
    long = b"1," + b"x" * 500
    taken = read_headless(end.join([b"0,0", long, b"2," + b"y" * 98, b"3," + b"z" * 99, b""]), block_bytes=block_bytes)
    assert taken.codes == [(2, "line_too_long"), (4, "line_too_long")]
    assert taken.malformed[0][1] == long[:108]
    assert taken.lines == [1, 3]


@pytest.mark.parametrize("block_bytes", [7, 64, 1 << 20])
def test_a_quoted_record_too_long_costs_its_first_line(monkeypatch: pytest.MonkeyPatch, block_bytes: int) -> None:
    limit_records(monkeypatch, 100)
    data = b'1,"open\n' + b"2,x\n" * 40 + b'3,"y"\n'
    taken = read_headless(data, block_bytes=block_bytes)
    assert taken.malformed == [(1, b'1,"open', "unclosed_quote")]
    assert len(taken.rows) == 41


def test_what_was_cut_is_not_taken_for_a_whole_line_by_a_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    limit_records(monkeypatch, 100)
    [(number, raw, _)] = read_headless(b"1," + b"x" * 500 + b"\n").malformed
    again = parse_lines(source(), [(number, raw)], ("a", "b"))
    assert again.malformed["code"].to_pylist() == ["line_too_long"]


def limit_records(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    for module in (malformed, csv_record, csv_block, line):
        for name, value in (("MAX_RECORD", limit), ("KEPT_OF_OVERLONG", limit + 8)):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, value)


@pytest.mark.parametrize("data", [b'"a,b\n1,2\n', b"a,\xff\n1,2\n", b"a,\0\n"], ids=["quote", "bytes", "nul"])
def test_a_header_that_cannot_be_read_refuses_the_file(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(SourceError, match=r"a\.csv:1: The header cannot be read"):
        read_bytes(tmp_path, data)


def test_an_unknown_encoding_is_named(tmp_path: Path) -> None:
    for name in ("klingon", "shift_jis", "utf-7", "base64"):
        with pytest.raises(SourceError, match=f"found {name}"):
            read_bytes(tmp_path, b"a\n", source_=source(csv=Csv(encoding=name)))


def test_malformed_lines_read_again_under_another_declaration_become_rows() -> None:
    replayed = parse_lines(source(csv=Csv(encoding="cp1252")), [(3, b"1,\xa3"), (9, b"1,2,3")], ("a", "b"))
    assert replayed.rows.to_pylist() == [{"a": "1", "b": "£", "_line": 3}]
    assert replayed.malformed.to_pylist()[0] == {
        "_line": 9,
        "raw": b"1,2,3",
        "code": "field_count",
        "expected": "2 fields",
        "found": "3 fields",
    }


def test_a_big_endian_line_can_be_read_alone(tmp_path: Path) -> None:
    declared = source(csv=Csv(encoding="utf-16"))
    data = b"\xfe\xff" + "a,b\n1\n".encode("utf-16-be")
    [(number, raw, code)] = read_bytes(tmp_path, data, source_=declared).malformed
    assert (number, code) == (2, "field_count")
    assert parse_lines(declared, [(number, raw)], ("a",)).rows.to_pylist() == [{"a": "1", "_line": 2}]


def test_an_odd_byte_at_the_end_of_utf_16_costs_the_last_line(tmp_path: Path) -> None:
    data = "a,b\n1,2\n3,4".encode("utf-16") + b"5"
    taken = read_bytes(tmp_path, data, source_=source(csv=Csv(encoding="utf-16")))
    assert taken.malformed == [(3, "3,4".encode("utf-16-le") + b"5", "undecodable")]
    assert taken.lines == [2]
