"""The types of single values that declarations are made of."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal, InvalidOperation

from penstock.spec.duration import parse_duration
from penstock.spec.shape import Flag, Parsed

NAME_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,62}")
_TENANT_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def _name(text: str) -> str | None:
    return text if NAME_PATTERN.fullmatch(text) else None


def _tenant(text: str) -> str | None:
    return text if _TENANT_PATTERN.fullmatch(text) else None


def _words(text: str) -> str | None:
    return text.strip() or None


def _count(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) and int(text) > 0 else None


def _percent(text: str) -> float | None:
    number = decimal_of(text)
    return float(number) if number is not None and 0 <= number <= 100 else None


def _share(text: str) -> float | None:
    number = decimal_of(text)
    return float(number) if number is not None and 0 <= number <= 1 else None


def _decimal_text(text: str) -> str | None:
    number = decimal_of(text)
    return None if number is None else decimal_text(number)


def decimal_of(text: str) -> Decimal | None:
    """The exact number a text stands for; None when it is none, is not finite, or is absurdly long.

    >>> decimal_of("1e3")
    Decimal('1E+3')
    """
    if len(text) > 100:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number.adjusted()) > 400:
        return None
    return number


def decimal_text(number: Decimal) -> str:
    """The shortest plain notation.

    >>> [decimal_text(Decimal(text)) for text in ("1.50", "1e3", "-0.0")]
    ['1.5', '1000', '0']
    """
    if number == 0:
        return "0"
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def one_character(text: str) -> str | None:
    return text if len(text) == 1 and text not in "\r\n\0" else None


TEXT: Parsed[str] = Parsed("text", lambda text: text, "Write a text.")  # exactly as written
VALUE: Parsed[str] = Parsed("value", lambda text: text, "Write a text, number or flag.", text_only=False)
PROSE: Parsed[str] = Parsed("text", lambda text: text.strip(), "Write a text.")
WORDS: Parsed[str] = Parsed("text", _words, "Write at least one word.")
NAME: Parsed[str] = Parsed(
    "name in small letters",
    _name,
    "Begin with a small letter; use small letters, digits and `_`, at most 63 characters.",
)
TENANT: Parsed[str] = Parsed(
    "name in small letters", _tenant, "Use small letters, digits, `-` and `_`, at most 63 characters."
)
DURATION: Parsed[timedelta] = Parsed(
    "ISO 8601 duration", parse_duration, "Write for example `P30D`, `PT1H` or `PT2S`; months and years have no length."
)
COUNT: Parsed[int] = Parsed("whole number of at least 1", _count, "Write for example `30`.", text_only=False)
PERCENT: Parsed[float] = Parsed(
    "number from 0 to 100", _percent, "Write per cent without a sign, for example `99.9`.", text_only=False
)
SHARE: Parsed[float] = Parsed("number from 0 to 1", _share, "Write for example `0.1` for a tenth.", text_only=False)
NUMBER: Parsed[str] = Parsed("number", _decimal_text, "Write for example `1000` or `-0.5`.", text_only=False)
CHARACTER: Parsed[str] = Parsed("one character", one_character, 'Write for example `";"` or `"\\t"`.')
FLAG = Flag()
