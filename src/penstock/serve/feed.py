"""From a released gold table to the rows of a collection: documents, keys and values to choose by, made by DuckDB."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import duckdb

from penstock.release.gold import CAME, CHANGES
from penstock.release.text import json_object, value_text
from penstock.serve.kind import kind_named
from penstock.serve.period import Period, digest, periods
from penstock.sql.names import quote
from penstock.store.collection import Collection
from penstock.store.protocol import Row, Slice

_BATCH_ROWS = 20_000
_SLICED_FROM = 50_000  # rows; fewer are written in half a second


def slices(
    connection: duckdb.DuckDBPyConnection,
    collection: Collection,
    *,
    sliced_from: int = _SLICED_FROM,
    by_changes: bool = False,
) -> Iterator[Slice]:
    """All rows of a collection in its order. The connection has a schema `gold` at one release.

    `by_changes`: what is in the store is the release before, and the connection has the changes of the table since.

    A large table that is ordered by time first is cut into weeks, or longer periods, so that the store writes only
    those in which a row changed; any other is one slice.
    """
    cut = periods(connection, collection, sliced_from=sliced_from, by_changes=by_changes)
    for period in [Period(collection.version, "true", "all")] if cut is None else cut:
        rows = partial(_rows, connection, collection, period.where)
        digested = RowsOf(connection, collection, period.where, by_changes)
        yield Slice(period.version, rows, f"{duckdb.__version__} {period.place}", digested, period.stayed)


@dataclass(frozen=True)
class RowsOf:
    """The rows of a collection that meet a condition, by their digests; `by_changes` as of slices."""

    connection: duckdb.DuckDBPyConnection
    collection: Collection
    where: str
    by_changes: bool = False

    def digests(self) -> array[int]:
        sql = f"SELECT {digest(self.collection)} FROM {self._ordered}"
        with self.connection.cursor() as cursor:
            (numbers,) = cursor.execute(sql).fetchnumpy().values()
        return array("Q", numbers.tobytes())

    def rows(self, digests: Sequence[int]) -> Sequence[Row]:
        wanted = f"{self.where} AND {digest(self.collection)} IN (SELECT unnest(CAST($1 AS UBIGINT[])))"
        with self.connection.cursor() as cursor:
            if self.by_changes:
                came = f"{CHANGES}.{quote(self.collection.table)}"
                sql = select(cursor, self.collection, f"{CAME} AND {wanted}", rows=came)
            else:
                sql = select(cursor, self.collection, wanted)
            return cursor.execute(sql, [digests]).fetchall()

    @property
    def _ordered(self) -> str:
        return f"gold.{quote(self.collection.table)} WHERE {self.where} ORDER BY {_order(self.collection)}"


def _rows(connection: duckdb.DuckDBPyConnection, collection: Collection, where: str) -> Iterator[Sequence[Row]]:
    cursor = connection.cursor()
    try:
        cursor.execute(select(cursor, collection, where))
        while batch := cursor.fetchmany(_BATCH_ROWS):
            yield batch
    finally:
        cursor.close()


def select(
    connection: duckdb.DuckDBPyConnection, collection: Collection, where: str = "true", *, rows: str | None = None
) -> str:
    """The query of a collection: key, document, then the value of every indexed column; from its table, or from a relation
    with the columns of it."""
    types = column_types(connection, collection.table)
    key = value_text(collection.key, types[collection.key]).text
    document = json_object([(name, types[name]) for name in collection.columns])
    values = [kind_named(collection.field(name).kind).sql(name) for name in collection.indexed]
    source = f"gold.{quote(collection.table)}" if rows is None else rows
    return f"SELECT {', '.join([key, document, *values])} FROM {source} WHERE {where} ORDER BY {_order(collection)}"


def column_types(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Columns of a gold table with their DuckDB types."""
    relation = connection.sql(f"SELECT * FROM gold.{quote(table)} LIMIT 0")
    return {name: str(kind) for name, kind in zip(relation.columns, relation.types, strict=True)}


def key_faults(
    connection: duckdb.DuckDBPyConnection, table: str, key: str, *, came: str | None = None
) -> tuple[int, int]:
    """How many rows of a gold table have no key, and how many repeat the key of another. `came` is a schema with those of
    its rows that alone may."""
    if came is not None and not _is_faulty(connection, table, quote(key), f"{came}.{quote(table)}"):
        return 0, 0
    sql = f"SELECT count(*), count({quote(key)}), count(DISTINCT {quote(key)}) FROM gold.{quote(table)}"
    ((total, present, different),) = connection.execute(sql).fetchall()
    return total - present, present - different


def _is_faulty(connection: duckdb.DuckDBPyConnection, table: str, key: str, came: str) -> bool:
    """Whether a row that came has no key, or that of another row."""
    absent = f"FROM {came} WHERE {key} IS NULL"
    alike = f"FROM gold.{quote(table)} AS row SEMI JOIN {came} AS came ON row.{key} = came.{key}"
    asked = (absent, f"{alike} GROUP BY row.{key} HAVING count(*) > 1")
    return any(connection.execute(f"SELECT 1 {rows} LIMIT 1").fetchall() for rows in asked)


def _order(collection: Collection) -> str:
    return ", ".join(map(_ordering, collection.order))


def _ordering(declared: str) -> str:
    column, _, direction = declared.partition(" ")
    return f"{quote(column)} {'DESC' if direction else 'ASC'} NULLS LAST"
