"""Rows that come in are held to their contract, whatever bytes somebody sends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from penstock.sql.connection import connect
from penstock.stream.incoming import Incoming, Taken
from tests.stream.lending import lending

GOOD = b'{"loan": "L1", "member": "m", "lent": "2026-03-01T00:00:00Z", "fee": 1.50}'


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(threads=1) as opened:
        opened.execute("SET preserve_insertion_order = true")
        yield opened


def taken(connection: duckdb.DuckDBPyConnection, root: Path, *values: bytes) -> Taken:
    project = lending(root)
    topic, contract = project.streams.topics["loans_json"], project.contracts["loans"]
    incoming = Incoming(connection, topic, contract, tenant="t", pseudonym_key=b"k", domains={})
    offsets = range(len(values))
    rows = pa.table(
        {
            "value": pa.array(values, pa.binary()),
            "_partition": pa.array([0] * len(values), pa.int32()),
            "_offset": pa.array(offsets, pa.int64()),
        }
    )
    return incoming.take(rows)


@pytest.mark.parametrize(
    ("poison", "codes"),
    [
        (b"\xff\xfe", ["undecodable"]),
        (b'{"loan": "L1"', ["broken_json"]),
        (b"[" * 100_000, ["broken_json"]),
        (b"[" * 100_000 + b"]" * 100_000, ["not_an_object"]),
        (b"null", ["not_an_object"]),
        (b'{"loan": "L1", "loan": "L2"}', ["duplicate_key"]),
        (b'{"loan": "' + b"x" * (10 << 20) + b'"}', ["line_too_long"]),
        (GOOD.replace(b"1.50", b"1e400"), ["type"]),
        (GOOD.replace(b"1.50", b"12345678901234567.25"), ["inexact_number"]),
        (GOOD.replace(b"1.50", b"1.505"), ["scale"]),
        (GOOD.replace(b"2026-03-01T00:00:00Z", b"soon"), ["type"]),
        (b"{}", ["required", "required", "required"]),
    ],
    ids=range(12),
)
def test_poison_is_kept_with_its_bytes_and_a_reason_beside_good_rows(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, poison: bytes, codes: list[str]
) -> None:
    found = taken(connection, tmp_path, GOOD, poison, GOOD)

    (refused,) = found.rejected.to_pylist()
    assert (refused["offset"], refused["codes"], refused["raw"]) == (1, codes, poison)
    assert found.rows["_offset"].to_pylist() == [0, 2]
    assert (found.counts.accepted, found.counts.quarantined, found.counts.balanced) == (2, 1, True)


def test_keys_are_found_as_headers_of_files_are(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    row = GOOD.replace(b'"loan"', b'"Loan"').replace(b'"fee"', b'"FEE"')

    (found,) = taken(connection, tmp_path, row).rows.to_pylist()

    assert (found["loan"], str(found["fee"]), found["title"]) == ("L1", "1.50", None)


def test_a_text_that_is_empty_is_a_text(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    (found,) = taken(connection, tmp_path, GOOD.replace(b'"fee": 1.50', b'"title": ""')).rows.to_pylist()

    assert found["title"] == ""
