"""Every format and compression takes the same road: strings in bronze, values in silver."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.errors import SourceError
from penstock.spec.source import Csv, FileFormat, Reading
from tests.load.load_shapes import HEADER, contract, refusals, road

LINES = b"loan,title,fee,at\n1,Dune,1.50,2024-01-01\n2,Emma,,\n"
ROWS: list[dict[str, Any]] = [
    {"loan": "1", "title": "Dune", "fee": 1.5, "at": "2024-01-01"},
    {"loan": "2", "title": "Emma"},
]
TITLES = {"1": "Dune", "2": "Emma"}


def _ndjson(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def _parquet() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"loan": [1, 2], "title": ["Dune", "Emma"], "fee": [1.5, None]}), sink)
    return bytes(sink.getvalue())


@pytest.mark.parametrize(
    ("name", "content", "facts"),
    [
        ("a.csv", LINES, {}),
        ("a.csv.gz", gzip.compress(LINES, mtime=0), {}),
        ("a.csv.zst", pa.Codec("zstd").compress(LINES, asbytes=True), {}),
        ("a.csv", b"\xef\xbb\xbf" + LINES, {}),
        ("a.csv", LINES.decode().encode("utf-16"), {"csv": Csv(encoding="utf-16")}),
        ("a.csv", LINES.replace(b",", b";").replace(b"1.50", b"1,50"), {
            "csv": Csv(delimiter=";"), "reading": Reading(decimal_separator=",")}),
        ("a.ndjson", _ndjson(ROWS), {"format": FileFormat.NDJSON}),
        ("a.json", json.dumps(ROWS).encode(), {"format": FileFormat.JSON}),
        ("a.json.gz", gzip.compress(json.dumps(ROWS).encode(), mtime=0), {"format": FileFormat.JSON}),
        ("a.parquet", _parquet(), {"format": FileFormat.PARQUET}),
    ],
)  # fmt: skip
def test_a_file_of_any_format_becomes_rows(tmp_path: Path, name: str, content: bytes, facts: Mapping[str, Any]) -> None:
    with road(tmp_path, contract(), {"glob": "a.*", **facts}) as way:
        way.deliver_bytes(name, content)
        (settled,) = way.run()
        assert (settled.counts.accepted, way.titles()) == (2, TITLES)
        assert [str(fee) for (fee,) in way.values("silver.loans", "fee")] == ["1.50", "None"]


def test_objects_may_have_different_keys(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"loan": "1"}, {"title": "Emma", "loan": "2"}, {"loan": "3", "colour": {"r": 1}}]
    with road(tmp_path, contract(), {"glob": "*.ndjson", "format": FileFormat.NDJSON}) as way:
        way.deliver_bytes("a.ndjson", _ndjson(rows))
        way.run()
        assert way.values("bronze.desk", "loan", "title", "colour") == [
            ("1", None, None),
            ("2", "Emma", None),
            ("3", None, '{"r":1}'),
        ]


def test_a_line_that_is_no_object_is_quarantined_beside_the_rows(tmp_path: Path) -> None:
    with road(tmp_path, contract(), {"glob": "*.ndjson", "format": FileFormat.NDJSON}) as way:
        way.deliver_bytes("a.ndjson", b'{"loan": "1", "title": "Dune"}\n[1]\n{"loan":\n')
        way.run()
        assert way.titles() == {"1": "Dune"}
        assert way.refused() == [
            ("a.ndjson", 2, "parse", ["not_an_object"]),
            ("a.ndjson", 3, "parse", ["broken_json"]),
        ]


@pytest.mark.parametrize(
    ("format", "ending", "content"),
    [
        (FileFormat.PARQUET, "parquet", b"PAR1 and no more"),
        (FileFormat.JSON, "json", b'[{"loan": "1"}, '),
        (FileFormat.CSV, "csv.gz", gzip.compress(LINES * 9, mtime=0)[:-20]),
        (FileFormat.CSV, "csv.zst", b"not compressed at all"),
    ],
)
def test_a_corrupt_file_is_refused_whole(tmp_path: Path, format: FileFormat, ending: str, content: bytes) -> None:
    with road(tmp_path, contract(), {"glob": "*.*", "format": format}) as way:
        way.deliver_bytes(f"a.{ending}", content)
        assert refusals(way.take()) == [(f"a.{ending}", SourceError)]
        assert way.rows("bronze.desk") == way.rows("ledger.desk") == way.rows("quarantine.loans") == []


def test_a_broken_end_is_found_after_rows_were_staged_and_nothing_of_the_file_stays(tmp_path: Path) -> None:
    whole = gzip.compress(f"{HEADER}\n".encode() + b"1,Dune,,\n" * 200_000 + b"2,Emma\n")
    with road(tmp_path, contract()) as way:
        way.deliver("a.csv", "1,Dune,,")
        way.deliver_bytes("b.csv.gz", whole[:-4])
        way.deliver("c.csv", "3,Ulysses,,")
        assert refusals(way.take()) == [("b.csv.gz", SourceError)]
        assert way.values("bronze.desk", "_file", "_batch") == [("a.csv", 1), ("c.csv", 1)]
        assert way.values("ledger.desk", "path") == [("a.csv",), ("c.csv",)]
        assert way.rows("quarantine.loans") == []


def test_the_file_whose_name_begins_like_the_corrupt_one_is_not_blamed(tmp_path: Path) -> None:
    corrupt = gzip.compress(LINES * 100_000)[:-4]
    with road(tmp_path, contract()) as way:
        way.deliver("a.csv", "1,Dune,,")
        way.deliver_bytes("a.csv.gz", corrupt)
        assert refusals(way.take()) == [("a.csv.gz", SourceError)]
        assert way.values("ledger.desk", "path") == [("a.csv",)]
