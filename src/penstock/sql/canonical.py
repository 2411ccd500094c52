"""The canonical row hash: one content, one hash, in any engine.

Convention (a promise; the golden values in `tests/sql` hold it):

    hash  = lower-case hex of sha256(UTF-8 bytes of text)
    text  = net(tenant) field*          fields in ascending order of column id (by code point), nulls left out
    field = net(column id) net(value)
    net(s) = byte length of s in decimal, ":", s, ","

So a null differs from an empty text, no two rows share a text, and neither a rename nor the order of
columns nor an added column that is null changes a hash. The value of a column is written as

    string     as it is
    integer    decimal digits, "-" in front when negative
    decimal    as integer, then "." and the digits after the point without trailing zeros, if any: 1.50 -> 1.5, 0.5, -2
    number     the shortest text that reads back as the same double, as Python's repr; -0.0 is 0.0; nan, inf, -inf
    boolean    true, false
    date       YYYY-MM-DD
    timestamp  microseconds since 1970-01-01T00:00:00Z, as integer
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.spec.contract import LogicalType
from penstock.sql.names import literal


@dataclass(frozen=True)
class HashField:
    """One value of a row: the stable id of its column, its type, and the SQL that yields it.

    `size` (precision, scale) of a decimal, where it is known, makes cheaper SQL for the same text.
    """

    id: str
    type: LogicalType
    expression: str
    size: tuple[int, int] | None = None


def row_hash_expression(tenant: str, fields: Sequence[HashField]) -> str:
    """SQL of the canonical row hash (see the module) as 64 hex characters.

    One flat `concat`: a chain of `||` nests, and DuckDB takes no more than a thousand levels.
    """
    texts = [_optional_field(field) for field in sorted(fields, key=lambda field: field.id)]
    return f"sha256(concat({', '.join([literal(_net(tenant)), *texts])}))"


def canonical_text(type: LogicalType, expression: str, size: tuple[int, int] | None = None) -> str:
    """SQL of the canonical text of one value of `type`; null stays null."""
    match type:
        case LogicalType.STRING:
            return f"CAST({expression} AS VARCHAR)"
        case LogicalType.DECIMAL:
            return _decimal_text(expression, size)
        case LogicalType.NUMBER:
            return _number_text(expression)
        case LogicalType.TIMESTAMP:
            return f"CAST(epoch_us({expression}) AS VARCHAR)"
        case LogicalType.INTEGER | LogicalType.BOOLEAN | LogicalType.DATE:
            return f"CAST({expression} AS VARCHAR)"


def net_expression(text: str) -> str:
    """SQL of the length-prefixed form of a text expression (see the module); null stays null."""
    return f"(CAST(strlen({text}) AS VARCHAR) || ':' || {text} || ',')"


def _optional_field(field: HashField) -> str:
    value = net_expression(canonical_text(field.type, field.expression, field.size))
    return f"coalesce({literal(_net(field.id))} || {value}, '')"


def _net(text: str) -> str:
    return f"{len(text.encode())}:{text},"


def _decimal_text(expression: str, size: tuple[int, int] | None) -> str:
    """DuckDB writes a decimal of scale 0 without a point, and 0.5 of DECIMAL(1,1) as `.5`."""
    text = f"CAST({expression} AS VARCHAR)"
    if size is not None and size[1] == 0:
        return text
    if size is not None and size[0] > size[1]:
        return f"rtrim(rtrim({text}, '0'), '.')"
    trimmed = f"CASE WHEN contains({text}, '.') THEN rtrim(rtrim({text}, '0'), '.') ELSE {text} END"
    return (
        f"CASE WHEN {expression} = 0 THEN '0'"
        f" WHEN starts_with({text}, '.') THEN '0' || ({trimmed})"
        f" WHEN starts_with({text}, '-.') THEN '-0' || substr({trimmed}, 2)"
        f" ELSE {trimmed} END"
    )


def _number_text(expression: str) -> str:
    """Adding zero turns -0.0 into 0.0; every NaN is `nan`, whatever its sign; a double's text is the shortest one."""
    value = f"CAST({expression} AS DOUBLE)"
    return f"CASE WHEN isnan({value}) THEN 'nan' ELSE CAST({value} + CAST(0 AS DOUBLE) AS VARCHAR) END"
