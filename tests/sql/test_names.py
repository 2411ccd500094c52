"""Whatever a name or value contains, it stays one name or one value."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import example, given, settings
from hypothesis import strategies as st

from penstock.sql.connection import connect
from penstock.sql.names import literal, quote

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
CONNECTION = connect(threads=1)


@settings(max_examples=200, deadline=None)
@given(
    value=TEXT | st.binary() | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False) | st.none()
)
@example("a'b\x00c''; --")
def test_a_literal_reads_back_as_the_value(value: str | bytes | int | bool | float | None) -> None:
    assert CONNECTION.execute(f"SELECT {literal(value)}").fetchall() == [(value,)]


def test_a_decimal_literal_is_exact() -> None:
    assert CONNECTION.execute(f"SELECT {literal(Decimal('1E-7'))}").fetchall() == [(Decimal("0.0000001"),)]


@settings(max_examples=100, deadline=None)
@given(name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1))
def test_a_quoted_identifier_is_one_identifier(name: str) -> None:
    CONNECTION.execute(f"CREATE OR REPLACE TEMP TABLE t ({quote(name)} INTEGER)")
    assert [column[0] for column in CONNECTION.execute("SELECT * FROM t").description] == [name]
