"""Rows that come in are held to their contract, whatever bytes somebody sends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from penstock.spec.contract import Evolution
from penstock.sql.connection import connect
from penstock.stream.incoming import Incoming, Taken
from tests.stream.lending import lending

GOOD = b'{"loan": "L1", "member": "m", "lent": "2026-03-01T00:00:00Z", "fee": 1.50}'


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(threads=1) as opened:
        opened.execute("SET preserve_insertion_order = true")
        yield opened


def incoming_of(connection: duckdb.DuckDBPyConnection, root: Path, evolution: Evolution = Evolution.EVOLVE) -> Incoming:
    project = lending(root)
    topic, contract = project.streams.topics["loans_json"], replace(project.contracts["loans"], evolution=evolution)
    return Incoming(connection, topic, contract, tenant="t", pseudonym_key=b"k", domains={})


def taken(connection: duckdb.DuckDBPyConnection, root: Path, *values: bytes) -> Taken:
    return incoming_of(connection, root).take(batch(*values))


def batch(*values: bytes) -> pa.Table:
    offsets = range(len(values))
    return pa.table(
        {
            "value": pa.array(values, pa.binary()),
            "_partition": pa.array([0] * len(values), pa.int32()),
            "_offset": pa.array(offsets, pa.int64()),
        }
    )


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
        (GOOD.replace(b"{", b'{"": 7, '), ["nameless_key"]),
        (GOOD.replace(b"{", b'{"\\u0000": 7, '), ["nameless_key"]),
    ],
    ids=range(14),
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


def test_a_key_is_found_however_other_rows_of_the_batch_spell_it(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    spellings = [GOOD, GOOD.replace(b'"loan"', b'"LOAN"'), GOOD.replace(b'"loan"', b'"Loan"')]

    found = taken(connection, tmp_path, *spellings)

    assert found.rows["loan"].to_pylist() == ["L1"] * 3


@pytest.mark.parametrize(
    "key", ["_line", "_Offset", "_partition", "_source", "_tenant", "_file_version", "__texts", "__t0", "__discarded"]
)
def test_a_key_called_as_the_system_calls_something_stands_in_nobody_s_way(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, key: str
) -> None:
    odd = GOOD.replace(b"{", b'{"%s": 7, ' % key.encode())

    found = taken(connection, tmp_path, GOOD, odd, odd.replace(b"1.50", b'"x"'))

    assert [(row["_offset"], row["loan"], str(row["fee"])) for row in found.rows.to_pylist()] == [
        (0, "L1", "1.50"),
        (1, "L1", "1.50"),
    ]
    (refused,) = found.rejected.to_pylist()
    assert (refused["topic"], refused["partition"], refused["offset"]) == ("loans_json", 0, 2)


def test_a_text_that_is_empty_is_a_text(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    (found,) = taken(connection, tmp_path, GOOD.replace(b'"fee": 1.50', b'"title": ""')).rows.to_pylist()

    assert found["title"] == ""


def test_rows_of_ever_other_keys_are_held_to_the_same_contract(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    incoming = incoming_of(connection, tmp_path)

    for number in range(40):
        found = incoming.take(batch(GOOD.replace(b"{", b'{"key %d": 1, ' % number), GOOD.replace(b"1.50", b'"x"')))

        assert found.rows["loan"].to_pylist() == ["L1"]
        assert found.rejected["codes"].to_pylist() == [["type"]]
    assert queries(connection) == 3  # what judges, what checks, and what tells why a row is refused


def test_rows_of_ever_other_keys_are_left_out_where_the_contract_says_so(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    incoming = incoming_of(connection, tmp_path, Evolution.DISCARD_ROW)

    for number in range(40):
        found = incoming.take(batch(GOOD, GOOD.replace(b"{", b'{"key %d": 1, ' % number)))

        assert (found.rows["_offset"].to_pylist(), found.counts.filtered) == ([0], 1)
    assert queries(connection) <= 1 + 2 * 16


def queries(connection: duckdb.DuckDBPyConnection) -> int:
    """How many are planned."""
    ((many,),) = connection.sql("SELECT count(*) FROM duckdb_views() WHERE view_name LIKE 'held%'").fetchall()
    return int(many)


def test_batches_after_one_another_are_each_checked_as_they_are(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    incoming = incoming_of(connection, tmp_path)
    fees = [[b"1.50", b'"x"', b"2.50"], [b'"x"'], [], [b"3.50"], [b'"y"', b'"z"', b"4.50"]]

    for some in fees:
        found = incoming.take(batch(*(GOOD.replace(b"1.50", fee) for fee in some)))

        assert [str(fee).encode() for fee in found.rows["fee"].to_pylist()] == [fee for fee in some if len(fee) == 4]
        assert found.rejected["raw"].to_pylist() == [GOOD.replace(b"1.50", fee) for fee in some if len(fee) == 3]
