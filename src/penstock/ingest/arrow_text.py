"""Typed Arrow values as the strings bronze keeps, exactly: what Parquet holds, in one canonical form.

Integers and decimals in plain digits; floats in the fewest digits that give the same float; booleans
`true`, `false`; dates and times ISO 8601, timestamps with a time zone in UTC with `Z`; durations as
the count of their unit; bytes in base64; UUIDs in their usual form; lists, structs and maps as JSON.
"""

from __future__ import annotations

import base64
import uuid
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from penstock.ingest.json_text import quoted

_ZERO_FRACTION = r"\.0+(Z?)$"


def text_array(array: pa.Array) -> pa.Array:
    """The array as strings, null where it is null."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _uuids(array) if kind.extension_name == "arrow.uuid" else text_array(array.storage)
    if types.is_dictionary(kind):
        return text_array(array.dictionary_decode())
    if types.is_nested(kind):
        return pa.array([None if text is None else text for text in _json(array)], pa.string())
    if types.is_decimal(kind):
        return _decimals(array)
    if types.is_timestamp(kind):
        return _timestamps(array)
    if types.is_time(kind):
        return pc.replace_substring_regex(array.cast(pa.string()), _ZERO_FRACTION, "")
    if _is_bytes(kind):
        values = (value.as_py() for value in array)
        return pa.array([None if value is None else base64.b64encode(value).decode() for value in values], pa.string())
    return array.cast(pa.string())


def _is_bytes(kind: pa.DataType) -> bool:
    tests = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_binary_view)
    return any(test(kind) for test in tests)


def _uuids(array: pa.Array) -> pa.Array:
    values = array.storage.to_pylist()
    return pa.array([None if value is None else str(uuid.UUID(bytes=value)) for value in values], pa.string())


def _decimals(array: pa.Array) -> pa.Array:
    """Arrow writes very small ones with an exponent."""
    texts = array.cast(pa.string())
    if not pc.any(pc.match_substring(texts, "E")).as_py():
        return texts
    return pa.array([None if text is None else f"{Decimal(text):f}" for text in texts.to_pylist()], pa.string())


def _timestamps(array: pa.Array) -> pa.Array:
    texts = array.cast(pa.timestamp(array.type.unit)).cast(pa.string())
    texts = pc.replace_substring(texts, " ", "T")
    if array.type.tz is not None:
        texts = pc.binary_join_element_wise(texts, "Z", "")
    return pc.replace_substring_regex(texts, _ZERO_FRACTION, r"\1")


def _json(array: pa.Array) -> list[str | None]:
    """Each value as canonical JSON, None for null."""
    kind = array.type
    if types.is_map(kind):
        return _maps(array)
    if types.is_struct(kind):
        return _structs(array)
    if types.is_nested(kind):
        return _lists(array)
    texts: list[str | None] = text_array(array).to_pylist()
    if types.is_boolean(kind) or types.is_integer(kind) or types.is_decimal(kind):
        return texts
    if types.is_floating(kind):
        finite = pc.is_finite(array).to_pylist()
        return [text if plain or text is None else quoted(text) for text, plain in zip(texts, finite, strict=True)]
    return [None if text is None else quoted(text) for text in texts]


def _structs(array: pa.Array) -> list[str | None]:
    names = [field.name for field in array.type]
    places = sorted(range(len(names)), key=names.__getitem__)
    columns = [_json(pc.struct_field(array, [place])) for place in places]
    keys = [quoted(names[place]) for place in places]
    rows = zip(*columns, strict=True) if columns else ((),) * len(array)
    texts = ["{" + ",".join(f"{k}:{_or_null(v)}" for k, v in zip(keys, row, strict=True)) + "}" for row in rows]
    return [text if valid else None for text, valid in zip(texts, array.is_valid().to_pylist(), strict=True)]


def _lists(array: pa.Array) -> list[str | None]:
    values = iter(_json(array.flatten()))
    lengths = pc.list_value_length(array).to_pylist()
    return [
        None if length is None else "[" + ",".join(_or_null(next(values)) for _ in range(length)) + "]"
        for length in lengths
    ]


def _maps(array: pa.Array) -> list[str | None]:
    """An object when the keys are strings, else an array of pairs; both sorted by key."""
    named = types.is_string(array.type.key_type) or types.is_large_string(array.type.key_type)
    entries = array.cast(pa.list_(pa.struct([("k", array.type.key_type), ("v", array.type.item_type)])))
    flat = entries.flatten()
    pairs = iter(zip(_json(pc.struct_field(flat, [0])), _json(pc.struct_field(flat, [1])), strict=True))
    texts: list[str | None] = []
    for length in pc.list_value_length(entries).to_pylist():
        if length is None:
            texts.append(None)
            continue
        own = sorted((_or_null(key), _or_null(value)) for key, value in (next(pairs) for _ in range(length)))
        joined = ",".join(f"{key}:{value}" if named else f"[{key},{value}]" for key, value in own)
        texts.append("{" + joined + "}" if named else "[" + joined + "]")
    return texts


def _or_null(text: str | None) -> str:
    return "null" if text is None else text
