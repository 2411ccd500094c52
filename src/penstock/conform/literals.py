"""Declared values (bounds, enum) as SQL of exactly the column's type, so that no comparison has to convert a row."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, InvalidOperation

from penstock.conform.columns import decimal_size, sql_type
from penstock.conform.values import FALSE, TRUE
from penstock.errors import DeclarationError
from penstock.spec.contract import Column, LogicalType
from penstock.sql.names import literal

_EXACT = Context(prec=100)


def comparison(column: Column, v: str, sign: str, text: str) -> str:
    """SQL of `v sign text`, exact also where the text is finer or bigger than the column can hold.

    >>> amount = Column(id="a", name="a", type=LogicalType.DECIMAL, precision=3, scale=1)
    >>> comparison(amount, "v", "<", "0.25"), comparison(amount, "v", ">", "1000")
    ('v < CAST(0.3 AS DECIMAL(3,1))', 'FALSE')
    """
    if column.type not in (LogicalType.INTEGER, LogicalType.DECIMAL):
        return f"{v} {sign} {typed_literal(column, text)}"
    bound = _decimal(column, text)
    low, high = _limits(column)
    if bound > high:
        return f"{v} IS NOT NULL" if sign in ("<", "<=") else "FALSE"
    if bound < low:
        return f"{v} IS NOT NULL" if sign in (">", ">=") else "FALSE"
    rounding = ROUND_CEILING if sign in ("<", ">=") else ROUND_FLOOR
    nearest = bound.quantize(_quantum(column), rounding=rounding, context=_EXACT)
    return f"{v} {sign} CAST({nearest:f} AS {sql_type(column)})"


def typed_literal(column: Column, text: str) -> str | None:
    """SQL of a declared value; None for a number that no value of the column can equal."""
    if column.type in (LogicalType.INTEGER, LogicalType.DECIMAL):
        number = _decimal(column, text)
        low, high = _limits(column)
        if not low <= number <= high or number != number.quantize(_quantum(column), context=_EXACT):
            return None
        return f"CAST({number:f} AS {sql_type(column)})"
    return f"CAST({literal(_canonical(column, text))} AS {sql_type(column)})"


def _canonical(column: Column, text: str) -> str:
    try:
        match column.type:
            case LogicalType.NUMBER:
                return repr(float(text))
            case LogicalType.BOOLEAN:
                return {**dict.fromkeys(TRUE, "true"), **dict.fromkeys(FALSE, "false")}[text.lower()]
            case LogicalType.DATE:
                return date.fromisoformat(text).isoformat()
            case LogicalType.TIMESTAMP:
                instant = datetime.fromisoformat(text)
                return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).isoformat()
            case _:
                return text
    except (ValueError, KeyError):
        raise _not_of_type(column, text) from None


def _decimal(column: Column, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise _not_of_type(column, text) from None
    if not number.is_finite():
        raise _not_of_type(column, text)
    return number


def _limits(column: Column) -> tuple[Decimal, Decimal]:
    """The lowest and highest value of the column's type."""
    if column.type is LogicalType.INTEGER:
        return Decimal(-(2**63)), Decimal(2**63 - 1)
    precision, scale = decimal_size(column)
    highest = (Decimal(10**precision) - 1).scaleb(-scale, context=_EXACT)
    return highest.copy_negate(), highest


def _quantum(column: Column) -> Decimal:
    return Decimal(1) if column.type is LogicalType.INTEGER else Decimal(1).scaleb(-decimal_size(column)[1])


def _not_of_type(column: Column, text: str) -> DeclarationError:
    what = f"A declared value of {column.name} is not of its type"
    return DeclarationError(what, expected=column.type.value, found=text)
