"""Values of a column as JSON texts, all at once; one by one only those that need an escape, bytes, lists and structs."""

from __future__ import annotations

import base64
import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_FIRST_PLAIN, _QUOTE, _BACKSLASH = b' "\\'
_SPECIAL = '["\\\\\\x00-\\x1f]'


def texts_of(column: pa.Array) -> tuple[str, pa.Array, str]:
    """Each value as JSON text, null as null, and what stands before and behind every one of them."""
    before, texts, after = _texts(column)
    if column.null_count == 0:
        return before, texts, after
    whole = pc.binary_join_element_wise(before, texts, after, "") if before or after else texts
    return "", pc.fill_null(whole, "null"), ""


def _texts(column: pa.Array) -> tuple[str, pa.Array, str]:
    """The same, with null for null."""
    type = column.type
    if pa.types.is_nested(type):
        plain = [None if one is None else json.dumps(_plain(one), ensure_ascii=False) for one in column.to_pylist()]
        return "", pa.array(plain, pa.string()), ""
    if pa.types.is_string(type):
        return ('"', column, '"') if _needs_no_escape(column) else ("", _quoted(column), "")
    if pa.types.is_binary(type):
        encoded = [None if one is None else base64.b64encode(one).decode() for one in column.to_pylist()]
        return '"', pa.array(encoded, pa.string()), '"'
    if pa.types.is_timestamp(type):
        return '"', _instants(column), 'Z"'
    if pa.types.is_floating(type):
        return "", pc.if_else(pc.is_finite(column), pc.cast(column, pa.string()), _not_finite(column)), ""
    if pa.types.is_integer(type) or pa.types.is_boolean(type):
        return "", pc.cast(column, pa.string()), ""
    return '"', pc.cast(column, pa.string()), '"'


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


def _instants(column: pa.Array) -> pa.Array:
    """Times in UTC by ISO 8601, without the zone: with it every value is looked up in the tables of zones. Of ends of
    windows many rows have the same: each is written once."""
    words = column.dictionary_encode()
    if 2 * len(words.dictionary) < len(column):
        return _instants(words.dictionary).take(words.indices)
    return pc.replace_substring(pc.cast(pc.cast(column, pa.timestamp(column.type.unit)), pa.string()), " ", "T")


def _needs_no_escape(column: pa.Array) -> bool:
    """Whether no text does: one look at the bytes of all."""
    _, ends, data = column.buffers()
    first, last = np.frombuffer(ends, np.int32)[[column.offset, column.offset + len(column)]] if len(column) else (0, 0)
    if first == last:
        return True
    text = np.frombuffer(data, np.uint8)[first:last]
    return bool(text.min() >= _FIRST_PLAIN and not (text == _QUOTE).any() and not (text == _BACKSLASH).any())


def _quoted(column: pa.Array) -> pa.Array:
    """Texts that need no escape go as they are."""
    special = pc.fill_null(pc.match_substring_regex(column, _SPECIAL), False)
    plain = pc.binary_join_element_wise('"', column, '"', "")
    if not pc.any(special).as_py():
        return plain
    escaped = pa.array([json.dumps(one, ensure_ascii=False) for one in column.filter(special).to_pylist()], pa.string())
    return pc.replace_with_mask(plain, special, escaped)
