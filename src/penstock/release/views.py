"""Views over planned files: what SQL sees of the lake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import duckdb

from penstock.errors import StorageError
from penstock.lake.table import Scan
from penstock.sql.names import quote
from penstock.sql.scan import read_scan

SCHEMAS = ("bronze", "silver", "quarantine", "gold", "quality")


def define_views(
    connection: duckdb.DuckDBPyConnection, scans: Mapping[str, Scan], *, schemas: Iterable[str] = SCHEMAS
) -> tuple[str, ...]:
    """Make a view for every scan, by `schema.table`, and the schemas even when they are empty; the files they read."""
    for schema in {**dict.fromkeys(schemas), **{name.split(".", 1)[0]: None for name in scans}}:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}")
    files: list[str] = []
    for name, scan in scans.items():
        try:
            connection.execute(f"CREATE VIEW {qualified(name)} AS {read_scan(scan.files, scan.columns)}")
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            raise unreadable(error, where=name) from error
        files += [file.path for file in scan.files] + [file.path for file in scan.deletes]
    return tuple(files)


def unreadable(error: Exception, *, where: str | None = None) -> StorageError:
    """A data file that is missing, cut or damaged, as an error that says what to do."""
    return StorageError(
        "A file of the lake cannot be read",
        where=where,
        found=str(error).splitlines()[0],
        remedy="`penstock doctor` names every damaged file; restore them from a backup.",
    )


def qualified(name: str) -> str:
    """`schema.table` as quoted SQL.

    >>> qualified("gold.top ten")
    '"gold"."top ten"'
    """
    schema, table = name.split(".", 1)
    return f"{quote(schema)}.{quote(table)}"
