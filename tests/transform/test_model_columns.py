"""Which column types can be released."""

from __future__ import annotations

import pytest

from penstock.transform.columns import lake_type


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
