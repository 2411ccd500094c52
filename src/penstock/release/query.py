"""A person's SQL over an open reader: what it may do, and errors that help."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from penstock.errors import MOST_NAMED, StorageError, UsageError
from penstock.release.reader import Reader
from penstock.release.views import unreadable
from penstock.sql.guard import check_query

_BATCH_ROWS = 50_000
_LAYERS = {"gold": 0, "silver": 1, "quarantine": 2, "bronze": 3, "quality": 4}
_MISSING_TABLE = re.compile(r"Table with name \"?([^\s\"]+)\"? does not exist|There is no table '([^']+)'")
_SHOW_TABLES = re.compile(r"\s*show\s+tables\s*;?\s*", re.IGNORECASE)
_TABLES = (
    "SELECT schema_name || '.' || view_name AS name FROM duckdb_views() WHERE NOT internal"
    " UNION SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE NOT internal ORDER BY name"
)
_POSITION = re.compile(r"\n\nLINE (\d+): ", re.DOTALL)


@dataclass(frozen=True)
class Answer:
    """The rows of a query. `complete` is False when a limit left rows out."""

    rows: pa.Table
    complete: bool


def query(reader: Reader, sql: str, *, limit: int | None = None) -> Answer:
    """Run one statement that reads; at most `limit` rows. UsageError for everything wrong with the SQL.

    >>> query(reader, "SELECT 1 AS one").rows.to_pylist()  # doctest: +SKIP
    [{'one': 1}]
    """
    rows = stream(reader, sql)
    held: list[pa.RecordBatch] = []
    missing = limit
    with rows:
        for batch in rows:
            if missing is not None and batch.num_rows > missing:
                held.append(batch.slice(0, missing))
                return Answer(pa.Table.from_batches(held, rows.schema), complete=False)
            held.append(batch)
            missing = None if missing is None else missing - batch.num_rows
    return Answer(pa.Table.from_batches(held, rows.schema), complete=True)


def stream(reader: Reader, sql: str) -> pa.RecordBatchReader:
    """The rows of a query as they come. A value that fails while rows come is a UsageError there and then."""
    cursor = reader.connection.cursor()
    try:
        shown = _SHOW_TABLES.fullmatch(sql) is not None  # DuckDB lists those of one schema, and ours stand in several
        statement = _TABLES if shown else check_query(cursor, sql).strip().removesuffix(";")
        rows = cursor.sql(statement).to_arrow_reader(_BATCH_ROWS)
    except UsageError as error:
        raise as_usage_error(error, reader.tables) from error
    except (duckdb.BinderException, duckdb.CatalogException) as error:
        raise _helpful(None, _located(cursor, statement, error), reader.tables) from error
    except duckdb.Error as error:
        raise _as_error(error, reader) from error
    return pa.RecordBatchReader.from_batches(rows.schema, _guarded(rows, cursor, reader))


def _located(cursor: duckdb.DuckDBPyConnection, statement: str, error: duckdb.Error) -> str:
    """The same error with its place in the SQL, which DuckDB tells only when a statement is executed."""
    try:
        cursor.execute(statement)
    except duckdb.Error as again:
        return str(again)
    return str(error)


def _guarded(rows: pa.RecordBatchReader, cursor: duckdb.DuckDBPyConnection, reader: Reader) -> Iterable[pa.RecordBatch]:
    try:
        yield from rows
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise _as_error(error, reader) from error
    finally:
        cursor.close()


def _as_error(error: Exception, reader: Reader) -> UsageError | StorageError:
    message = str(error)
    damaged = isinstance(error, duckdb.InvalidInputException) and ".parquet" in message
    if isinstance(error, duckdb.IOException) or damaged:
        return unreadable(error)
    if "Out of Memory" in message:
        return UsageError("The query needs more memory than it may take", found=message.splitlines()[0])
    return _helpful(None, message, reader.tables)


def as_usage_error(error: Exception, tables: Iterable[str]) -> UsageError:
    """What the database, or the guard, says of SQL, with the place in it and the tables that come near."""
    cause = error.__cause__
    if not isinstance(error, UsageError):
        return _helpful(None, str(error), tables)
    return _helpful(error if cause is None else None, str(cause or error), tables)


def _helpful(error: UsageError | None, message: str, tables: Iterable[str]) -> UsageError:
    match = _MISSING_TABLE.search(message)
    if match is None:
        return error if error is not None else UsageError("The query cannot be run", found=_with_place(message))
    name = next(group for group in match.groups() if group is not None)
    return UsageError(f"There is no table {name}", remedy=_suggest(name, tables))


def _with_place(message: str) -> str:
    """`... LINE 1: SELECT x` with its marker is kept: it shows where. A first line of blanks is not."""
    return _POSITION.sub(r"\nline \1: ", message).rstrip()


def _suggest(name: str, tables: Iterable[str]) -> str:
    known = sorted(tables)
    near = nearest(name, known)
    meant = f"Did you mean {' or '.join(near)}? " if near else ""
    if len(known) > MOST_NAMED:
        return f"{meant}`SHOW TABLES` lists all {len(known)} of them."
    return f"{meant}Tables: {', '.join(known) if known else 'none yet; run `penstock run` first'}."


def nearest(name: str, tables: Iterable[str]) -> list[str]:
    """Up to three tables that are spelled like `name`, with or without their schema, gold before silver.

    >>> nearest("fact_sale", ["gold.fact_sales", "silver.books"])
    ['gold.fact_sales']
    """
    known = sorted(tables, key=lambda table: (_LAYERS.get(table.split(".", 1)[0], len(_LAYERS)), table))
    bare = name.lower().rsplit(".", 1)[-1]
    exact = [table for table in known if table.split(".", 1)[1].lower() == bare]
    if exact:
        return exact[:3]
    spelled = {table: max(_likeness(name, table), _likeness(bare, table.split(".", 1)[1])) for table in known}
    return sorted((table for table in known if spelled[table] >= 0.7), key=lambda table: -spelled[table])[:3]


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one.lower(), other.lower()).ratio()
