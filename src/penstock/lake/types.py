"""The closed set of column types, in the four languages that meet in a table file."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    StringType,
    TimestamptzType,
)

from penstock.errors import DeclarationError

_DECIMAL = re.compile(r"decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)")
_LIST_OF_STRING = "list<string>"


@dataclass(frozen=True)
class _Plain:
    iceberg: IcebergType
    arrow: pa.DataType
    duckdb: str


_PLAIN: dict[str, _Plain] = {
    "string": _Plain(StringType(), pa.string(), "VARCHAR"),
    "long": _Plain(LongType(), pa.int64(), "BIGINT"),
    "int": _Plain(IntegerType(), pa.int32(), "INTEGER"),
    "double": _Plain(DoubleType(), pa.float64(), "DOUBLE"),
    "float": _Plain(FloatType(), pa.float32(), "FLOAT"),
    "boolean": _Plain(BooleanType(), pa.bool_(), "BOOLEAN"),
    "date": _Plain(DateType(), pa.date32(), "DATE"),
    "timestamptz": _Plain(TimestamptzType(), pa.timestamp("us", tz="UTC"), "TIMESTAMP WITH TIME ZONE"),
    "binary": _Plain(BinaryType(), pa.binary(), "BLOB"),
}


def iceberg_type(text: str, *, where: str, element_id: int = -1) -> IcebergType:
    """The Iceberg type spelled `text`; a list takes `element_id` for its element.

    >>> str(iceberg_type("decimal(12, 2)", where="a.b"))
    'decimal(12, 2)'
    """
    if text in _PLAIN:
        return _PLAIN[text].iceberg
    if text == _LIST_OF_STRING:
        return ListType(element_id=element_id, element=StringType(), element_required=False)
    if match := _DECIMAL.fullmatch(text):
        precision, scale = int(match[1]), int(match[2])
        if 1 <= precision <= 38 and scale <= precision:
            return DecimalType(precision, scale)
    known = ", ".join([*_PLAIN, "decimal(P,S)", _LIST_OF_STRING])
    raise DeclarationError(
        "A column type is not known to the lake", where=where, expected=f"one of {known}", found=text
    )


def type_text(kind: IcebergType) -> str:
    """The spelling of an Iceberg type that `iceberg_type` reads back."""
    if isinstance(kind, ListType):
        return _LIST_OF_STRING
    if isinstance(kind, DecimalType):
        return f"decimal({kind.precision},{kind.scale})"
    return str(kind)


def arrow_type(kind: IcebergType) -> pa.DataType:
    """How values of the type stand in Arrow; a list carries the field id of its element."""
    if isinstance(kind, ListType):
        return pa.list_(pa.field("element", pa.string(), metadata=field_id_metadata(kind.element_id)))
    if isinstance(kind, DecimalType):
        return pa.decimal128(kind.precision, kind.scale)
    return _PLAIN[str(kind)].arrow


def duckdb_type(kind: IcebergType) -> str:
    """How DuckDB spells the type."""
    if isinstance(kind, ListType):
        return "VARCHAR[]"
    if isinstance(kind, DecimalType):
        return f"DECIMAL({kind.precision},{kind.scale})"
    return _PLAIN[str(kind)].duckdb


def widens(old: str, new: str) -> bool:
    """Whether every value of `old` is a value of `new` and Iceberg may read old files as `new`.

    >>> widens("int", "long"), widens("decimal(8,2)", "decimal(12,2)"), widens("long", "int")
    (True, True, False)
    """
    if (old, new) in {("int", "long"), ("float", "double")}:
        return True
    before, after = _DECIMAL.fullmatch(old), _DECIMAL.fullmatch(new)
    return before is not None and after is not None and before[2] == after[2] and int(before[1]) < int(after[1])


def field_id_metadata(field_id: int) -> dict[bytes, bytes]:
    """The Arrow field metadata that becomes a Parquet field id."""
    return {b"PARQUET:field_id": str(field_id).encode()}
