"""A row as one JSON object: whole columns at a time, row by row only for those that are not as they should be.

Whole numbers, floats and booleans are JSON's own; decimals, dates (ISO 8601) and UTC times (ISO 8601, microseconds) are
strings; bytes are Base64; NaN and infinities are the strings NaN, Infinity and -Infinity. Lists are arrays, structs
objects, of the same.
"""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from penstock.log.protocol import LogError

_SPECIAL = '["\\\\\\x00-\\x1f]'
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class NotReadable(ValueError):
    """A value that is none of the topic: `code`, `expected` and `found` say why."""

    def __init__(self, code: str, expected: str, found: str) -> None:
        self.code, self.expected, self.found = code, expected, found
        super().__init__(f"{code}: expected {expected}, found {found}")


class JsonCodec:
    """Values of the payload columns to bytes and back."""

    def __init__(self, schema: pa.Schema) -> None:
        for one in schema:
            if not _known(one.type):
                raise LogError("This type has no form in JSON", where=one.name, found=str(one.type))
        self._schema = schema
        self._read = pa.schema([pa.field(one.name, _read_type(one.type)) for one in schema])

    def encode(self, rows: pa.RecordBatch) -> list[bytes]:
        if not self._schema.names:
            return [b"{}"] * rows.num_rows
        parts: list[Any] = []
        for number, one in enumerate(self._schema):
            parts += [("," if number else "{") + json.dumps(one.name) + ":", _texts(rows.column(one.name))]
        joined = pc.binary_join_element_wise(*parts, "}", "")
        found: list[bytes] = pc.cast(joined, pa.binary()).to_pylist()
        return found

    def decode(self, values: Sequence[bytes | None]) -> tuple[pa.RecordBatch, dict[int, NotReadable]]:
        """The rows that can be read, and by number those that cannot."""
        batches: list[pa.RecordBatch] = []
        bad: dict[int, NotReadable] = {}
        self._decode(values, 0, batches, bad)
        table = pa.Table.from_batches(batches, self._schema).combine_chunks()
        rows = table.to_batches()[0] if table.num_rows else pa.RecordBatch.from_pylist([], self._schema)
        return rows, bad

    def _decode(
        self,
        values: Sequence[bytes | None],
        first: int,
        batches: list[pa.RecordBatch],
        bad: dict[int, NotReadable],
    ) -> None:
        """Halves what cannot be read at once: what is judged row by row does not depend on its neighbours."""
        if not values:
            return
        found = self._at_once(values)
        if found is not None:
            batches.append(found)
        elif len(values) == 1:
            try:
                batches.append(self._alone(values[0]))
            except NotReadable as error:
                bad[first] = error
        else:
            half = len(values) // 2
            self._decode(values[:half], first, batches, bad)
            self._decode(values[half:], first + half, batches, bad)

    def _at_once(self, values: Sequence[bytes | None]) -> pa.RecordBatch | None:
        """All of them, or None: every value is one object on one line, so there are as many rows as values."""
        if not all(one and one[:1] == b"{" and one[-1:] == b"}" and b"\n" not in one for one in values):
            return None
        data = b"\n".join(values)  # type: ignore[arg-type]
        try:
            data.decode()
            table = pj.read_json(
                io.BytesIO(data),
                read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
                parse_options=pj.ParseOptions(explicit_schema=self._read, unexpected_field_behavior="ignore"),
            )
            columns = [_typed(table[one.name], one.type) for one in self._schema]
        except (pa.ArrowInvalid, TypeError, InvalidOperation, ValueError):
            return None
        if table.num_rows != len(values) or any(_has_nan(column) for column in columns):
            return None
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)

    def _alone(self, value: bytes | None) -> pa.RecordBatch:
        read = _object(value)
        columns = [pa.array([_value(read.get(one.name), one)], one.type) for one in self._schema]
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)


def _known(type: pa.DataType) -> bool:
    if pa.types.is_list(type):
        return _known(type.value_type)
    if pa.types.is_struct(type):
        return all(_known(one.type) for one in type.fields)
    tests = (pa.types.is_integer, pa.types.is_boolean, pa.types.is_string, pa.types.is_binary, pa.types.is_decimal)
    return type in (pa.float64(), pa.date32(), pa.timestamp("us", tz="UTC")) or any(test(type) for test in tests)


def _read_type(type: pa.DataType) -> pa.DataType:
    own = pa.types.is_integer(type) or pa.types.is_floating(type) or pa.types.is_boolean(type)
    if pa.types.is_list(type):
        return pa.list_(_read_type(type.value_type))
    if pa.types.is_struct(type):
        return pa.struct([(one.name, _read_type(one.type)) for one in type.fields])
    return type if own else pa.string()


