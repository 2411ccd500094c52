"""A pseudonym is RFC 2104's HMAC, so anyone who holds the key can make it in any language."""

from __future__ import annotations

import hashlib
import hmac

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from penstock.spec.contract import LogicalType
from penstock.sql.connection import connect
from penstock.sql.pseudonym import hmac_sha256_expression, pseudonym_expression
from tests.sql.canonical_oracle import net

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return connect(threads=1)


@settings(max_examples=200, deadline=None)
@given(key=st.binary(max_size=150), text=TEXT)
@example(key=b"k" * 64, text="")
@example(key=b"k" * 65, text="\x00")
def test_sql_agrees_with_the_standard_library(connection: duckdb.DuckDBPyConnection, key: bytes, text: str) -> None:
    rows = connection.execute(f"SELECT {hmac_sha256_expression(key, '$1')}", [text]).fetchall()
    assert rows[0][0] == hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def test_a_null_has_no_pseudonym(connection: duckdb.DuckDBPyConnection) -> None:
    expression = hmac_sha256_expression(b"key", "CAST(NULL AS VARCHAR)")
    assert connection.execute(f"SELECT {expression}").fetchall() == [(None,)]


def test_a_pseudonym_depends_on_tenant_domain_and_value_and_is_golden(connection: duckdb.DuckDBPyConnection) -> None:
    expression = pseudonym_expression(
        b"test key", tenant="default", domain="customer", type=LogicalType.INTEGER, expression="17850"
    )
    found = connection.execute(f"SELECT {expression}").fetchall()[0][0]
    message = net("default") + net("customer") + net("17850")
    assert found == hmac.new(b"test key", message.encode(), hashlib.sha256).hexdigest()
    assert found == "42c071aed2f6035e43878b4687a212e496604e514f6037cf3f801fb93b9aa37a"
