"""The types of model columns: DuckDB's, Iceberg's and our own names for them."""

from __future__ import annotations

import re

from penstock.spec.contract import LogicalType

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
_LOGICAL = {
    "TINYINT": LogicalType.INTEGER,
    "SMALLINT": LogicalType.INTEGER,
    "INTEGER": LogicalType.INTEGER,
    "BIGINT": LogicalType.INTEGER,
    "HUGEINT": LogicalType.INTEGER,
    "FLOAT": LogicalType.NUMBER,
    "DOUBLE": LogicalType.NUMBER,
    "BOOLEAN": LogicalType.BOOLEAN,
    "DATE": LogicalType.DATE,
    "TIMESTAMP WITH TIME ZONE": LogicalType.TIMESTAMP,
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


def logical_type(duckdb_type: str) -> LogicalType:
    """How the canonical hash writes a value of a DuckDB type; as text where it has no rule of its own."""
    if _DECIMAL.fullmatch(duckdb_type) is not None:
        return LogicalType.DECIMAL
    return _LOGICAL.get(duckdb_type, LogicalType.STRING)
