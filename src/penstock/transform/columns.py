"""The types of model columns: DuckDB's names for them and Iceberg's."""

from __future__ import annotations

import re

_LAKE = {
    "VARCHAR": "string",
    "INTEGER": "int",
    "BIGINT": "long",
    "DOUBLE": "double",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "BLOB": "binary",
    "VARCHAR[]": "list<string>",
}
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")


def lake_type(duckdb_type: str) -> str | None:
    """The Iceberg type of a column of a DuckDB type, None where it must be cast first.

    >>> lake_type("DECIMAL(18,4)"), lake_type("HUGEINT")
    ('decimal(18,4)', None)
    """
    decimal = _DECIMAL.fullmatch(duckdb_type)
    if decimal is not None:
        return f"decimal({decimal[1]},{decimal[2]})"
    return _LAKE.get(duckdb_type)
