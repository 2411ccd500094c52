"""Kinds of served values in four languages: gold's types, the store's values, parameters, JSON Schema.

kind            in the store         as a parameter                       in an answer
text            as it is             as it is                             string
integer         integer              -12                                  number
decimal(P,S)    sortable text        -1.50                                number with all its digits
number          real                 -1.5e3                               number (string for nan and inf)
boolean         0 or 1               true, false                          true, false
date            ISO 8601             2010-12-01                           string
instant         microseconds         2010-12-01T08:26:00Z, any offset     string in UTC, ends in Z
binary          not at all           not at all                           string, base64
list            not at all           not at all                           array of strings
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal, InvalidOperation
from typing import Any

from penstock.sql.names import quote
from penstock.store.protocol import Stored

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,99})(\.[0-9]{1,100})?([eE][-+]?[0-9]{1,3})?")
_PLAIN_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,99})(\.[0-9]{1,100})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[-+][0-9]{2}:[0-9]{2})"
)
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)", re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WIDEST = 39  # digits of the widest decimal, and the zero before its point
_EXACT = Context(prec=250)  # Python rounds to 28 digits where it is not told otherwise
_NINES = str.maketrans("0123456789", "9876543210")


@dataclass(frozen=True)
class Kind:
    """One kind. `parse` turns a parameter into the stored value, None where it is none; `key` gives the text of a
    key as the store holds it. `sql` is the stored value of a column in DuckDB."""

    name: str
    expected: str
    schema: Mapping[str, Any]
    example: Any
    parse: Callable[[str], Stored]
    sql: Callable[[str], str]
    selectable: bool = True
    names_rows: bool = False  # whether a key may be of this kind

    def key(self, text: str) -> str | None:
        """The text of a key as answers write it; None where the text is none of this kind."""
        return None if self.parse(text) is None else self._canonical(text)

    def _canonical(self, text: str) -> str:
        if match := _DECIMAL.fullmatch(self.name):
            value = Decimal(text).quantize(Decimal(1).scaleb(-int(match[2])), context=_EXACT)
            return format(value.copy_abs() if value.is_zero() else value, "f")
        return str(int(text)) if self.name == "integer" else text


def kind_of(duckdb_type: str) -> Kind:
    """The kind of a gold column by its DuckDB type.

    >>> kind_of("BIGINT").name, kind_of("DECIMAL(18,2)").name
    ('integer', 'decimal(18,2)')
    """
    if match := _DECIMAL.fullmatch(duckdb_type):
        return _decimal(int(match[1]), int(match[2]))
    return _KINDS[_BY_TYPE[duckdb_type]]


def kind_named(name: str) -> Kind:
    """The kind with that name, as a manifest remembers it."""
    if match := _DECIMAL.fullmatch(name):
        return _decimal(int(match[1]), int(match[2]))
    return _KINDS[name]


def instant(moment: datetime) -> str:
    """An instant as every answer writes it.

    >>> instant(datetime(2010, 12, 1, 8, 26, tzinfo=UTC))
    '2010-12-01T08:26:00Z'
    """
    written = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (written.rstrip("0") if "." in written else written) + "Z"


def sortable(value: Decimal, scale: int) -> str:
    """A decimal as text that sorts as the numbers do: digits without a point, and for negative numbers each taken
    from nine. The same is made in SQL by the kind.

    >>> sortable(Decimal("-1.5"), 2) < sortable(Decimal("-1.4"), 2) < sortable(Decimal("0"), 2)
    True
    """
    digits = str(int(value.copy_abs().scaleb(scale, context=_EXACT))).rjust(_WIDEST, "0")
    return "1" + digits if value >= 0 else "0" + digits.translate(_NINES)


def _decimal(precision: int, scale: int) -> Kind:
    def parse(text: str) -> Stored:
        """None also for more digits than any value of the column can have: it would equal none, but bound some."""
        if not _PLAIN_NUMBER.fullmatch(text):
            return None
        try:
            value = Decimal(text)
            exact = value.quantize(Decimal(1).scaleb(-scale), context=_EXACT)
        except InvalidOperation:
            return None
        fits = exact == value and len(str(int(value.copy_abs()))) <= max(precision - scale, 1)
        return sortable(exact, scale) if fits else None

    def sql(name: str) -> str:
        digits = f"lpad(replace(CAST(abs({quote(name)}) AS VARCHAR), '.', ''), {_WIDEST}, '0')"
        nines = f"translate({digits}, '0123456789', '9876543210')"
        return f"CASE WHEN {quote(name)} >= 0 THEN '1' || {digits} ELSE '0' || {nines} END"

    whole = precision - scale
    digits = f"at most {whole} digits before and {scale} after the point" if scale else f"at most {whole} digits"
    example = Decimal(10**scale + 2).scaleb(-scale) if scale and whole else Decimal(1).scaleb(-scale)
    return Kind(
        f"decimal({precision},{scale})",
        f"a number of {digits}",
        {"type": "number"},
        example,
        parse,
        sql,
        names_rows=True,
    )


def _integer(text: str) -> Stored:
    if not _INTEGER.fullmatch(text):
        return None
    value = int(text)
    return value if -(1 << 63) <= value < 1 << 63 else None


def _number(text: str) -> Stored:
    value = float(text) if _NUMBER.fullmatch(text) else math.inf
    return value if math.isfinite(value) else None


def _boolean(text: str) -> Stored:
    return {"true": 1, "false": 0}.get(text)


def _date(text: str) -> Stored:
    try:
        return date.fromisoformat(text).isoformat() if _DATE.fullmatch(text) else None
    except ValueError:
        return None


def _instant(text: str) -> Stored:
    if not _INSTANT.fullmatch(text):
        return None
    try:
        return (datetime.fromisoformat(text.upper()).astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return None


def _text(text: str) -> Stored:
    return text


def _nothing(_: str) -> Stored:
    return None


def _plain(name: str) -> str:
    return quote(name)


_KINDS = {
    kind.name: kind
    for kind in (
        Kind("text", "text", {"type": "string"}, "text", _text, _plain, names_rows=True),
        Kind(
            "integer",
            "a whole number",
            {"type": "integer", "format": "int64"},
            1,
            _integer,
            _plain,
            names_rows=True,
        ),
        Kind(
            "number",
            "a number",
            {"type": "number", "format": "double"},
            1.5,
            _number,
            lambda name: f"CAST(CAST({quote(name)} AS VARCHAR) AS DOUBLE)",  # as it is shown, also from 32 bits
        ),
        Kind(
            "boolean",
            "true or false",
            {"type": "boolean"},
            True,
            _boolean,
            lambda name: f"CAST({quote(name)} AS INTEGER)",
        ),
        Kind(
            "date",
            "a date such as 2010-12-01",
            {"type": "string", "format": "date"},
            "2010-12-01",
            _date,
            lambda name: f"CAST({quote(name)} AS VARCHAR)",
            names_rows=True,
        ),
        Kind(
            "instant",
            "an instant such as 2010-12-01T08:26:00Z",
            {"type": "string", "format": "date-time"},
            "2010-12-01T08:26:00Z",
            _instant,
            lambda name: f"epoch_us({quote(name)})",
        ),
        Kind(
            "binary",
            "nothing: bytes cannot be compared",
            {"type": "string", "contentEncoding": "base64"},
            "AAEC",
            _nothing,
            lambda _: "NULL",
            selectable=False,
        ),
        Kind(
            "list",
            "nothing: lists cannot be compared",
            {"type": "array", "items": {"type": ["string", "null"]}},
            ["text"],
            _nothing,
            lambda _: "NULL",
            selectable=False,
        ),
    )
}
_BY_TYPE = {
    "VARCHAR": "text",
    "BIGINT": "integer",
    "INTEGER": "integer",
    "SMALLINT": "integer",
    "TINYINT": "integer",
    "DOUBLE": "number",
    "FLOAT": "number",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP WITH TIME ZONE": "instant",
    "BLOB": "binary",
    "VARCHAR[]": "list",
}
