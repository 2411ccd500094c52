"""Values of a column as declared: a bound or permitted value, held against the column's type."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from penstock.spec.contract import LogicalType
from penstock.spec.scalars import decimal_of, decimal_text

_INTEGERS = range(-(2**63), 2**63)


@dataclass(frozen=True)
class TypedText:
    """A value that compares with others of its type, and its canonical text."""

    value: Any
    text: str


def typed_text(
    kind: LogicalType, text: str, *, precision: int | None = None, scale: int | None = None
) -> TypedText | None:
    """The value that the text stands for, or None when it is not of the type.

    Timestamps without an offset are UTC; their canonical text carries `+00:00`.

    >>> typed_text(LogicalType.DECIMAL, "1.50", precision=4, scale=2).text
    '1.5'
    >>> typed_text(LogicalType.DATE, "2011-02-29") is None
    True
    """
    match kind:
        case LogicalType.STRING:
            return TypedText(text, text)
        case LogicalType.INTEGER:
            return _integer(text)
        case LogicalType.NUMBER:
            return _number(text)
        case LogicalType.DECIMAL:
            return _decimal(text, precision or 38, scale or 0)
        case LogicalType.BOOLEAN:
            return TypedText(text == "true", text) if text in ("true", "false") else None
        case LogicalType.DATE:
            return _date(text)
        case LogicalType.TIMESTAMP:
            return _timestamp(text)


def _integer(text: str) -> TypedText | None:
    number = decimal_of(text)
    if number is None or number != number.to_integral_value() or int(number) not in _INTEGERS:
        return None
    return TypedText(int(number), str(int(number)))


def _number(text: str) -> TypedText | None:
    number = decimal_of(text)
    if number is None or not math.isfinite(float(number)):
        return None
    return TypedText(float(number), repr(float(number)))


def _decimal(text: str, precision: int, scale: int) -> TypedText | None:
    number = decimal_of(text)
    if number is None or abs(number) >= Decimal(10) ** (precision - scale):
        return None
    canonical = decimal_text(number)
    if len(canonical.partition(".")[2]) > scale:
        return None
    return TypedText(number, canonical)


def _date(text: str) -> TypedText | None:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, flags=re.ASCII):
        return None
    try:
        return TypedText(date.fromisoformat(text), text)
    except ValueError:
        return None


def _timestamp(text: str) -> TypedText | None:
    try:
        moment = datetime.fromisoformat(text)
        instant = moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return TypedText(instant, instant.isoformat(sep=" "))
