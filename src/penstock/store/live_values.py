"""Values as a live table stores them: what SQLite compares as their kind does.

Instants are microseconds and dates days since 1970, decimals whole numbers of their last digit, booleans 0 and 1, lists
JSON.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from penstock.errors import StorageError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")


def stored(column: pa.ChunkedArray) -> list[Any]:
    """The values of a column as SQLite holds them."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", kind.tz)).cast(pa.int64())
    elif pa.types.is_date(kind):
        column = column.cast(pa.date32()).cast(pa.int32())
    elif pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    elif pa.types.is_decimal(kind):
        column = _whole_numbers(column)
    elif pa.types.is_list(kind):
        return [None if one is None else json.dumps(one, default=str, ensure_ascii=False) for one in column.to_pylist()]
    return column.to_pylist()  # type: ignore[no-any-return]


def _whole_numbers(column: pa.ChunkedArray) -> pa.Array:
    """Decimals as whole numbers of their last digit: the lower half of each, where the upper half is only its sign."""
    array = pa.concat_arrays(column.cast(pa.decimal128(38, column.type.scale)).chunks or [pa.array([], column.type)])
    data = array.buffers()[1]
    halves = np.frombuffer(data or b"", dtype="<i8").reshape(-1, 2)[array.offset : array.offset + len(array)]
    valid = np.asarray(array.is_valid(), dtype=bool)
    if (halves[valid, 1] != halves[valid, 0] >> 63).any():
        raise StorageError("A decimal is too large for a live table", expected="at most 18 digits")
    return pa.array(halves[:, 0], mask=~valid)


def decimal_of(kind: str) -> tuple[int, int] | None:
    """Precision and scale of a kind, when it is a decimal."""
    found = _DECIMAL.fullmatch(kind)
    return None if found is None else (int(found[1]), int(found[2]))


def restored(value: Any, kind: str) -> Any:
    """What a stored value stands for: a decimal, an instant in UTC, a date, true or false; a list stays JSON.

    >>> restored(1234, "decimal(10,2)"), restored(1, "boolean"), restored(None, "date")
    (Decimal('12.34'), True, None)
    """
    if value is None:
        return None
    match kind:
        case "instant":
            return EPOCH + timedelta(microseconds=value)
        case "date":
            return EPOCH.date() + timedelta(days=value)
        case "boolean":
            return bool(value)
    decimal = decimal_of(kind)
    return value if decimal is None else Decimal(value).scaleb(-decimal[1])
