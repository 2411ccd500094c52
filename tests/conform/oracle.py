"""What a row is worth, decided one value at a time in plain Python; shares no code with the product.

`judge` gives the typed row, or the codes of every violated rule in the order of the columns.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from penstock.spec.contract import Column, Contract, Format, LogicalType
from penstock.spec.source import Reading

Value = str | int | float | Decimal | bool | date | datetime | None


class Unreadable(Exception):
    def __init__(self, *codes: str) -> None:
        self.codes = codes


def judge(contract: Contract, reading: Reading, row: Mapping[str, str | None]) -> tuple[dict[str, Value], list[str]]:
    values: dict[str, Value] = {}
    codes: list[str] = []
    for column in contract.columns:
        value, broken = judge_value(column, reading, row, required=column.required or column.name in contract.key)
        values[column.name] = value
        codes += broken
    return values, codes


def judge_value(
    column: Column, reading: Reading, row: Mapping[str, str | None], *, required: bool
) -> tuple[Value, list[str]]:
    if column.name not in row:
        return None, ["missing_column"] if required else []
    text = row[column.name]
    if text is not None and column.type is not LogicalType.STRING:
        text = text.strip(" \t\n\r\v\f")
    if text is None or text in reading.null_values:
        return None, ["required"] if required else []
    try:
        value = read(column, reading, text)
    except Unreadable as reason:
        return None, list(reason.codes)
    return value, list(constraints(column, value))


def read(column: Column, reading: Reading, text: str) -> Value:
    match column.type:
        case LogicalType.STRING:
            return text
        case LogicalType.INTEGER:
            return read_integer(plain_number(reading, text))
        case LogicalType.DECIMAL:
            assert column.precision is not None
            assert column.scale is not None
            return read_decimal(plain_number(reading, text), column.precision, column.scale)
        case LogicalType.NUMBER:
            return read_number(plain_number(reading, text))
        case LogicalType.BOOLEAN:
            return read_boolean(text)
        case LogicalType.DATE:
            return read_date(text)
        case LogicalType.TIMESTAMP:
            return read_time(text, reading.timezone)


def plain_number(reading: Reading, text: str) -> str:
    """Split by hand: sign, groups of thousands, fraction, exponent."""
    body = text[1:] if text[:1] in ("+", "-") else text
    sign = text[: len(text) - len(body)]
    mantissa, e, exponent = body.partition("e" if "e" in body else "E")
    whole, point, fraction = mantissa.partition(reading.decimal_separator)
    if reading.thousands_separator is not None and reading.thousands_separator in whole:
        groups = whole.split(reading.thousands_separator)
        if not (1 <= len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:])):
            raise Unreadable("type")
        whole = "".join(groups)
    digits = whole + fraction
    if not digits or not is_ascii_number(digits):
        raise Unreadable("type")
    if e and not is_ascii_number(exponent.removeprefix("-") if exponent[:1] == "-" else exponent.removeprefix("+")):
        raise Unreadable("type")
    return sign + whole + ("." if point else "") + fraction + (f"e{exponent}" if e else "")


def is_ascii_number(text: str) -> bool:
    return text != "" and all(character in "0123456789" for character in text)


def read_integer(text: str) -> int:
    whole, _, fraction = text.partition(".")
    if "e" in text or not whole.lstrip("+-") or fraction.strip("0"):
        raise Unreadable("type")
    value = int(whole)
    if not -(2**63) <= value < 2**63:
        raise Unreadable("range")
    return value


def read_decimal(text: str, precision: int, scale: int) -> Decimal:
    if "e" in text:
        raise Unreadable("type")
    value = Decimal(text)
    codes = []
    fraction = text.partition(".")[2].rstrip("0")
    if len(fraction) > scale:
        codes.append("scale")
    whole = text.partition(".")[0].lstrip("+-0")
    if len(whole) > precision - scale:
        codes.append("range")
    if codes:
        raise Unreadable(*codes)
    return value


def read_number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise Unreadable("range")
    return value


def read_boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered in {"true", "t", "yes", "y", "on", "1"}:
        return True
    if lowered in {"false", "f", "no", "n", "off", "0"}:
        return False
    raise Unreadable("type")


def read_date(text: str) -> date:
    parts = text.split("-")
    if [len(part) for part in parts[1:]] != [2, 2] or not all(map(is_ascii_number, parts)):
        raise Unreadable("type")
    if len(parts[0]) in (5, 6) or parts[0] == "0000":
        raise Unreadable("range")
    if len(parts[0]) != 4:
        raise Unreadable("type")
    try:
        return date(*map(int, parts))
    except ValueError:
        raise Unreadable("type") from None


CLOCK = re.compile(r"[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d(?::?\d\d)?)?", re.ASCII)


def read_time(text: str, zone: str) -> datetime:
    cut = next((i for i, character in enumerate(text) if character in "T "), len(text))
    clock = CLOCK.fullmatch(text[cut:])
    if cut < len(text) and (clock is None or not clock_exists(clock)):
        raise Unreadable("type")
    day = read_date(text[:cut])
    hours, minutes, seconds, fraction, offset = clock.groups() if clock else (0, 0, 0, None, None)
    micros = int((fraction or "0")[:6].ljust(6, "0"))
    local = datetime.combine(day, time(int(hours), int(minutes), int(seconds or 0), micros))
    try:
        return absolute(local, offset) if offset else resolve(local, zone)
    except OverflowError:
        raise Unreadable("range") from None


def clock_exists(clock: re.Match[str]) -> bool:
    hours, minutes, seconds, _, offset = clock.groups()
    if int(hours) > 23 or int(minutes) > 59 or int(seconds or 0) > 59:
        return False
    if offset is None or offset == "Z":
        return True
    digits = offset[1:].replace(":", "")
    return int(digits[:2]) <= 15 and int(digits[2:] or 0) <= 59


def absolute(local: datetime, offset: str) -> datetime:
    if offset == "Z":
        return local.replace(tzinfo=UTC)
    digits = offset[1:].replace(":", "")
    shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return (local - shift if offset[0] == "+" else local + shift).replace(tzinfo=UTC)


def resolve(local: datetime, zone: str) -> datetime:
    """fold=0 is the earlier of two; a time that does not come back the same never was."""
    instant = local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    if instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != local:
        raise Unreadable("local_time")
    return instant


def constraints(column: Column, value: Value) -> list[str]:
    broken = []
    if column.enum is not None and value not in [declared(column, text) for text in column.enum]:
        broken.append("enum")
    if column.minimum is not None:
        low = declared(column, column.minimum)
        if value < low or (column.exclusive_minimum and value == low):  # type: ignore[operator]
            broken.append("minimum")
    if column.maximum is not None:
        high = declared(column, column.maximum)
        if value > high or (column.exclusive_maximum and value == high):  # type: ignore[operator]
            broken.append("maximum")
    if isinstance(value, str):
        broken += text_constraints(column, value)
    return broken


def text_constraints(column: Column, value: str) -> list[str]:
    broken = []
    if column.min_length is not None and len(value) < column.min_length:
        broken.append("min_length")
    if column.max_length is not None and len(value) > column.max_length:
        broken.append("max_length")
    if column.pattern is not None and re.search(column.pattern.replace("$", r"\Z"), value) is None:
        broken.append("pattern")
    if column.format is not None and not is_format(column.format, value):
        broken.append("format")
    return broken


def declared(column: Column, text: str) -> Value:
    match column.type:
        case LogicalType.INTEGER | LogicalType.DECIMAL:
            return Decimal(text)
        case LogicalType.NUMBER:
            return float(text)
        case LogicalType.DATE:
            return date.fromisoformat(text)
        case LogicalType.TIMESTAMP:
            return datetime.fromisoformat(text)
        case LogicalType.BOOLEAN:
            return text == "true"
        case LogicalType.STRING:
            return text


def is_format(format: Format, text: str) -> bool:
    match format:
        case Format.IPV4:
            return is_address(ipaddress.IPv4Address, text)
        case Format.IPV6:
            return "%" not in text and is_address(ipaddress.IPv6Address, text)
        case Format.UUID:
            parts = text.split("-")
            return [len(part) for part in parts] == [8, 4, 4, 4, 12] and is_hex("".join(parts))
        case Format.EMAIL:
            return is_email(text)
        case Format.URI:
            return is_uri(text)


def is_address(kind: type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return text.isascii()


def is_hex(text: str) -> bool:
    return all(character in "0123456789abcdefABCDEF" for character in text)


LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS = "0123456789"


def is_email(text: str) -> bool:
    if text.count("@") != 1:
        return False
    local, domain = text.split("@")
    labels = domain.split(".")
    return (
        local != ""
        and all(character in LETTERS + DIGITS + ".!#$%&'*+/=?^_`{|}~-" for character in local)
        and len(labels) >= 2
        and all(is_label(label) for label in labels)
    )


def is_label(label: str) -> bool:
    return (
        1 <= len(label) <= 63
        and all(character in LETTERS + DIGITS + "-" for character in label)
        and not label.startswith("-")
        and not label.endswith("-")
    )


def is_uri(text: str) -> bool:
    scheme, colon, rest = text.partition(":")
    if not colon or not rest or scheme[:1] not in tuple(LETTERS):
        return False
    if not all(character in LETTERS + DIGITS + "+.-" for character in scheme):
        return False
    parts = rest.split("%")
    if not all(len(part) >= 2 and is_hex(part[:2]) for part in parts[1:]):
        return False
    return all(character in LETTERS + DIGITS + "._~:/?#[]@!$&'()*+,;=-" for character in "".join(parts))
