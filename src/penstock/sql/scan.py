"""Reading the planned data files of a table by field id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from penstock.sql.names import literal, quote


class Field(Protocol):
    """How one column is read: its id in the files, the name and DuckDB type it gets, and whether every file has it
    under that name and type and nothing else under that name."""

    @property
    def field_id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def duckdb_type(self) -> str: ...
    @property
    def everywhere(self) -> bool: ...


class File(Protocol):
    """A data file and how many rows it has."""

    @property
    def path(self) -> str: ...
    @property
    def rows(self) -> int: ...


def read_scan(files: Iterable[File], columns: Sequence[Field], *, origin: str | None = None) -> str:
    """A SELECT over Parquet files that finds columns by field id, so a rename or an added column cannot mislead it.

    Columns come in the order given; a column a file does not have is NULL there. No files: an
    empty relation of the same names and types. Files must carry field ids and no position deletes.
    `origin` names a further column that holds the path of each row's file.
    Columns that are in every file under their name are read by name: DuckDB then leaves out groups of rows, and
    columns of rows, that a filter or a join has no use for, which it does not where it maps ids.

    >>> from types import SimpleNamespace as Column
    >>> read_scan([], [Column(field_id=1, name="a", duckdb_type="BIGINT", everywhere=True)])
    'SELECT CAST(NULL AS BIGINT) AS "a" WHERE FALSE'
    """
    paths = _paths(files)
    if not paths:
        nulls = ", ".join(f"CAST(NULL AS {column.duckdb_type}) AS {quote(column.name)}" for column in columns)
        path = "" if origin is None else f", CAST(NULL AS VARCHAR) AS {quote(origin)}"
        return f"SELECT {nulls}{path} WHERE FALSE"
    listed = ", ".join(map(literal, paths))
    file = "" if origin is None else f", filename = {literal(origin)}"
    shown = "" if origin is None else f", {quote(origin)}"
    if all(column.everywhere for column in columns):
        typed = (f"CAST({quote(column.name)} AS {column.duckdb_type}) AS {quote(column.name)}" for column in columns)
        return f"SELECT {', '.join(typed)}{shown} FROM read_parquet([{listed}], hive_partitioning = false{file})"
    fields = ", ".join(
        f"{column.field_id}: {{name: {literal(column.name)}, type: {literal(column.duckdb_type)}, default_value: NULL}}"
        for column in columns
    )
    names = ", ".join(quote(column.name) for column in columns)
    return f"SELECT {names}{shown} FROM read_parquet([{listed}], schema = MAP {{{fields}}}{file})"


def _paths(files: Iterable[File]) -> list[str]:
    """The paths of files to be read, first that of one with as many rows as the files have on average, or just more:
    DuckDB takes the first for all when it estimates rows, and builds its tables of what it takes for few.

    >>> from types import SimpleNamespace as DataFile
    >>> _paths([DataFile(path="small", rows=1), DataFile(path="large", rows=90), DataFile(path="usual", rows=60)])
    ['usual', 'small', 'large']
    """
    given = list(files)
    rows = sum(file.rows for file in given)
    enough = [file for file in given if file.rows * len(given) >= rows]
    first = min(enough, key=lambda file: file.rows, default=None)
    return [file.path for file in sorted(given, key=lambda file: file is not first)]
