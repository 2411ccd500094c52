"""What the gate sees of live tables: those that its checks name, as tables of the schema `live`."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa

from penstock.quality.live import LIVE, live_named
from penstock.spec.project import Check
from penstock.sql.names import quote
from penstock.store.live_file import live_tables
from penstock.store.live_reader import LiveReader, open_live
from penstock.store.live_values import decimal_of, restored

_ALL = -1  # rows, as SQLite's LIMIT has it
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
    return pa.table({name: _column([row[name] for row in rows], kind) for name, kind in reader.shape.kinds.items()})


def _column(values: list[object], kind: str) -> pa.Array:
    """Stored values as what they stand for; a list stays the text it is stored as."""
    decimal = decimal_of(kind)
    type = pa.decimal128(*decimal) if decimal is not None else _TYPES.get(kind, pa.string())
    return pa.array([restored(value, kind) for value in values], type)
