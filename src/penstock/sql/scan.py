"""Reading the planned data files of a table by field id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from penstock.sql.names import literal, quote


class Field(Protocol):
    """How one column is read: its id in the files, the name and DuckDB type it gets."""

    @property
    def field_id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def duckdb_type(self) -> str: ...


def read_scan(files: Sequence[str], columns: Sequence[Field], *, origin: str | None = None) -> str:
    """A SELECT over Parquet files that finds columns by field id, so a rename or an added column cannot mislead it.

    Columns come in the order given; a column a file does not have is NULL there. No files: an
    empty relation of the same names and types. Files must carry field ids and no position deletes.
    `origin` names a further column that holds the path of each row's file.

    >>> from types import SimpleNamespace as Column
    >>> read_scan([], [Column(field_id=1, name="a", duckdb_type="BIGINT")])
    'SELECT CAST(NULL AS BIGINT) AS "a" WHERE FALSE'
    """
    if not files:
        nulls = ", ".join(f"CAST(NULL AS {column.duckdb_type}) AS {quote(column.name)}" for column in columns)
        path = "" if origin is None else f", CAST(NULL AS VARCHAR) AS {quote(origin)}"
        return f"SELECT {nulls}{path} WHERE FALSE"
    paths = ", ".join(literal(path) for path in files)
    fields = ", ".join(
        f"{column.field_id}: {{name: {literal(column.name)}, type: {literal(column.duckdb_type)}, default_value: NULL}}"
        for column in columns
    )
    names = ", ".join(quote(column.name) for column in columns)
    if origin is None:
        return f"SELECT {names} FROM read_parquet([{paths}], schema = MAP {{{fields}}})"
    path = f"filename = {literal(origin)}"
    return f"SELECT {names}, {quote(origin)} FROM read_parquet([{paths}], schema = MAP {{{fields}}}, {path})"
