"""The columns of topics and steps, as Arrow types."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from penstock.conform.columns import decimal_size
from penstock.spec.contract import Column, Contract, LogicalType
from penstock.spec.stream import (
    FINAL,
    VERSION,
    WINDOW_END,
    WINDOW_START,
    Aggregate,
    Join,
    Measure,
    Running,
    Window,
    WindowKind,
)

INSTANT = pa.timestamp("us", tz="UTC")
PARTITION, OFFSET = "_partition", "_offset"
DELETED = "_deleted"  # of a change of a live table: the row of this key is there no longer
SYSTEM = (pa.field(PARTITION, pa.int32()), pa.field(OFFSET, pa.int64()))

_TYPES: Mapping[LogicalType, pa.DataType] = {
    LogicalType.STRING: pa.string(),
    LogicalType.INTEGER: pa.int64(),
    LogicalType.NUMBER: pa.float64(),
    LogicalType.BOOLEAN: pa.bool_(),
    LogicalType.DATE: pa.date32(),
    LogicalType.TIMESTAMP: INSTANT,
}


def column_type(column: Column) -> pa.DataType:
    """The Arrow type of a contract's column.

    >>> column_type(Column(id="a", name="a", type=LogicalType.DECIMAL, precision=18, scale=4))
    Decimal128Type(decimal128(18, 4))
    """
    return pa.decimal128(*decimal_size(column)) if column.type is LogicalType.DECIMAL else _TYPES[column.type]


def contract_schema(contract: Contract, pseudonyms: Mapping[str, str] | None = None) -> pa.Schema:
    """The contract's columns in order; those that are held as `pseudonyms` are text."""
    held = pseudonyms or {}
    return pa.schema(
        [
            pa.field(column.name, pa.string() if column.name in held else column_type(column))
            for column in contract.columns
        ]
    )


def running_fields(running: Running) -> list[pa.Field]:
    """What running statistics add."""
    types = (
        (running.count, pa.int64()),
        (running.mean, pa.float64()),
        (running.deviation, pa.float64()),
        (running.score, pa.float64()),
        (running.flag, pa.bool_()),
    )
    return [pa.field(name, kind) for name, kind in types if name is not None]


def window_schema(window: Window, rows: pa.Schema) -> pa.Schema:
    """The rows of a window over `rows`."""
    return pa.schema(
        [
            pa.field(WINDOW_START, INSTANT),
            pa.field(WINDOW_END, INSTANT),
            *(rows.field(name) for name in window.by),
            *(pa.field(one.name, _measured(one, rows)) for one in window.aggregates),
            pa.field(VERSION, pa.int64()),
            pa.field(FINAL, pa.bool_()),
            *([pa.field(DELETED, pa.bool_())] if window.kind is WindowKind.SESSION else []),
        ]
    )


def join_fields(join: Join, other: pa.Schema) -> list[pa.Field]:
    """What a join adds."""
    return [
        *(pa.field(name, other.field(theirs).type) for name, theirs in join.columns),
        pa.field(VERSION, pa.int64()),
        pa.field(FINAL, pa.bool_()),
    ]


def _measured(one: Aggregate, rows: pa.Schema) -> pa.DataType:
    kind = pa.null() if one.column is None else rows.field(one.column).type
    match one.measure:
        case Measure.COUNT | Measure.DISTINCT:
            return pa.int64()
        case Measure.MEAN:
            return pa.float64()
        case Measure.TOP:
            return pa.list_(kind)
        case Measure.SUM if pa.types.is_decimal(kind):
            return pa.decimal128(38, kind.scale)
        case Measure.SUM if pa.types.is_integer(kind):
            return pa.int64()
        case Measure.SUM:
            return pa.float64()
        case _:
            return kind
