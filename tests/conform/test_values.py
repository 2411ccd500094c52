"""Every value is accepted or refused exactly as a plain Python reading of the rules says."""

from __future__ import annotations

import json
from datetime import datetime

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.conform.batch import Conformer
from penstock.spec.contract import Contract, Format, LogicalType
from penstock.spec.source import Reading
from penstock.sql.connection import connect
from tests.conform import dirt, oracle
from tests.conform.declared import bronze, column, contract
from tests.sql.canonical_oracle import row_hash


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return connect(threads=1)


def outcome(
    connection: duckdb.DuckDBPyConnection, declared: Contract, reading: Reading, rows: list[dict[str, str | None]]
) -> dict[int, tuple[dict[str, object], list[str]]]:
    """By line: the typed row or nothing, and the codes."""
    found = Conformer(declared, reading, tenant="default", pseudonym_key=b"k").check(
        connection, bronze(connection, rows, columns=[c.name for c in declared.columns])
    )
    assert found.counts.balanced
    names = [c.name for c in declared.columns]
    quoted = ", ".join(f'"{name}"' for name in names)
    accepted = connection.execute(f"SELECT _line, {quoted} FROM {found.accepted}").fetchall()
    rejected = connection.execute(f"SELECT _line, reasons FROM {found.rejected}").fetchall()
    found.drop(connection)
    result: dict[int, tuple[dict[str, object], list[str]]] = {
        line: (dict(zip(names, values, strict=True)), []) for line, *values in accepted
    }
    result |= {line: ({}, [reason["code"] for reason in json.loads(reasons)]) for line, reasons in rejected}
    return result


@settings(max_examples=150)
@given(data=st.data(), reading=dirt.READINGS, size=st.integers(1, 4))
def test_random_dirt_under_random_contracts_meets_the_fate_of_the_oracle(
    connection: duckdb.DuckDBPyConnection, data: st.DataObject, reading: Reading, size: int
) -> None:
    declared = contract(*[data.draw(dirt.columns(f"c {i}")) for i in range(size)])
    cells = st.fixed_dictionaries({c.name: dirt.DIRT for c in declared.columns})
    rows = data.draw(st.lists(cells, min_size=1, max_size=30))
    zoned = reading.timezone != "UTC"
    rows = [row for row in rows if not zoned or all(map(dirt.is_sure, row.values()))]
    found = outcome(connection, declared, reading, rows)
    for line, row in enumerate(rows, 2):
        values, codes = oracle.judge(declared, reading, row)
        assert found[line] == ({} if codes else values, codes), row


@settings(max_examples=60)
@given(data=st.data(), size=st.integers(1, 4))
def test_the_row_hash_is_the_canonical_hash_of_the_typed_values(
    connection: duckdb.DuckDBPyConnection, data: st.DataObject, size: int
) -> None:
    columns = [column("key"), *[data.draw(dirt.columns(f"c{i}")) for i in range(size)]]
    cells = {c.name: dirt.clean(c.type) | dirt.DIRT for c in columns[1:]} | {"key": st.text("ab", min_size=1)}
    rows = data.draw(st.lists(st.fixed_dictionaries(cells), min_size=1, max_size=10))
    declared = contract(*columns, key=["key"])
    found = Conformer(declared, Reading(), tenant="default", pseudonym_key=b"k").check(
        connection, bronze(connection, rows)
    )
    for line, hashed in connection.execute(f"SELECT _line, _row_hash FROM {found.accepted}").fetchall():
        values, _ = oracle.judge(declared, Reading(), rows[line - 2])
        assert hashed == row_hash("default", {c.id: values[c.name] for c in columns})
    found.drop(connection)


SIZES = {"precision": 10, "scale": 2}


@pytest.mark.parametrize("zone", dirt.ZONES)
@pytest.mark.parametrize("type", LogicalType)
def test_every_known_oddity_is_read_as_the_oracle_reads_it(
    connection: duckdb.DuckDBPyConnection, type: LogicalType, zone: str
) -> None:
    facts = SIZES if type is LogicalType.DECIMAL else {}
    declared, reading = contract(column("c", type, **facts)), Reading(timezone=zone)
    rows: list[dict[str, str | None]] = [{"c": text} for text in dirt.ODDITIES if zone == "UTC" or dirt.is_sure(text)]
    found = outcome(connection, declared, reading, rows)
    for line, row in enumerate(rows, 2):
        values, codes = oracle.judge(declared, reading, row)
        assert found[line] == ({} if codes else values, codes), row


