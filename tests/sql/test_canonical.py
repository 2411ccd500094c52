"""The canonical row hash is what its convention says, and what it was on the first day."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from penstock.spec.contract import LogicalType
from penstock.sql.canonical import HashField, canonical_text, row_hash_expression
from penstock.sql.connection import connect
from tests.sql.canonical_oracle import canonical, row_hash

SQL_TYPES = {
    LogicalType.STRING: "VARCHAR",
    LogicalType.INTEGER: "BIGINT",
    LogicalType.NUMBER: "DOUBLE",
    LogicalType.BOOLEAN: "BOOLEAN",
    LogicalType.DATE: "DATE",
    LogicalType.TIMESTAMP: "TIMESTAMPTZ",
}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TYPED = st.one_of(
    st.tuples(st.just(LogicalType.STRING), st.none() | TEXT),
    st.tuples(st.just(LogicalType.INTEGER), st.none() | st.integers(-(2**63), 2**63 - 1)),
    st.tuples(st.just(LogicalType.NUMBER), st.none() | st.floats(allow_nan=True, allow_infinity=True)),
    st.tuples(st.just(LogicalType.BOOLEAN), st.none() | st.booleans()),
    st.tuples(st.just(LogicalType.DATE), st.none() | st.dates()),
    st.tuples(st.just(LogicalType.TIMESTAMP), st.none() | st.datetimes(timezones=st.just(UTC))),
)


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return connect(threads=1)


def hashed(connection: duckdb.DuckDBPyConnection, tenant: str, typed: Sequence[tuple[LogicalType, object]]) -> str:
    fields = [HashField(f"c{i}", kind, f"CAST(${i + 1} AS {SQL_TYPES[kind]})") for i, (kind, _) in enumerate(typed)]
    values = [value for _, value in typed]
    rows = connection.execute(f"SELECT {row_hash_expression(tenant, fields)}", values).fetchall()
    return str(rows[0][0])


@settings(max_examples=300, deadline=None)
@given(tenant=TEXT, typed=st.lists(TYPED, min_size=1, max_size=8))
@example(tenant="", typed=[(LogicalType.STRING, "a\x00b")])
@example(tenant="", typed=[(LogicalType.NUMBER, math.copysign(math.nan, -1.0))])
@example(tenant="t", typed=[(LogicalType.NUMBER, -0.0), (LogicalType.NUMBER, 1e16), (LogicalType.NUMBER, 5e-324)])
def test_the_hash_in_sql_is_the_hash_of_the_convention(
    connection: duckdb.DuckDBPyConnection, tenant: str, typed: list[tuple[LogicalType, object]]
) -> None:
    assert hashed(connection, tenant, typed) == row_hash(tenant, {f"c{i}": v for i, (_, v) in enumerate(typed)})


@settings(max_examples=200, deadline=None)
@given(data=st.data(), scale=st.integers(0, 38), extra=st.integers(0, 38))
def test_a_decimal_has_one_text_whatever_its_scale(
    connection: duckdb.DuckDBPyConnection, data: st.DataObject, scale: int, extra: int
) -> None:
    precision = max(1, min(38, scale + extra))
    unscaled = data.draw(st.integers(-(10**precision) + 1, 10**precision - 1))
    digits = tuple(map(int, str(abs(unscaled))))
    value = Decimal((int(unscaled < 0), digits, -scale))
    expression = f"CAST('{value:f}' AS DECIMAL({precision},{scale}))"
    texts = [canonical_text(LogicalType.DECIMAL, expression, size) for size in (None, (precision, scale))]
    assert connection.execute(f"SELECT {', '.join(texts)}").fetchall() == [(canonical(value), canonical(value))]


def test_hashes_are_what_they_were_on_the_first_day(connection: duckdb.DuckDBPyConnection) -> None:
    typed = [
        (LogicalType.STRING, "tea 🍵"),
        (LogicalType.INTEGER, -42),
        (LogicalType.NUMBER, 0.1),
        (LogicalType.BOOLEAN, True),
        (LogicalType.DATE, date(2024, 2, 29)),
        (LogicalType.TIMESTAMP, datetime(2011, 12, 9, 12, 50, tzinfo=UTC)),
        (LogicalType.STRING, None),
    ]
    assert hashed(connection, "default", typed) == "0e239ab2a338ef4255ae92eb754fb9f0c98b3fe1fa19cb3c802361727ad7d327"
    assert (
        hashed(connection, "default", [(LogicalType.STRING, None)])
        == "5ac284aa2f6954194993141f1a95f92dbb23f3683c8e82b774a3999233a8a008"
    )
    assert (
        hashed(connection, "default", [(LogicalType.STRING, "")])
        == "99f3428a6b2b961fab8e38ea357b9410460d52f0ad4622c4b87974ad10eada47"
    )


def test_neither_order_nor_rename_nor_an_added_null_changes_a_hash(connection: duckdb.DuckDBPyConnection) -> None:
    a, b = HashField("a", LogicalType.STRING, "'x'"), HashField("b", LogicalType.INTEGER, "7")
    added = HashField("aa", LogicalType.STRING, "CAST(NULL AS VARCHAR)")
    sql = ", ".join(row_hash_expression("t", fields) for fields in ([a, b], [b, a], [a, added, b]))
    assert len(set(connection.execute(f"SELECT {sql}").fetchall()[0])) == 1


def test_a_row_may_have_thousands_of_columns(connection: duckdb.DuckDBPyConnection) -> None:
    typed = [(LogicalType.STRING, f"value {number}") for number in range(3_000)]
    assert hashed(connection, "default", typed) != hashed(connection, "default", typed[1:])
