"""Running a check's SQL: counted, sampled as text, and never more than a batch in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import TypeAlias

import duckdb

from penstock.errors import PenstockError
from penstock.quality.masking import hidden_columns, masked
from penstock.quality.result import SAMPLE_ROWS
from penstock.sql.guard import check_query
from penstock.sql.names import quote

Names: TypeAlias = "Callable[[], frozenset[str]]"
"""Names of columns, asked for when there is a row to show."""
LONGEST_VALUE = 200  # characters of a sampled value
_BATCH_ROWS = 50_000


class CheckError(PenstockError):
    """A check's SQL cannot be run or does not give what its kind needs."""


@dataclass(frozen=True)
class Sampled:
    """How many rows a query gave, and the first few as text."""

    rows: int
    sample: tuple[Mapping[str, str | None], ...]


def sample(connection: duckdb.DuckDBPyConnection, sql: str, personal: Names) -> Sampled:
    """Count the rows of a query and keep the first few in its own order, personal values masked."""
    relation = query_relation(connection, sql)
    return sample_relation(relation, partial(_hidden, sql, relation.columns, personal))


def sample_relation(relation: duckdb.DuckDBPyRelation, hidden: Names) -> Sampled:
    """Count the rows of a relation and keep the first few, with the values of `hidden` columns masked."""
    reader = relation.project("COLUMNS(*)::VARCHAR").to_arrow_reader(_BATCH_ROWS)
    rows = 0
    kept: list[dict[str, str | None]] = []
    for batch in reader:
        kept += map(_cut, batch.slice(0, SAMPLE_ROWS - len(kept)).to_pylist())
        rows += batch.num_rows
    if not kept:
        return Sampled(0, ())
    names = hidden()
    hidden_here = frozenset(  # a name that stands twice is made unique by the reader
        here for name, here in zip(relation.columns, reader.schema.names, strict=True) if name in names
    )
    return Sampled(rows, tuple(masked(row, hidden_here) for row in kept))


def _hidden(sql: str, names: Sequence[str], personal: Names) -> frozenset[str]:
    return hidden_columns(sql, names, personal())


def one_value(connection: duckdb.DuckDBPyConnection, sql: str) -> object:
    """The value of a query that gives one row of one column; CheckError when it gives something else."""
    rows = query_relation(connection, sql).limit(2).fetchall()
    if len(rows) != 1 or len(rows[0]) != 1:
        shape = f"{len(rows)} rows of {len(rows[0])} columns" if rows else "no row"
        raise CheckError("The check must give a single number", expected="one row of one column", found=shape)
    return rows[0][0]


def number(value: object) -> Decimal | None:
    """A number of the database as an exact decimal (a double by its shortest text); null stays None.

    >>> number(0.1), number(None)
    (Decimal('0.1'), None)
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise CheckError("The check must give a number", expected="a number", found=f"{value!r:.80}")
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise CheckError("The check must give a number", expected="a number", found=str(value)) from None


def create_result(connection: duckdb.DuckDBPyConnection, name: str, sql: str) -> list[tuple[str, str]]:
    """Keep a query's result as the temporary table `name`; its columns and their types."""
    statement = _statement(check_query(connection, sql))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {quote(name)} AS {statement}")
    kept = connection.sql(f"FROM temp.{quote(name)}")
    return [(column, str(kind)) for column, kind in zip(kept.columns, kept.types, strict=True)]


def relations(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Every table and view of the connection itself (not of databases attached to it) as `schema.name`."""
    rows: Sequence[tuple[str, str]] = connection.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = current_database()"
        " UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE database_name = current_database()"
    ).fetchall()
    return frozenset(f"{schema}.{name}" for schema, name in rows)


def query_relation(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyRelation:
    """The query, not yet run; UsageError unless it is one statement that only reads."""
    return connection.sql(_statement(check_query(connection, sql)))


def _statement(sql: str) -> str:
    return sql.strip().removesuffix(";")


def _cut(row: Mapping[str, str | None]) -> dict[str, str | None]:
    return {
        name: value if value is None or len(value) <= LONGEST_VALUE else value[: LONGEST_VALUE - 1] + "…"
        for name, value in row.items()
    }
