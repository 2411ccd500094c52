"""Reads the files of a log with sqlite3, zlib and Arrow alone: it shares no code with the product."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pyarrow as pa


def ids_in(folder: Path) -> list[int]:
    """The ids in all segments under a folder, in the order of segments, partitions and offsets."""
    found: list[int] = []
    for path in sorted(folder.rglob("0*.db")):
        connection = sqlite3.connect(path)
        schemas = {
            number: pa.ipc.read_schema(pa.py_buffer(data))
            for number, data in connection.execute("SELECT id, arrow FROM schema")
        }
        query = "SELECT schema, data FROM batch ORDER BY part, first"
        for schema, data in connection.execute(query).fetchall():
            rows = pa.ipc.read_record_batch(pa.py_buffer(data), schemas[schema])
            found += rows.column("id").to_pylist()
        connection.close()
    return found
