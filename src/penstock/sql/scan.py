"""Reading the planned data files of a table by field id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from penstock.sql.names import literal, quote, unused


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


class Deletes(Protocol):
    """A file with places (`file_path`, `pos`) of rows that do not count any more."""

    @property
    def path(self) -> str: ...


class File(Protocol):
    """A data file, how many rows were written to it, what names some of them as gone, and what names those that are meant
    where not all are."""

    @property
    def path(self) -> str: ...
    @property
    def rows(self) -> int: ...
    @property
    def deletes(self) -> Sequence[Deletes]: ...
    @property
    def only(self) -> Sequence[Deletes]: ...


ROW_NUMBER = "file_row_number"  # DuckDB's name for that of a row in its file; a column called so is read under another
_PATH = "_path_of_row"


def read_scan(
    files: Iterable[File], columns: Sequence[Field], *, origin: str | None = None, place: str | None = None
) -> str:
    """A SELECT over Parquet files that finds columns by field id, so a rename or an added column cannot mislead it.

    Columns come in the order given; a column a file does not have is NULL there. No files: an
    empty relation of the same names and types. Files must carry field ids. Rows that a file's deletes name are left out,
    and of a file that has `only` some, all others.
    `origin` names a further column that holds the path of each row's file, `place` one for its number there, from 0.
    Columns that are in every file under their name are read by name: DuckDB then leaves out groups of rows, and
    columns of rows, that a filter or a join has no use for, which it does not where it maps ids.

    >>> from types import SimpleNamespace as Column
    >>> read_scan([], [Column(field_id=1, name="a", duckdb_type="BIGINT", everywhere=True)])
    'SELECT CAST(NULL AS BIGINT) AS "a" WHERE FALSE'
    """
    given = list(files)
    parts = [[file for file in given if bool(file.only) is some] for some in (False, True)]
    if all(parts):
        return " UNION ALL ".join(read_scan(part, columns, origin=origin, place=place) for part in parts)
    paths = _paths(given)
    if not paths:
        nulls = ", ".join(f"CAST(NULL AS {column.duckdb_type}) AS {quote(column.name)}" for column in columns)
        nulls += "" if origin is None else f", CAST(NULL AS VARCHAR) AS {quote(origin)}"
        nulls += "" if place is None else f", CAST(NULL AS BIGINT) AS {quote(place)}"
        return f"SELECT {nulls} WHERE FALSE"
    deletes = sorted({one.path for file in given for one in file.deletes})
    only = sorted({one.path for file in given for one in file.only})
    listed = ", ".join(map(literal, paths))
    names = [column.name for column in columns]
    path = origin or unused(_PATH, names)
    shown = "" if origin is None else f", {quote(origin)}"
    shown += "" if place is None else f", {ROW_NUMBER} AS {quote(place)}"
    options = f", filename = {literal(path)}" if origin or deletes or only else ""
    placed = bool(place or deletes or only)
    options += f", {ROW_NUMBER} = true" if placed else ""
    held = {name: unused("_held", names) if placed and name.lower() == ROW_NUMBER else name for name in names}
    joined = _joined("SEMI", only, path, names) + _joined("ANTI", deletes, path, names)
    if all(column.everywhere for column in columns):
        typed = (f"CAST({quote(column.name)} AS {column.duckdb_type}) AS {quote(column.name)}" for column in columns)
        return f"SELECT {', '.join(typed)}{shown} FROM read_parquet([{listed}], hive_partitioning = false{options}){joined}"
    fields = ", ".join(
        f"{column.field_id}: {{name: {literal(held[column.name])}, type: {literal(column.duckdb_type)}, default_value: NULL}}"
        for column in columns
    )
    given_names = ", ".join(
        quote(name) if one == name else f"{quote(one)} AS {quote(name)}" for name, one in held.items()
    )
    return f"SELECT {given_names}{shown} FROM read_parquet([{listed}], schema = MAP {{{fields}}}{options}){joined}"


def named_places(deletes: Iterable[str]) -> str:
    """SELECT of the `path` and `pos` of the rows that files with deletes name. They name data files to the letter as
    manifests do, where another engine may have given a scheme; DuckDB tells the path of a file that it reads without."""
    listed = ", ".join(map(literal, deletes))
    plain = "CASE WHEN starts_with(file_path, 'file://') THEN file_path[8:] ELSE file_path END"
    return f"SELECT {plain} AS path, pos FROM read_parquet([{listed}], hive_partitioning = false)"


def _joined(kind: str, deletes: Sequence[str], path: str, names: Sequence[str]) -> str:
    """A join with the places that the deletes name: few, so that its table is small."""
    if not deletes:
        return ""
    gone_path, gone_pos = quote(unused("_gone_path", names)), quote(unused("_gone_pos", names))
    places = f"SELECT path AS {gone_path}, pos AS {gone_pos} FROM ({named_places(deletes)})"
    return f" {kind} JOIN ({places}) ON {quote(path)} = {gone_path} AND {ROW_NUMBER} = {gone_pos}"


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
