"""Queries over rows that come again and again: planned at the first of them, run over each."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import count

import duckdb
import pyarrow as pa

from penstock.sql.names import quote

_NUMBERS = count(1)
# A relation of what was prepared makes the same copy of the rows, and of few rows takes twice the time.
_COPIED = "Arrow output on a DB-API result"


class PlannedQuery:
    """A query over tables of one schema. `query` makes the SQL, given the name of the relation that stands for them.

    One thread uses it. The rows that come out have the order of the connection's settings.

    >>> from penstock.sql.connection import connect
    >>> query = PlannedQuery(connect(), pa.schema([("n", pa.int64())]), lambda rows: f"SELECT n + 1 AS n FROM {rows}")
    >>> [query.over(pa.table({"n": [number]}))["n"].to_pylist() for number in (1, 41)]
    [[2], [42]]
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, schema: pa.Schema, query: Callable[[str], str]) -> None:
        self._connection = connection
        self._held = _Held(schema)
        number = next(_NUMBERS)
        self._relation, self._name = f"held_{number}", quote(f"planned_{number}")
        connection.register(self._relation, self._held)
        connection.execute(f"PREPARE {self._name} AS {query(quote(self._relation))}")

    def over(self, rows: pa.Table) -> pa.Table:
        """What the query makes of `rows`."""
        self._held.rows = rows
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=_COPIED)
                return self._connection.execute(f"EXECUTE {self._name}").to_arrow_table()
        finally:
            self._held.let_go()

    def close(self) -> None:
        self._connection.execute(f"DEALLOCATE {self._name}")
        self._connection.unregister(self._relation)


class _Held:
    """What DuckDB asks for rows whenever the query runs, so that they can be others each time."""

    def __init__(self, schema: pa.Schema) -> None:
        self._none = schema.empty_table()
        self.rows = self._none

    def let_go(self) -> None:
        self.rows = self._none

    def __arrow_c_schema__(self) -> object:
        return self._none.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.rows.__arrow_c_stream__(requested_schema)
