"""What the gate sees of live tables: those that its checks name, as tables of the schema `live`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa

from penstock.quality.live import LIVE, live_named
from penstock.runtime.live_rows import shown
from penstock.spec.project import Check
from penstock.sql.names import quote
from penstock.store.live import LiveReader, live_tables, open_live

_ALL = -1  # rows, as SQLite's LIMIT has it
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_TYPES = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "instant": pa.timestamp("us", tz="UTC"),
    "binary": pa.binary(),
}


def define_live(connection: duckdb.DuckDBPyConnection, folder: Path, checks: Iterable[Check]) -> None:
    """Make the schema `live` with every table of `folder` that one of `checks` reads, as it is now."""
    named = {name for check in checks for name in live_named(check)}
    connection.execute(f"CREATE SCHEMA {LIVE}")
    for name in sorted(named.intersection(live_tables(folder))):
        with closing(open_live(folder, name)) as reader:
            connection.register("_read", _table(reader))
        connection.execute(f"CREATE TABLE {LIVE}.{quote(name)} AS FROM _read")
        connection.unregister("_read")


def _table(reader: LiveReader) -> pa.Table:
    rows = reader.rows(limit=_ALL)
    columns = {column.name: _column([row[column.name] for row in rows], column.kind) for column in reader.shape.columns}
    return pa.table(columns)


def _column(values: list[object], kind: str) -> pa.Array:
    """Stored values as what they stand for; a list stays the text it is stored as."""
    if match := _DECIMAL.fullmatch(kind):
        return pa.array([shown(value, kind) for value in values], pa.decimal128(int(match[1]), int(match[2])))
    if kind == "boolean":
        values = [None if value is None else bool(value) for value in values]
    if kind == "date":
        return pa.array(values, pa.int32()).cast(pa.date32())
    return pa.array(values, _TYPES.get(kind, pa.string()))