@settings(max_examples=60)
@given(data=st.data(), type=st.sampled_from([t for t in LogicalType if t is not LogicalType.STRING]))
def test_values_written_by_a_well_behaved_system_are_accepted(
    connection: duckdb.DuckDBPyConnection, data: st.DataObject, type: LogicalType
) -> None:
    facts = SIZES if type is LogicalType.DECIMAL else {}
    declared, reading = contract(column("c", type, **facts)), Reading()
    texts = data.draw(st.lists(dirt.clean(type), min_size=1, max_size=20))
    found = outcome(connection, declared, reading, [{"c": text} for text in texts])
    for line, text in enumerate(texts, 2):
        assert found[line] == (oracle.judge(declared, reading, {"c": text})[0], []), text


@pytest.mark.parametrize("format", Format)
def test_every_known_oddity_has_a_format_as_the_oracle_says(
    connection: duckdb.DuckDBPyConnection, format: Format
) -> None:
    declared = contract(column("c", format=format))
    rows: list[dict[str, str | None]] = [{"c": text} for text in dirt.ODDITIES]
    found = outcome(connection, declared, Reading(null_values=()), rows)
    assert {line for line, (_, codes) in found.items() if not codes} == {
        line for line, row in enumerate(rows, 2) if oracle.is_format(format, str(row["c"]))
    }


@settings(max_examples=60)
@given(texts=st.lists(st.text("0123456789abf:.", max_size=24) | st.ip_addresses(v=6).map(str), min_size=1, max_size=60))
def test_internet_addresses_are_those_of_the_standard_library(
    connection: duckdb.DuckDBPyConnection, texts: list[str]
) -> None:
    for format in (Format.IPV4, Format.IPV6):
        declared = contract(column("c", format=format))
        found = outcome(connection, declared, Reading(null_values=()), [{"c": text} for text in texts])
        assert [not found[line][1] for line in range(2, len(texts) + 2)] == [
            oracle.is_format(format, text) for text in texts
        ]


def test_a_megabyte_is_a_value_like_any_other(connection: duckdb.DuckDBPyConnection) -> None:
    big = "ä" * 500_000
    declared = contract(column("s", pattern="^ä+$"), column("n", LogicalType.INTEGER))
    found = outcome(connection, declared, Reading(), [{"s": big, "n": "1"}, {"s": big, "n": big}])
    assert found == {2: ({"s": big, "n": 1}, []), 3: ({}, ["type"])}


@pytest.mark.parametrize(
    ("format", "text", "expected"),
    [
        ("%d/%m/%Y %H:%M", "29/02/2024 10:05", "2024-02-29T10:05:00+00:00"),
        ("%d/%m/%Y %H:%M", "29/02/2023 10:05", "type"),
        ("%d/%m/%Y %H:%M", "29/02/24 10:05", "type"),
        ("%d.%m.%Y %H:%M %z", "01.01.2024 00:30 +0100", "2023-12-31T23:30:00+00:00"),
        ("%m/%d/%y %I:%M %p", "12/01/10 8:26 PM", "2010-12-01T20:26:00+00:00"),
    ],
)
def test_a_declared_timestamp_format_is_kept_to(
    connection: duckdb.DuckDBPyConnection, format: str, text: str, expected: str
) -> None:
    declared = contract(column("t", LogicalType.TIMESTAMP))
    values, codes = outcome(connection, declared, Reading(timestamp_format=format), [{"t": text}])[2]
    assert [*codes, *values.values()] == [datetime.fromisoformat(expected) if "T" in expected else expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("31/03/2024 01:30", "local_time"),
        ("27/10/2024 01:30", "2024-10-27T00:30:00+00:00"),
        ("27/10/2024 02:00", "2024-10-27T02:00:00+00:00"),
    ],
)
def test_a_declared_format_is_local_time_of_the_declared_zone(
    connection: duckdb.DuckDBPyConnection, text: str, expected: str
) -> None:
    declared = contract(column("t", LogicalType.TIMESTAMP))
    reading = Reading(timestamp_format="%d/%m/%Y %H:%M", timezone="Europe/London")
    values, codes = outcome(connection, declared, reading, [{"t": text}])[2]
    assert [*codes, *values.values()] == [datetime.fromisoformat(expected) if "T" in expected else expected]


@pytest.mark.parametrize(
    ("format", "text", "expected"),
    [
        ("%d.%m.%Y", "29.02.2024", "2024-02-29"),
        ("%d.%m.%Y", "30.02.2024", "type"),
        ("%d.%m.%Y", "01.01.24", "type"),
        ("%Y-%m-%d %H:%M", "2024-01-01 00:00", "2024-01-01"),
        ("%Y-%m-%d %H:%M", "2024-01-01 10:00", "type"),
        ("%d.%m.%Y", "01.01.0000", "range"),
    ],
)
def test_a_declared_date_format_is_kept_to(
    connection: duckdb.DuckDBPyConnection, format: str, text: str, expected: str
) -> None:
    declared = contract(column("d", LogicalType.DATE))
    values, codes = outcome(connection, declared, Reading(date_format=format), [{"d": text}])[2]
    assert (codes or [str(values["d"])]) == [expected]
