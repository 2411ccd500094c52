"""A reader of lakes that shares no code with the product or with PyIceberg: SQLite, JSON, Avro by hand, Parquet."""

from __future__ import annotations

import io
import json
import sqlite3
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


@dataclass(frozen=True)
class PlainTable:
    """A table as its files say: properties, summary of the current snapshot, rows by current column name."""

    properties: dict[str, str]
    summary: dict[str, str]
    rows: list[dict[str, Any]]
    files: list[str]


def read_tables(root: Path) -> dict[str, PlainTable]:
    if not (root / "catalog.db").exists():
        return {}
    with sqlite3.connect(root / "catalog.db") as db:
        try:
            found = db.execute("SELECT table_namespace, table_name, metadata_location FROM iceberg_tables").fetchall()
        except sqlite3.OperationalError:
            return {}
    db.close()
    return {f"{namespace}.{name}": read_table(location) for namespace, name, location in found}


def read_records(root: Path, kind: str) -> dict[str, Any]:
    with sqlite3.connect(root / "catalog.db") as db:
        rows = db.execute("SELECT key, value FROM penstock_record WHERE kind = ?", (kind,)).fetchall()
    db.close()
    return {key: json.loads(value) for key, value in rows}


def read_table(location: str) -> PlainTable:
    metadata = json.loads(Path(location).read_text())
    snapshots = {snapshot["snapshot-id"]: snapshot for snapshot in metadata.get("snapshots", [])}
    current = snapshots.get(metadata.get("current-snapshot-id"))
    if current is None:
        return PlainTable(metadata["properties"], {}, [], [])
    schema = next(one for one in metadata["schemas"] if one["schema-id"] == metadata["current-schema-id"])
    names = {field["id"]: field["name"] for field in schema["fields"]}
    found = [
        entry["data_file"]
        for manifest in read_avro(current["manifest-list"])
        for entry in read_avro(manifest["manifest_path"])
        if entry["status"] != 2
    ]
    files = [one["file_path"] for one in found if one["content"] == 0]
    gone = {place for one in found if one["content"] == 1 for place in _places(one["file_path"])}
    rows = [row for path in sorted(files) for n, row in enumerate(_rows(path, names)) if (path, n) not in gone]
    return PlainTable(metadata["properties"], current["summary"], rows, files)


def _places(path: str) -> list[tuple[str, int]]:
    with pq.ParquetFile(path) as file:
        return [(row["file_path"], row["pos"]) for row in file.read().to_pylist()]


def _rows(path: str, names: dict[int, str]) -> list[dict[str, Any]]:
    with pq.ParquetFile(path) as file:
        table = file.read()
    by_id = {int(field.metadata[b"PARQUET:field_id"]): field.name for field in table.schema}
    columns = [table[by_id[number]] if number in by_id else pa.nulls(table.num_rows) for number in names]
    return pa.table(columns, names=list(names.values())).to_pylist()


def read_avro(path: str) -> list[dict[str, Any]]:
    stream = io.BytesIO(Path(path).read_bytes())
    assert stream.read(4) == b"Obj\x01"
    header = _read_map(stream, "bytes")
    sync = stream.read(16)
    schema = json.loads(header["avro.schema"])
    deflated = header.get("avro.codec") == b"deflate"
    records = []
    while count := _maybe_long(stream):
        block = stream.read(_long(stream))
        content = io.BytesIO(zlib.decompress(block, -15) if deflated else block)
        records += [_value(content, schema) for _ in range(count)]
        assert stream.read(16) == sync
    return records


def _maybe_long(stream: io.BytesIO) -> int:
    return _long(stream) if stream.tell() < len(stream.getbuffer()) else 0


def _long(stream: io.BytesIO) -> int:
    shift = result = 0
    while True:
        byte = stream.read(1)[0]
        result |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return (result >> 1) ^ -(result & 1)


def _read_map(stream: io.BytesIO, values: Any) -> dict[str, Any]:
    result = {}
    while count := _long(stream):
        if count < 0:
            count, _ = -count, _long(stream)
        for _ in range(count):
            key = stream.read(_long(stream)).decode()
            result[key] = _value(stream, values)
    return result


def _array(stream: io.BytesIO, items: Any) -> list[Any]:
    result = []
    while count := _long(stream):
        if count < 0:
            count, _ = -count, _long(stream)
        result += [_value(stream, items) for _ in range(count)]
    return result


def _value(stream: io.BytesIO, schema: Any) -> Any:
    if isinstance(schema, list):
        return _value(stream, schema[_long(stream)])
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "record":
        return {field["name"]: _value(stream, field["type"]) for field in schema["fields"]}
    if kind == "array":
        return _array(stream, schema["items"])
    if kind == "map":
        return _read_map(stream, schema["values"])
    if kind == "fixed":
        return stream.read(schema["size"])
    if isinstance(kind, dict | list):
        return _value(stream, kind)
    return _primitive(stream, kind)


def _primitive(stream: io.BytesIO, kind: str) -> Any:
    if kind == "null":
        return None
    if kind == "boolean":
        return stream.read(1) == b"\x01"
    if kind in ("int", "long"):
        return _long(stream)
    if kind == "float":
        return struct.unpack("<f", stream.read(4))[0]
    if kind == "double":
        return struct.unpack("<d", stream.read(8))[0]
    content = stream.read(_long(stream))
    return content.decode() if kind == "string" else content
