"""Values in the store, in parameters and in answers are the same values: DuckDB is the oracle."""

from __future__ import annotations

from datetime import UTC, date
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.release.text import value_text
from penstock.serve.kind import kind_named, kind_of, sortable
from penstock.sql.connection import connect


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return connect(threads=1)


def stored_and_shown(connection: duckdb.DuckDBPyConnection, kind: str, value: object) -> tuple[Any, str]:
    """What the store holds of a value of a DuckDB type, and its text in answers."""
    sql = f"SELECT {kind_of(kind).sql('v')}, {value_text('v', kind).text} FROM (SELECT CAST(? AS {kind}) AS v)"
    ((stored, shown),) = connection.execute(sql, [value]).fetchall()
    return stored, shown


VALUES = {
    "VARCHAR": st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
    "BIGINT": st.integers(-(1 << 63), (1 << 63) - 1),
    "DECIMAL(38,9)": st.decimals(
        allow_nan=False, allow_infinity=False, places=9, min_value=-(10**28), max_value=10**28
    ),
    "DECIMAL(4,4)": st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value="-.9999", max_value=".9999"),
    "DECIMAL(38,0)": st.decimals(
        allow_nan=False, allow_infinity=False, places=0, min_value=-(10**37), max_value=10**37
    ),
    "DOUBLE": st.floats(allow_nan=False, allow_infinity=False),
    "BOOLEAN": st.booleans(),
    "DATE": st.dates(),
    "TIMESTAMP WITH TIME ZONE": st.datetimes(timezones=st.just(UTC)),
}


@pytest.mark.parametrize("kind", VALUES)
@given(data=st.data())
def test_a_value_is_found_by_the_text_that_answers_show(
    kind: str, data: st.DataObject, connection: duckdb.DuckDBPyConnection
) -> None:
    stored, shown = stored_and_shown(connection, kind, data.draw(VALUES[kind]))

    assert kind_of(kind).parse(shown) == stored


@pytest.mark.parametrize("kind", [kind for kind in VALUES if kind_of(kind).names_rows])
@given(data=st.data())
def test_a_key_is_found_by_the_text_that_answers_show(
    kind: str, data: st.DataObject, connection: duckdb.DuckDBPyConnection
) -> None:
    _, shown = stored_and_shown(connection, kind, data.draw(VALUES[kind]))

    assert kind_of(kind).key(shown) == shown


@given(st.lists(VALUES["DECIMAL(38,9)"], min_size=2, max_size=2))
def test_decimals_sort_as_text_as_they_do_as_numbers(pair: list[Decimal]) -> None:
    one, other = pair

    assert (sortable(one, 9) < sortable(other, 9)) == (one < other)
    assert (sortable(one, 9) == sortable(other, 9)) == (one == other)


@given(st.text(max_size=20))
def test_a_text_that_is_no_value_is_none_and_never_an_error(text: str) -> None:
    for name in ("integer", "number", "boolean", "date", "instant", "decimal(10,2)", "binary", "list"):
        kind_named(name).parse(text)


@pytest.mark.parametrize(
    ("kind", "text", "key"),
    [
        ("integer", "-0", "0"),
        ("decimal(4,2)", "-0", "0.00"),
        ("decimal(4,2)", "1.500", "1.50"),
        ("decimal(4,2)", "100", None),
        ("date", "2024-01-01", "2024-01-01"),
        ("date", "24-1-1", None),
        ("text", "", ""),
    ],
)
def test_one_key_written_in_two_ways_is_one_key(kind: str, text: str, key: str | None) -> None:
    assert kind_named(kind).key(text) == key


@given(st.dates(), st.dates())
def test_dates_sort_as_text(one: date, other: date) -> None:
    parse = kind_named("date").parse

    assert (str(parse(one.isoformat())) < str(parse(other.isoformat()))) == (one < other)


def test_a_32_bit_number_is_found_as_it_is_shown(connection: duckdb.DuckDBPyConnection) -> None:
    assert stored_and_shown(connection, "FLOAT", 0.1) == (0.1, "0.1")
