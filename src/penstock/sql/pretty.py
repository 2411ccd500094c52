"""SQL as a person reads it."""

from __future__ import annotations

import sqlglot
from sqlglot.errors import SqlglotError


def pretty(sql: str) -> str:
    """The statement laid out over several lines; as it is where it cannot be parsed.

    >>> print(pretty("SELECT a FROM t WHERE a > 1"))
    SELECT
      a
    FROM t
    WHERE
      a > 1
    """
    try:
        return sqlglot.parse_one(sql, dialect="duckdb").sql(dialect="duckdb", pretty=True)
    except SqlglotError:
        return sql
