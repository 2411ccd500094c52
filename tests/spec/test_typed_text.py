"""Bounds and permitted values: what they mean is what DuckDB makes of their canonical text."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.spec.contract import LogicalType
from penstock.spec.reading_formats import is_time_format, is_timezone
from penstock.spec.typed_text import typed_text

SQL_TYPES = {
    LogicalType.STRING: "VARCHAR",
    LogicalType.INTEGER: "BIGINT",
    LogicalType.NUMBER: "DOUBLE",
    LogicalType.DECIMAL: "DECIMAL(12,4)",
    LogicalType.BOOLEAN: "BOOLEAN",
    LogicalType.DATE: "DATE",
    LogicalType.TIMESTAMP: "TIMESTAMPTZ",
}
TEXTS = (
    st.integers(-(2**65), 2**65).map(str)
    | st.decimals(allow_nan=True, allow_infinity=True, places=5).map(str)
    | st.floats().map(repr)
    | st.dates().map(str)
    | st.datetimes(timezones=st.none() | st.just(UTC)).map(str)
    | st.sampled_from(["true", "false", "yes", "", "1e3", "1e400", "2011-02-29", "٣", "2020-01-01T00:00:00+02:00"])
)


@given(st.sampled_from(list(LogicalType)), TEXTS)
def test_a_value_survives_the_cast_that_rows_are_compared_by(kind: LogicalType, text: str) -> None:
    typed = typed_text(kind, text, precision=12, scale=4)

    if typed is not None:
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        ((value,),) = connection.execute(f"SELECT ?::{SQL_TYPES[kind]}", [typed.text]).fetchall()
        assert value == typed.value
        again = typed_text(kind, typed.text, precision=12, scale=4)
        assert again == typed


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (LogicalType.INTEGER, "1.5"),
        (LogicalType.INTEGER, "9223372036854775808"),
        (LogicalType.NUMBER, "NaN"),
        (LogicalType.NUMBER, "1e400"),
        (LogicalType.DECIMAL, "1.23456"),
        (LogicalType.DECIMAL, "123456789"),
        (LogicalType.BOOLEAN, "yes"),
        (LogicalType.DATE, "2011-02-29"),
        (LogicalType.DATE, "20110228"),
        (LogicalType.TIMESTAMP, "yesterday"),
        (LogicalType.TIMESTAMP, "0001-01-01T00:00:00+14:00"),
    ],
)
def test_what_is_not_of_the_type_is_refused(kind: LogicalType, text: str) -> None:
    assert typed_text(kind, text, precision=12, scale=4) is None


def test_a_timestamp_without_an_offset_is_utc() -> None:
    typed = typed_text(LogicalType.TIMESTAMP, "2020-01-01T12:00:00")

    assert typed is not None
    assert typed.value == datetime(2020, 1, 1, 12, tzinfo=UTC)
    assert typed.text == "2020-01-01 12:00:00+00:00"


def test_decimals_compare_exactly() -> None:
    low = typed_text(LogicalType.DECIMAL, "0.1", precision=12, scale=4)
    high = typed_text(LogicalType.DECIMAL, "0.1001", precision=12, scale=4)

    assert low is not None
    assert high is not None
    assert low.value < high.value
    assert low.value == Decimal("0.1")


@pytest.mark.parametrize("directive", "aAbBcdfgHIjmMnpSUVwWxXyYzZGuQEkls%")
def test_a_time_format_is_accepted_only_if_rows_can_be_read_by_it(directive: str) -> None:
    text = f"%Y-%m-%d %{directive}"

    if is_time_format(text):
        duckdb.execute("SELECT try_strptime('2020-01-01', ?)", [text]).fetchall()
    else:
        with pytest.raises(duckdb.Error):
            duckdb.execute("SELECT try_strptime('2020-01-01', ?)", [text]).fetchall()


@pytest.mark.parametrize(
    ("name", "known"), [("UTC", True), ("Europe/London", True), ("Europe", False), ("../UTC", False), ("a\0b", False)]
)
def test_time_zones_are_known_by_name(name: str, known: bool) -> None:
    assert is_timezone(name) is known
