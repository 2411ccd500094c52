"""The tables that a statement reads."""

from __future__ import annotations

from functools import lru_cache

import sqlglot
from sqlglot import exp


@lru_cache(maxsize=1024)
def tables_of(sql: str) -> tuple[str, ...]:
    """Every table with its schema, by name; what has none is of the statement itself.

    >>> tables_of("WITH a AS (FROM gold.orders) SELECT * FROM a JOIN silver.stores USING (store)")
    ('gold.orders', 'silver.stores')
    """
    tables = sqlglot.parse_one(sql, dialect="duckdb").find_all(exp.Table)
    return tuple(sorted({f"{one.db}.{one.name}" for one in tables if one.db}))
