"""The private warehouse: a DuckDB file that is a cache of one release; a build works in it, or on a copy."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import groupby
from pathlib import Path

import duckdb

from penstock.errors import StorageError
from penstock.sql.beside import another
from penstock.sql.connection import connect, is_in_use
from penstock.sql.names import literal, quote
from penstock.sql.scan import read_scan
from penstock.transform.result import ModelInput
from penstock.transform.selection import Change
from penstock.transform.state import WarehouseState
from penstock.transform.workspace import DATABASE, Limits
from penstock.world import Disk

_STATE = f"{DATABASE}.penstock.state"
_NEVER = "1TB"  # beside the file
_ROW_GROUP = 122_880  # rows that lie together in the file
_MUCH = 0.25  # of a table's rows
_FICLONE = 0x40049409  # linux/fs.h: share the blocks of another file


def copy(base: Path, target: Path) -> None:
    """Make `target` a copy of `base`, sharing its blocks where the file system can."""
    discard(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with base.open("rb") as source, target.open("wb") as copied:
            try:
                fcntl.ioctl(copied.fileno(), _FICLONE, source.fileno())
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EXDEV, errno.ENOTTY, errno.EINVAL, errno.ENOSYS):
                    raise
                shutil.copyfile(base, target)  # the kernel copies: no byte comes to this process
    except OSError as error:
        discard(target)
        raise StorageError(
            "The warehouse could not be copied", where=str(target), found=str(error), remedy="Free some disk space."
        ) from error


class InUse(StorageError):
    """Somebody else has the warehouse open."""


@contextmanager
def unlocked(database: Path) -> Iterator[Path]:
    """The file, or a copy of it while a build works in it: both hold what it held before."""
    if not _is_written(database):
        yield database
        return
    copied = database.with_name(f"reading-{os.getpid()}.duckdb")
    try:
        copy(database, copied)
        yield copied
    finally:
        discard(copied)


def _is_written(database: Path) -> bool:
    try:
        with opened(database, read_only=True):
            return False
    except StorageError as error:  # what else is wrong is told to who reads it
        return isinstance(error, InUse)


def discard(target: Path) -> None:
    """Throw a copy away; nothing happens when there is none."""
    for path in (target, target.with_name(target.name + ".wal")):
        path.unlink(missing_ok=True)


def promote(target: Path, warehouse: Path, disk: Disk) -> None:
    """Make a finished file the warehouse, durably and at once."""
    disk.sync(str(target))
    disk.rename(str(target), str(warehouse))


@contextmanager
def opened(
    database: Path, *, limits: Limits | None = None, read_only: bool = False
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with `database` attached as `warehouse`, the name its own views know it by.

    What is written reaches the file once, at the end, and has no log beside it. Before, it goes to blocks that are
    free in the file: where the block raises or the process is killed, the file holds what it held. InUse where somebody else
    writes it, or reads it where this would write.
    """
    limits = Limits() if limits is None else limits
    spill = database.parent / "spill"
    connection = connect(memory_limit=limits.memory_limit, threads=limits.threads, temp_directory=spill)
    try:
        options = " (READ_ONLY)" if read_only else " (RECOVERY_MODE no_wal_writes)"
        try:
            connection.execute(f"ATTACH {literal(str(database))} AS {quote(DATABASE)}{options}")
        except (duckdb.Error, OSError) as error:
            kind = InUse if is_in_use(error) else StorageError
            raise kind(
                "The warehouse cannot be opened",
                where=str(database),
                found=str(error).splitlines()[0],
                remedy="It is a cache: remove it, and it is built again from silver.",
            ) from error
        try:
            connection.execute(f"SET checkpoint_threshold = '{_NEVER}'")
            connection.execute("PRAGMA disable_checkpoint_on_shutdown")
            yield connection
            if not read_only:
                put_in_order(connection)
        except duckdb.IOException as error:
            raise StorageError(
                "The disk refused while the warehouse was used",
                where=str(database),
                found=str(error).splitlines()[0],
                remedy="See to it and run again.",
            ) from error
    finally:
        connection.close()


@contextmanager
def to_build_in(
    base: Path | None, target: Path, limits: Limits, *, in_place: bool = False
) -> Iterator[tuple[Path, duckdb.DuckDBPyConnection]]:
    """The file to build in: the base itself where nobody has it open, else `target`, its copy, or nothing yet."""
    discard(target)
    with ExitStack() as stack:
        if base is not None and in_place:
            try:
                connection = stack.enter_context(opened(base, limits=limits))
            except InUse:
                pass
            else:
                yield base, connection
                return
        target.parent.mkdir(parents=True, exist_ok=True)
        if base is not None:
            copy(base, target)
        yield target, stack.enter_context(opened(target, limits=limits))


