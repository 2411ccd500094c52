"""Gold of one release as one connection: its warehouse while that is there, else the lake."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import duckdb

from penstock.errors import StorageError
from penstock.release.record import warehouse_of
from penstock.sql.connection import connect, is_in_use
from penstock.sql.names import literal, quote
from penstock.world import World

CHANGES = "changes"
CAME = "_came"
_NAME = "warehouse"  # views inside the file know it by this name


@contextmanager
def open_gold(
    root: Path, world: World, *, release: int, memory_limit: str = "1GB"
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that reads `gold.<table>` at a release.

    The warehouse of a release equals it, opens at once and needs no catalogue; older releases have none. Of tables that
    moved it also tells, as `changes.<table>`, the rows that came and those that went since the release before (see `has_changes`).
    While a build works in the warehouse the lake is read. What was opened stays readable, whatever is released or expired
    meanwhile. UsageError for a release that cannot be read.
    """
    with ExitStack() as opened:
        path = warehouse_of(root, release)
        connection = _warehouse(path, opened, memory_limit) if path.exists() else None
        if connection is None:
            from penstock.release.reader import open_reader  # the lake takes a second to import

            reader = open_reader(root, world, release=release, memory_limit=memory_limit)
            connection = opened.enter_context(reader).connection
        yield connection


def _warehouse(path: Path, opened: ExitStack, memory_limit: str) -> duckdb.DuckDBPyConnection | None:
    """The warehouse, or None where a run works in it or took it away just now. Attached, because opening the same file twice in
    one process would share one database and its limits."""
    connection = opened.enter_context(connect(memory_limit=memory_limit, temp_directory=path.parent / "spill"))
    try:
        connection.execute(f"ATTACH {literal(str(path))} AS {quote(_NAME)} (READ_ONLY)")
        _define_gold(connection)
    except duckdb.Error as error:
        if path.exists() and not is_in_use(error):
            raise StorageError(
                "The warehouse cannot be opened",
                where=str(path),
                found=str(error).splitlines()[0],
                remedy="It is a cache: remove it, and the lake is read instead.",
            ) from error
        return None
    return connection


def has_changes(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Whether `changes.<table>` has the rows that came to a gold table since the release before (`_came` is true) and those
    that went (it is false)."""
    sql = "SELECT 1 FROM duckdb_views() WHERE schema_name = ? AND view_name = ?"
    return bool(connection.execute(sql, [CHANGES, table]).fetchall())


def _define_gold(connection: duckdb.DuckDBPyConnection) -> None:
    """`gold.<table>` for every cursor; a `USE` would be of one only."""
    connection.execute("CREATE SCHEMA gold")
    sql = "SELECT table_name FROM information_schema.tables WHERE table_catalog = ? AND table_schema = 'gold' ORDER BY ALL"
    for (name,) in connection.execute(sql, [_NAME]).fetchall():
        connection.execute(f"CREATE VIEW gold.{quote(name)} AS SELECT * FROM {quote(_NAME)}.gold.{quote(name)}")
    connection.execute(f"CREATE SCHEMA {CHANGES}")
    sql = sql.replace("= 'gold'", f"= '{CHANGES}' AND table_name LIKE 'gold.%'")
    for (name,) in connection.execute(sql, [_NAME]).fetchall():
        view = f"{CHANGES}.{quote(name.removeprefix('gold.'))}"
        connection.execute(f"CREATE VIEW {view} AS SELECT * FROM {quote(_NAME)}.{CHANGES}.{quote(name)}")
