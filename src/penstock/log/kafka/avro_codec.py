"""A row as Avro in Confluent's wire format: a zero byte, the number of the schema (four bytes, big-endian), the datum."""

from __future__ import annotations

import io
import json
import re
import struct
from collections.abc import Sequence
from typing import Any

import fastavro
import pyarrow as pa

from penstock.log.kafka.json_values import NotReadable
from penstock.log.kafka.registry import SchemaRegistry
from penstock.log.protocol import LogError

_HEAD = struct.Struct(">bI")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SIMPLE = {
    pa.int64(): "long",
    pa.int32(): "int",
    pa.float64(): "double",
    pa.bool_(): "boolean",
    pa.string(): "string",
    pa.binary(): "bytes",
    pa.date32(): {"type": "int", "logicalType": "date"},
    pa.timestamp("us", tz="UTC"): {"type": "long", "logicalType": "timestamp-micros"},
}


def avro_schema(name: str, schema: pa.Schema) -> dict[str, Any]:
    """The record of a topic: every column may be null, in the order of the topic."""
    own = re.sub(r"[^A-Za-z0-9_]", "_", f"T{name}")
    return {"type": "record", "name": own, "fields": [_field(one, own) for one in schema]}


def _field(one: pa.Field, within: str) -> dict[str, Any]:
    if not _NAME.fullmatch(one.name):
        raise LogError("Avro does not allow this name of a column", found=one.name)
    return {"name": one.name, "type": ["null", _type(one, f"{within}_{one.name}")], "default": None}


def _type(one: pa.Field, path: str) -> object:
    if pa.types.is_list(one.type):
        return {"type": "array", "items": ["null", _type(one.type.value_field, f"{path}_item")]}
    if pa.types.is_struct(one.type):
        return {"type": "record", "name": path, "fields": [_field(inner, path) for inner in one.type.fields]}
    if pa.types.is_decimal(one.type):
        scale = {"precision": one.type.precision, "scale": one.type.scale}
        return {"type": "bytes", "logicalType": "decimal", **scale}
    if one.type not in _SIMPLE:
        raise LogError("This type has no form in Avro", where=one.name, found=str(one.type))
    return _SIMPLE[one.type]


class AvroCodec:
    """Values of the payload columns to bytes and back; the subject is that of the topic's values."""

    def __init__(self, topic: str, schema: pa.Schema, registry: SchemaRegistry) -> None:
        self._schema = schema
        self._subject = f"{topic}-value"
        self._registry = registry
        self._text = json.dumps(avro_schema(topic, schema))
        self._own = fastavro.parse_schema(json.loads(self._text))
        self._written: dict[int, Any] = {}

    def encode(self, rows: pa.RecordBatch) -> list[bytes]:
        head = _HEAD.pack(0, self._registry.register(self._subject, self._text))
        found = []
        for row in rows.to_pylist():
            stream = io.BytesIO()
            stream.write(head)
            fastavro.schemaless_writer(stream, self._own, row)
            found.append(stream.getvalue())
        return found

    def decode(self, values: Sequence[bytes | None]) -> tuple[pa.RecordBatch, dict[int, NotReadable]]:
        """The rows that can be read, and by number those that cannot."""
        rows: list[dict[str, Any]] = []
        bad: dict[int, NotReadable] = {}
        for number, value in enumerate(values):
            try:
                rows.append(self._row(value))
            except NotReadable as error:
                bad[number] = error
        return pa.RecordBatch.from_pylist(rows, self._schema), bad

    def _row(self, value: bytes | None) -> dict[str, Any]:
        if value is None or len(value) < _HEAD.size or value[0] != 0:
            raise NotReadable("avro", "a zero byte and the number of a schema", "something else")
        number = int(_HEAD.unpack_from(value)[1])
        written = self._schema_of(number)
        try:
            row: Any = fastavro.schemaless_reader(io.BytesIO(value[_HEAD.size :]), written, self._own)
            pa.RecordBatch.from_pylist([row], self._schema)
        except Exception as error:  # noqa: BLE001 - whatever bytes may do to a parser
            raise NotReadable("avro", f"a record of schema {number}", type(error).__name__) from None
        return dict(row)

    def _schema_of(self, number: int) -> Any:
        if number not in self._written:
            text = self._registry.schema(number)
            if text is None:
                raise NotReadable("avro", "a schema that the registry knows", f"number {number}")
            self._written[number] = fastavro.parse_schema(json.loads(text))
        return self._written[number]
