"""Quarantined rows as a relation again, to be checked once more."""

from __future__ import annotations

from itertools import count

import duckdb

from penstock.conform.columns import SYSTEM
from penstock.sql.names import literal, quote

_NUMBERS = count(1)


def replay_relation(connection: duckdb.DuckDBPyConnection, quarantined: str) -> str:
    """Make a temporary table for `Conformer.check` of rows that conform refused; its name.

    `quarantined` has quarantine's columns; rows of stage `parse` have no `row` and are left out. The columns are
    the keys of the JSON objects, so a column that no row has is missing as it was. Keys that differ in case only
    are one column, as in any relation of DuckDB.
    """
    name = f"replay_{next(_NUMBERS)}"
    rows = f"(SELECT * FROM {quote(quarantined)} WHERE stage = 'conform' AND row IS NOT NULL)"
    keys = connection.execute(
        f"SELECT list(key ORDER BY key) FROM (SELECT DISTINCT unnest(json_keys(row)) AS key FROM {rows})"
        " GROUP BY lower(key) ORDER BY min(key)"
    ).fetchall()
    texts = "".join(f", {_text(spellings)} AS {quote(spellings[0])}" for (spellings,) in keys)
    connection.execute(f"CREATE TEMP TABLE {quote(name)} AS SELECT {', '.join(SYSTEM)}{texts} FROM {rows}")
    return name


def _text(spellings: list[str]) -> str:
    paths = (literal("/" + key.replace("~", "~0").replace("/", "~1")) for key in spellings)
    return f"coalesce({', '.join(f'json_extract_string(row, {path})' for path in paths)})"
