"""Partition transforms over whole columns, and rows cut by partition with one stable sort."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema

_HOUR_IN_MICROSECONDS = 3_600_000_000
_FOLDER_LENGTH = 120


@dataclass(frozen=True)
class Part:
    """The rows of one partition, its values in Iceberg's form, and its folder below `data/`."""

    rows: pa.Table
    values: tuple[object, ...]
    folder: str


def cut(rows: pa.Table, schema: Schema, spec: PartitionSpec) -> Iterator[Part]:
    """Rows by partition, in the order of first keys; order within a partition is kept."""
    if not spec.fields:
        yield Part(rows, (), "")
        return
    keys = [_key(rows, schema, field) for field in spec.fields]
    codes, firsts = _codes(keys)
    values = [tuple(key[int(row)].as_py() for key in keys) for row in firsts]
    if len(firsts) == 1:
        yield _part(rows, schema, spec, values[0])
        return
    order = np.argsort(codes, kind="stable")
    ordered = rows.take(pa.array(order))
    bounds = [0, *(np.flatnonzero(np.diff(codes[order])) + 1).tolist(), len(order)]
    for start, stop, key in zip(bounds, bounds[1:], values, strict=False):
        yield _part(ordered.slice(start, stop - start), schema, spec, key)


def transform(values: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """The partition values of a column in Iceberg's form: years, months, days or hours since 1970, or itself.

    Times before 1970 count down from -1, as the Iceberg specification says. Null stays null.

    >>> import datetime
    >>> transform(pa.chunked_array([[datetime.date(1969, 12, 31), None]]), "month").to_pylist()
    [-1, None]
    """
    if name == "identity":
        return pc.cast(values, pa.int32()) if pa.types.is_date(values.type) else values
    if name == "year":
        return pc.cast(pc.subtract(pc.year(values), 1970), pa.int32())
    if name == "month":
        years = pc.multiply(pc.subtract(pc.year(values), 1970), 12)
        return pc.cast(pc.add(years, pc.subtract(pc.month(values), 1)), pa.int32())
    if name == "day":
        return pc.cast(pc.cast(values, pa.date32(), safe=False), pa.int32())
    return pc.cast(_floor_divide(pc.cast(values, pa.int64()), _HOUR_IN_MICROSECONDS), pa.int32())


def _floor_divide(values: pa.ChunkedArray, divisor: int) -> pa.ChunkedArray:
    quotient = pc.divide(values, divisor)
    remainder = pc.subtract(values, pc.multiply(quotient, divisor))
    return pc.subtract(quotient, pc.cast(pc.less(remainder, 0), pa.int64()))


def _key(rows: pa.Table, schema: Schema, field: PartitionField) -> pa.Array:
    name = schema.find_column_name(field.source_id)
    return transform(rows.column(name), str(field.transform)).combine_chunks()


def _codes(keys: list[pa.Array]) -> tuple[np.ndarray, np.ndarray]:
    """One integer per row that orders partitions by their keys, and the first row of each partition."""
    combined = np.zeros(len(keys[0]), dtype=np.int64)
    for key in keys:
        distinct = pc.unique(key)
        ranked = distinct.take(pc.sort_indices(distinct))
        code = pc.index_in(key, value_set=ranked, skip_nulls=False).to_numpy(zero_copy_only=False)
        combined = combined * len(ranked) + code
    _, firsts = np.unique(combined, return_index=True)
    return combined, firsts


def _part(rows: pa.Table, schema: Schema, spec: PartitionSpec, values: tuple[object, ...]) -> Part:
    pairs = zip(spec.fields, values, strict=True)
    return Part(rows, values, "/".join(_folder(schema, field, value) for field, value in pairs))


def _folder(schema: Schema, field: PartitionField, value: object) -> str:
    """A readable folder name without `=`: readers must not mistake it for a column.

    It need not be unique, for the manifest holds the value: a long one is cut.
    """
    text = field.transform.to_human_string(schema.find_type(field.source_id), value)
    return quote(f"{field.name}-{text}", safe="")[:_FOLDER_LENGTH]
