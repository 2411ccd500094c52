"""Hash keys and hash diffs: the published convention, its golden values, and the moments a row must have."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import duckdb
import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vault.macros import render
from tests.vault.oracle import UNKNOWN, hash_diff, hash_key


@cache
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def computed(call: str, row: Mapping[str, tuple[str, Any]], *, time_zone: str = "UTC") -> str:
    """The value of an expression over one row, whose columns are given as type and value."""
    columns = ", ".join(
        f"CAST(${number} AS {type}) AS {name}" for number, (name, (type, _)) in enumerate(row.items(), 1)
    )
    connection().execute(f"SET TimeZone = '{time_zone}'")
    query = f"SELECT {render(call)} FROM (SELECT {columns})"
    return str(connection().execute(query, [value for _, value in row.values()]).fetchall()[0][0])


TENANT = {"tenant": ("VARCHAR", "default")}
VALUES = {
    "VARCHAR": st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "HUGEINT": st.integers(-(2**100), 2**100),
    "BOOLEAN": st.booleans(),
    "DATE": st.dates(),
    "DOUBLE": st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15).map(lambda x: x + 0.0),
    "TIMESTAMPTZ": st.datetimes(timezones=st.just(UTC)),
    "DECIMAL(18,4)": st.decimals(-(10**13), 10**13, places=4),
    "DECIMAL(4,4)": st.decimals("-0.9999", "0.9999", places=4),
    "DECIMAL(18,0)": st.decimals(-(10**17), 10**17, places=0),
}
typed_values = st.sampled_from(sorted(VALUES)).flatmap(
    lambda type: st.tuples(st.just(type), st.none() | VALUES[type].filter(lambda value: value is not None))
)


@settings(max_examples=150, deadline=None)
@given(first=typed_values, second=typed_values)
def test_a_hash_key_is_that_of_the_convention_whatever_the_type(
    first: tuple[str, Any], second: tuple[str, Any]
) -> None:
    found = computed("vault_hash_key('loan', ['a', 'b'])", {**TENANT, "a": first, "b": second})

    assert found == hash_key("default", "loan", first[1], second[1])


@settings(max_examples=100, deadline=None)
@given(first=typed_values, second=typed_values, deleted=st.booleans())
def test_a_hash_diff_is_the_canonical_row_hash(first: tuple[str, Any], second: tuple[str, Any], deleted: bool) -> None:
    row = {**TENANT, "name": first, "Fee": second, "gone": ("BOOLEAN", deleted)}
    found = computed("vault_hash_diff(['name', 'Fee'], deleted='gone')", row)

    assert found == hash_diff("default", {"name": first[1], "Fee": second[1]}, deleted)


@pytest.mark.parametrize(
    ("call", "golden"),
    [
        ("vault_hash_key('member', ['id'])", "fd24f1e26713e0195cb9ca546680ad4a0e103dffbb0d59a1251c1021c35c3da9"),
        ("vault_hash_key('member', ['number'])", "d14fb596545d06e15e02bd892a7a340ff81bfd6fcb949f914fbfed4fea819991"),
        (
            "vault_hash_key('loan', ['id', 'number'])",
            "55790627f7cc56f64161ecb600a1de0b7af969cbce729b0a9c1e6340bf627810",
        ),
        (
            "vault_hash_key('loan', ['id', 'nothing'])",
            "d4354f36d2d831c55707d4a83f114d3c38ad191df7828f5207014b2d9cb09c40",
        ),
        ("vault_hash_key('member', ['nothing'])", UNKNOWN),
        (
            "vault_hash_diff(['id', 'number', 'fee', 'born', 'seen', 'active'], deleted='false')",
            "960671ec47b719c2743f5b3ed47ef2d7364d84878c9c9729fdee4eb904e75edd",
        ),
        (
            "vault_hash_diff(['id', 'nothing'], deleted='true')",
            "f3d3171205d00739d9dcf703c94b6404100b1043f5fb120613bd68d5814159a3",
        ),
    ],
)
def test_the_golden_values_stand(call: str, golden: str) -> None:
    row = {
        "tenant": ("VARCHAR", "default"),
        "id": ("VARCHAR", "M-1 é"),
        "number": ("BIGINT", 42),
        "fee": ("DECIMAL(18,4)", Decimal("1.5000")),
        "born": ("DATE", date(1990, 12, 31)),
        "seen": ("TIMESTAMPTZ", datetime(2026, 1, 31, 12, 30, tzinfo=UTC)),
        "active": ("BOOLEAN", True),
        "nothing": ("VARCHAR", None),
    }

    assert computed(call, row) == golden
    assert computed(call, row, time_zone="Asia/Kolkata") == golden


def test_neither_the_order_of_columns_nor_a_null_one_nor_a_flag_that_is_false_changes_a_hash_diff() -> None:
    row = {**TENANT, "a": ("VARCHAR", "x"), "b": ("INTEGER", 1), "c": ("DATE", None), "gone": ("BOOLEAN", False)}

    first = computed("vault_hash_diff(['a', 'b'], deleted='false')", row)

    assert computed("vault_hash_diff(['c', 'b', 'a'], deleted='gone')", row) == first


@pytest.mark.parametrize("missing", ["applied_at", "loaded_at"])
def test_a_row_without_a_moment_stops_the_build(missing: str) -> None:
    connection().execute(
        "CREATE OR REPLACE TABLE feed AS SELECT 'default' AS tenant, 'M-1' AS member_id, 'Ann' AS name,"
        " now() AS applied_at, now() AS loaded_at, 'desk' AS record_source"
    )
    connection().execute(f"UPDATE feed SET {missing} = NULL")

    with pytest.raises(duckdb.Error, match=f"its column {missing} is null"):
        connection().execute(render("vault_satellite('member', key=['member_id'], payload=['name'], sources='feed')"))


def test_a_payload_cannot_have_a_column_of_the_vaults_own() -> None:
    call = "vault_satellite('member', key=['member_id'], payload=['is_deleted'], sources='feed')"

    with pytest.raises(jinja2.TemplateError, match="is_deleted"):
        render(call)