def put_in_order(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring the file to what was written beside it; the place of tables that went is free then.

    Groups of rows that lost some are not written anew to join them with their neighbours, which costs more than all
    that came: not until a table has lost a quarter as many as it holds, and the rows of a whole group.
    """
    connection.execute(f"SET max_vacuum_tasks = {100 if _lost_much(connection) else 0}")
    connection.execute(f"CHECKPOINT {quote(DATABASE)}")


@contextmanager
def while_put_in_order(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Put the file in order while the block reads what is in it. Where groups of rows are to be joined this is left for
    the end: rows that somebody reads keep their place."""
    if _lost_much(connection):
        yield
        return
    with another(connection) as own, ThreadPoolExecutor(1, thread_name_prefix="order") as pool:
        ordering = pool.submit(put_in_order, own)
        yield
        ordering.result()


def _lost_much(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the place of rows that went is much of a table, and makes a group: less is not worth joining all others."""
    tables = connection.execute(
        "SELECT schema_name || '.' || table_name, estimated_size FROM duckdb_tables()"  # with the rows that went
        " WHERE database_name = $1 AND estimated_size > $2",
        [DATABASE, _ROW_GROUP],
    ).fetchall()
    held = ((places, count(connection, table)) for table, places in tables)
    return any(places - rows > max(_MUCH * rows, _ROW_GROUP) for places, rows in held)


def read_state(database: Path) -> WarehouseState | None:
    """What the warehouse was built from; None when it is missing, damaged or not one of ours."""
    if not database.exists():
        return None
    try:
        with opened(database, read_only=True) as connection:
            rows = connection.execute(f"SELECT content FROM {_STATE}").fetchall()
            return WarehouseState.from_json(rows[0][0])
    except (duckdb.Error, StorageError, ValueError, IndexError):
        return None


def write_state(connection: duckdb.DuckDBPyConnection, state: WarehouseState) -> None:
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {DATABASE}.penstock")
    connection.execute(f"CREATE OR REPLACE TABLE {_STATE} (content VARCHAR)")
    connection.execute(f"INSERT INTO {_STATE} VALUES (?)", [state.to_json()])


def define_sources(
    connection: duckdb.DuckDBPyConnection, inputs: Mapping[str, ModelInput], changes: Mapping[str, Change]
) -> None:
    """Make the views `silver.<dataset>` over the pinned files, with `_new` true for rows added since the base."""
    connection.execute(f"DROP SCHEMA IF EXISTS {DATABASE}.silver CASCADE")
    connection.execute(f"CREATE SCHEMA {DATABASE}.silver")
    for dataset, given in inputs.items():
        connection.execute(f"CREATE VIEW {DATABASE}.silver.{quote(dataset)} AS {_source(given, changes[dataset])}")


def _source(given: ModelInput, change: Change) -> str:
    everything = given.scan.files
    added = _added(given, change)
    parts = [
        (False, [file for file in everything if file.path not in added]),
        (True, [file for file in everything if file.path in added]),
    ]
    return " UNION ALL ".join(
        f"SELECT *, {literal(new)} AS _new FROM ({read_scan(files, given.scan.columns)})"
        for new, files in parts
        if files or not (new or everything)
    )


def _added(given: ModelInput, change: Change) -> frozenset[str]:
    match change:
        case Change.NONE:
            return frozenset()
        case Change.ADDED | Change.MIXED if given.added is not None:
            return frozenset(file.path for file in given.added.files)
        case _:
            return frozenset(file.path for file in given.scan.files)


def make_schema(connection: duckdb.DuckDBPyConnection, schema: str) -> None:
    """Make a schema, if it is not there."""
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(DATABASE)}.{quote(schema)}")


def relations(connection: duckdb.DuckDBPyConnection) -> Mapping[str, str]:
    """What the warehouse holds besides sources and state: `schema.name` -> TABLE or VIEW."""
    rows = connection.execute(
        "SELECT schema_name || '.' || table_name, 'TABLE' FROM duckdb_tables()"
        " WHERE database_name = $1 AND schema_name NOT IN ('silver', 'penstock', 'changes')"
        " UNION ALL SELECT schema_name || '.' || view_name, 'VIEW' FROM duckdb_views()"
        " WHERE database_name = $1 AND schema_name NOT IN ('silver', 'penstock', 'changes') AND NOT internal",
        [DATABASE],
    ).fetchall()
    return dict(rows)


def drop(connection: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> bool:
    """Drop tables and views by `schema.name`; those that are not there are passed over. Whether there was one."""
    held = relations(connection)
    found = [table for table in tables if table in held]
    for table in found:
        connection.execute(f"DROP {held[table]} {relation(table)}")
    return bool(found)


def relation(table: str) -> str:
    """`schema.name` as a quoted, qualified SQL name."""
    schema, name = table.split(".", 1)
    return f"{quote(DATABASE)}.{quote(schema)}.{quote(name)}"


def describe(connection: duckdb.DuckDBPyConnection, table: str) -> tuple[tuple[str, str], ...]:
    """Names and DuckDB types of the columns, in order."""
    rows = connection.execute(f"DESCRIBE {relation(table)}").fetchall()
    return tuple((row[0], row[1]) for row in rows)


def columns(connection: duckdb.DuckDBPyConnection) -> Mapping[str, tuple[tuple[str, str], ...]]:
    """The same of all tables and views, by `schema.name`."""
    rows = connection.execute(
        "SELECT schema_name || '.' || table_name, column_name, data_type FROM duckdb_columns()"
        " WHERE database_name = $1 ORDER BY schema_name, table_name, column_index",
        [DATABASE],
    ).fetchall()
    return {table: tuple((name, type) for _, name, type in group) for table, group in groupby(rows, lambda row: row[0])}


def count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """Number of rows."""
    return int(connection.execute(f"SELECT count(*) FROM {relation(table)}").fetchall()[0][0])
