"""Clean CSV is read as Python's csv module reads it, in every dialect, encoding and batch size."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.ingest import batch
from penstock.ingest.batch import batches
from penstock.ingest.content import open_content
from penstock.ingest.csv import CsvReader
from penstock.ingest.reading import header, read_file
from penstock.spec.source import Csv
from tests.ingest.ingest_shapes import Read, collect, found, read, read_bytes, source

ENCODINGS = {"utf-8": "utf-8", "utf-8-bom": "utf-8-sig", "cp1252": "cp1252", "latin-1": "latin-1", "utf-16": "utf-16"}
ONE_BYTE = st.sampled_from("aZ09 £éÿ\x01\x7f")
ANY = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


@st.composite
def clean_files(draw: st.DrawFn) -> tuple[bytes, Csv, list[list[str]]]:
    kind = draw(st.sampled_from(sorted(ENCODINGS)))
    delimiter, quote = draw(st.sampled_from(",;\t|")), draw(st.sampled_from("\"'"))
    special = st.sampled_from([delimiter, quote, "\n", "\r", "\r\n", " "])
    characters = ONE_BYTE if kind in ("cp1252", "latin-1") else ANY
    value = st.lists(characters | special, max_size=8).map("".join)
    width = draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(value, min_size=width, max_size=width), max_size=12))
    text = io.StringIO()
    # Python quotes a line end only if it is part of its own.
    end, all_quoted = draw(st.sampled_from([("\r\n", False), ("\n", True), ("\r", True)]))
    quoting: Literal[0, 1] = csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL
    csv.writer(text, delimiter=delimiter, quotechar=quote, lineterminator=end, quoting=quoting).writerows(rows)
    written = text.getvalue()
    if draw(st.booleans()):
        written = written.removesuffix(end)
    declared = Csv(delimiter, quote, False, kind.removesuffix("-bom"), tuple(f"c{n}" for n in range(width)))
    return written.encode(ENCODINGS[kind]), declared, rows


@given(clean_files(), st.sampled_from([1, 2, 3, 7, 64, 1 << 20]), st.sampled_from([1, 2, 100]))
def test_what_python_wrote_is_read_back_in_any_cut(
    file: tuple[bytes, Csv, list[list[str]]], block_bytes: int, batch_rows: int
) -> None:
    data, declared, rows = file
    text = io.StringIO(data.decode(declared.encoding).removeprefix("\ufeff"), newline="")
    reader = csv.reader(text, delimiter=declared.delimiter, quotechar=declared.quote)
    ends = [reader.line_num for _ in reader]
    with TemporaryDirectory() as folder:
        taken = _read_in_blocks(Path(folder), data, declared, block_bytes, batch_rows)
    assert taken.malformed == []
    assert [list(values) for values in taken.values] == rows
    assert taken.lines == [end + 1 for end in [0, *ends][: len(rows)]]


def _read_in_blocks(folder: Path, data: bytes, declared: Csv, block_bytes: int, batch_rows: int) -> Read:
    path = folder / "a.csv"
    path.write_bytes(data)
    with open_content(found(path), None) as content:
        reader = CsvReader(content, declared, "a.csv", block_bytes=block_bytes)
        return collect(batches(reader.pieces(reader.columns()), batch_rows=batch_rows, verify=content.verify))


def test_lines_are_physical_under_every_line_end(tmp_path: Path) -> None:
    data = b'id,text\r\n1,"two\r\nlines"\r\n\r\n2,plain\r3,"a\rb\nc"\n4,last'
    taken = read_bytes(tmp_path, data)
    assert taken.lines == [2, 5, 6, 9]
    assert taken.values == [("1", "two\r\nlines"), ("2", "plain"), ("3", "a\rb\nc"), ("4", "last")]


def test_values_are_exactly_as_written_and_an_empty_one_stays_empty(tmp_path: Path) -> None:
    taken = read_bytes(tmp_path, 'a,b,c,d\n 1 ,"",NULL,17850.0\n£,"x""y",5" pipe,\n'.encode())
    assert taken.values == [(" 1 ", "", "NULL", "17850.0"), ("£", 'x"y', '5" pipe', "")]


def test_header_names_are_stripped_and_made_distinct(tmp_path: Path) -> None:
    taken = read_bytes(tmp_path, b"\xef\xbb\xbf Order No ,,Total,total,_line\n1,2,3,4,5\n")
    assert taken.columns == ["Order No", "column_2", "Total", "total_2", "_line_2"]


def test_a_file_without_header_takes_declared_names(tmp_path: Path) -> None:
    declared = source(csv=Csv(header=False, columns=("a", "b")))
    taken = read_bytes(tmp_path, b"1,2\n3,4\n", source_=declared)
    assert taken.columns == ["a", "b"]
    assert taken.lines == [1, 2]


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf"], ids=["nothing", "empty lines", "only a mark"])
def test_an_empty_file_has_no_rows_and_no_columns(tmp_path: Path, data: bytes) -> None:
    taken = read_bytes(tmp_path, data)
    assert (taken.columns, taken.rows, taken.malformed) == ([], [], [])


def test_a_file_with_only_a_header_says_its_columns(tmp_path: Path) -> None:
    taken = read_bytes(tmp_path, b"a,b\n")
    assert (taken.columns, taken.rows) == (["a", "b"], [])


def test_a_delimiter_beyond_ascii_and_no_quoting_work(tmp_path: Path) -> None:
    declared = source(csv=Csv(delimiter="§", quote="", encoding="cp1252"))
    taken = read_bytes(tmp_path, 'a§b\n"1§2"\n'.encode("cp1252"), source_=declared)
    assert taken.values == [('"1', '2"')]


def test_header_is_read_without_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'"first\nname",b\n' + b"\xff,x\n" * 10)
    assert header(source(), found(path)) == ("first\nname", "b")


def test_batches_have_at_most_the_rows_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a\n" + b"1\n" * 10)
    assert [batch.rows.num_rows for batch in read_file(source(), found(path), batch_rows=4)] == [4, 4, 2]


def test_rows_of_many_bytes_close_a_batch_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MAX_BATCH_BYTES", 1 << 20)
    path = tmp_path / "a.csv"
    path.write_bytes(b"a\n" + (b"x" * 1000 + b"\n") * 4000)
    sizes = [taken.rows.num_rows for taken in read_file(source(), found(path))]
    assert sum(sizes) == 4000
    assert len(sizes) > 1


@pytest.mark.real
def test_every_line_of_the_real_shop_is_a_row(online_retail: Path) -> None:
    paths = sorted(online_retail.glob("*.csv"))
    taken = [made for path in paths for made in read_file(source(), found(path))]
    assert sum(made.rows.num_rows for made in taken) == 541_909
    assert sum(made.malformed.num_rows for made in taken) == 0


@pytest.mark.real
def test_a_day_of_the_real_shop_is_what_python_reads(online_retail: Path) -> None:
    path = online_retail / "2011-12-05.csv"
    [_, *expected] = csv.reader(io.StringIO(path.read_bytes().decode(), newline=""))
    assert [list(values) for values in read(source(), path).values] == expected