def _texts(column: pa.Array) -> pa.Array:
    """Each value as JSON text, null as null."""
    type = column.type
    if pa.types.is_nested(type):
        plain = [None if one is None else json.dumps(_plain(one), ensure_ascii=False) for one in column.to_pylist()]
        texts = pa.array(plain, pa.string())
    elif pa.types.is_string(type):
        texts = _quoted(column)
    elif pa.types.is_binary(type):
        encoded = [None if one is None else base64.b64encode(one).decode() for one in column.to_pylist()]
        texts = _between_quotes(pa.array(encoded, pa.string()))
    elif pa.types.is_timestamp(type):
        texts = _between_quotes(pc.strftime(column, "%Y-%m-%dT%H:%M:%SZ"))
    elif pa.types.is_floating(type):
        texts = pc.if_else(pc.is_finite(column), pc.cast(column, pa.string()), _not_finite(column))
    elif pa.types.is_integer(type) or pa.types.is_boolean(type):
        texts = pc.cast(column, pa.string())
    else:
        texts = _between_quotes(pc.cast(column, pa.string()))
    return pc.fill_null(texts, "null")


def _plain(value: Any) -> Any:
    """A value within a list or a struct as JSON has it."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value) if isinstance(value, date | Decimal) else value


def _not_finite(column: pa.Array) -> pa.Array:
    positive = pc.if_else(pc.greater(column, 0), '"Infinity"', '"-Infinity"')
    return pc.if_else(pc.is_nan(column), '"NaN"', positive)


def _between_quotes(texts: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise('"', texts, '"', "")


def _quoted(column: pa.Array) -> pa.Array:
    """Texts that need no escape go as they are."""
    special = pc.fill_null(pc.match_substring_regex(column, _SPECIAL), False)
    plain = _between_quotes(column)
    if not pc.any(special).as_py():
        return plain
    escaped = pa.array([json.dumps(one, ensure_ascii=False) for one in column.filter(special).to_pylist()], pa.string())
    return pc.replace_with_mask(plain, special, escaped)


def _typed(column: pa.ChunkedArray, type: pa.DataType) -> pa.Array:
    whole = column.combine_chunks()
    whole = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
    if pa.types.is_binary(type):
        found = [None if one is None else base64.b64decode(one, validate=True) for one in whole.to_pylist()]
        return pa.array(found, type)
    if pa.types.is_nested(type) and whole.type != type:
        return pa.array([_converted(one, type) for one in whole.to_pylist()], type)
    return whole if whole.type == type else pc.cast(whole, type)


def _has_nan(column: pa.Array) -> bool:
    """What reads JSON here takes NaN for a number; JSON does not."""
    return pa.types.is_floating(column.type) and bool(pc.any(pc.is_nan(column)).as_py())


def _object(value: bytes | None) -> dict[str, Any]:
    if value is None:
        raise NotReadable("json", "a JSON object", "nothing")
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise NotReadable("encoding", "UTF-8", "other bytes") from None
    try:
        read = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)
    except NotReadable:
        raise
    except (ValueError, RecursionError):
        raise NotReadable("json", "a JSON object", "something else") from None
    if not isinstance(read, dict):
        raise NotReadable("json", "a JSON object", "another JSON value")
    return read


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotReadable("json", "every key once", "a key twice")
    return found


def _refuse(name: str) -> None:
    raise NotReadable("json", "a JSON object", f"the word {name}")


def _value(value: Any, field: pa.Field) -> Any:
    """A value of the column's type, or NotReadable."""
    if value is None:
        return None
    try:
        found = _converted(value, field.type)
        pa.array([found], field.type)
    except (ValueError, TypeError, InvalidOperation, pa.ArrowInvalid, OverflowError):
        raise NotReadable("type", f"{field.name} {field.type}", f"a {type(value).__name__}") from None
    return found


def _converted(value: Any, wanted: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_list(wanted):
        return [_converted(one, wanted.value_type) for one in value] if isinstance(value, list) else _no(value)
    if pa.types.is_struct(wanted):
        if not isinstance(value, dict):
            return _no(value)
        return {one.name: _converted(value.get(one.name), one.type) for one in wanted.fields}
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if pa.types.is_floating(wanted):
        if number and math.isfinite(value):
            return float(value)
        return _NOT_FINITE[value] if value in _NOT_FINITE else _no(value)
    if pa.types.is_integer(wanted):
        return value if number and isinstance(value, int) else _no(value)
    if pa.types.is_boolean(wanted):
        return value if isinstance(value, bool) else _no(value)
    if not isinstance(value, str):
        return _no(value)
    if pa.types.is_binary(wanted):
        return base64.b64decode(value, validate=True)
    if pa.types.is_decimal(wanted):
        return Decimal(value)
    if pa.types.is_timestamp(wanted):
        return datetime.fromisoformat(value)
    return date.fromisoformat(value) if pa.types.is_date(wanted) else value


def _no(value: object) -> None:
    raise TypeError(type(value).__name__)
