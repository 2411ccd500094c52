"""Reads the files of a log with sqlite3, zlib and Arrow alone: it shares no code with the product."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pyarrow as pa


def ids_in(folder: Path) -> list[int]:
    """The ids in all segments under a folder, in the order of segments, partitions and offsets."""
    return [row["id"] for row in rows_in(folder)]


def rows_in(folder: Path, topic: str | None = None) -> list[dict[str, Any]]:
    """The rows in all segments under a folder, of one topic or of all, in the same order."""
    found: list[dict[str, Any]] = []
    for path in sorted(folder.rglob("0*.db")):
        connection = sqlite3.connect(path)
        schemas = {
            number: pa.ipc.read_schema(pa.py_buffer(data))
            for number, data in connection.execute("SELECT id, arrow FROM schema")
        }
        parts = dict(connection.execute("SELECT id, topic FROM part").fetchall())
        query = "SELECT part, schema, data FROM batch ORDER BY part, first"
        for part, schema, data in connection.execute(query).fetchall():
            if topic is None or parts[part] == topic:
                found += pa.ipc.read_record_batch(pa.py_buffer(data), schemas[schema]).to_pylist()
        connection.close()
    return found
