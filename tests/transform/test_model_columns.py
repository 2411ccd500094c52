"""Which column types can be released."""

from __future__ import annotations

import pytest

from penstock.spec.contract import LogicalType
from penstock.transform.columns import lake_type, logical_type


@pytest.mark.parametrize(
    ("duckdb_type", "expected"),
    [
        ("VARCHAR", "string"),
        ("BIGINT", "long"),
        ("INTEGER", "int"),
        ("DECIMAL(38,4)", "decimal(38,4)"),
        ("TIMESTAMP WITH TIME ZONE", "timestamptz"),
        ("VARCHAR[]", "list<string>"),
        ("HUGEINT", None),
        ("TIMESTAMP", None),
        ("STRUCT(a INTEGER)", None),
    ],
)
def test_a_type_is_released_as_the_iceberg_type_of_the_same_values(duckdb_type: str, expected: str | None) -> None:
    assert lake_type(duckdb_type) == expected


@pytest.mark.parametrize(
    ("duckdb_type", "expected"),
    [("DECIMAL(5,2)", LogicalType.DECIMAL), ("HUGEINT", LogicalType.INTEGER), ("INTERVAL", LogicalType.STRING)],
)
def test_a_type_without_a_canonical_form_is_hashed_as_text(duckdb_type: str, expected: LogicalType) -> None:
    assert logical_type(duckdb_type) is expected
