"""A JSON value by itself: whether it is an object, and what a column makes of each of its values."""

from __future__ import annotations

import base64
import json
import math
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from types import NoneType
from typing import Any

import pyarrow as pa

UNREADABLE = (pa.ArrowInvalid, TypeError, InvalidOperation, ValueError)
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class NotReadable(ValueError):
    """A value that is none of the topic: `code`, `expected` and `found` say why.

    `perhaps`: what is wrong may stand in a key that the topic does not have, and then nobody minds.
    """

    def __init__(self, code: str, expected: str, found: str, *, perhaps: bool = False) -> None:
        self.code, self.expected, self.found, self.perhaps = code, expected, found, perhaps
        super().__init__(f"{code}: expected {expected}, found {found}")


def object_of(value: bytes | None) -> dict[str, Any]:
    """The object that the bytes are, every key once, or NotReadable."""
    if value is None:
        raise NotReadable("json", "a JSON object", "nothing")
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise NotReadable("encoding", "UTF-8", "other bytes") from None
    try:
        read = _DECODER.decode(text)
    except NotReadable:
        raise
    except RecursionError:
        raise NotReadable("json", "a JSON object", "too many brackets", perhaps=True) from None
    except ValueError:
        raise NotReadable("json", "a JSON object", "something else") from None
    if not isinstance(read, dict):
        raise NotReadable("json", "a JSON object", "another JSON value")
    return read


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotReadable("json", "every key once", "a key twice", perhaps=True)
    return found


def _refuse(name: str) -> None:
    raise NotReadable("json", "a JSON object", f"the word {name}", perhaps=True)


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_refuse)


def kinds_of(type: pa.DataType) -> tuple[object, ...]:
    """The Python types that a value of the column may have as JSON is read."""
    if pa.types.is_list(type):
        return (list, NoneType)
    if pa.types.is_struct(type):
        return (dict, NoneType)
    if pa.types.is_boolean(type):
        return (bool, NoneType)
    if pa.types.is_integer(type):
        return (int, NoneType)
    return (float, int, NoneType) if pa.types.is_floating(type) else (str, NoneType)


def value_of(value: Any, field: pa.Field) -> Any:
    """A value that the column can hold, or NotReadable."""
    if value is None:
        return None
    try:
        found = converted(value, field.type)
        pa.array([found], field.type)
    except (ValueError, TypeError, InvalidOperation, pa.ArrowInvalid, OverflowError):
        raise NotReadable("type", f"{field.name} {field.type}", f"a {type(value).__name__}") from None
    return found


def converted(value: Any, wanted: pa.DataType) -> Any:
    """A value as the type has it; one of UNREADABLE is raised where it is none."""
    if value is None:
        return None
    if pa.types.is_list(wanted):
        return [converted(one, wanted.value_type) for one in value] if isinstance(value, list) else _no(value)
    if pa.types.is_struct(wanted):
        if not isinstance(value, dict):
            return _no(value)
        return {one.name: converted(value.get(one.name), one.type) for one in wanted.fields}
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
