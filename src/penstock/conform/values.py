"""Text to typed value, per logical type, as SQL: strict where a plain cast guesses.

Blanks around a value are ignored for every type but string. What is accepted:

    integer    digits with a sign, also with a fraction of zeros (`17850.0`); 64 bits
    decimal    digits with a sign and a fraction; zeros beyond the scale are ignored, other digits are `scale`
    number     as decimal, or with an exponent; `nan` and `inf` are not numbers, 1e400 is out of range
    boolean    true t yes y on 1, false f no n off 0, in any case
    date       YYYY-MM-DD, or the declared strptime format (a time of day other than midnight is not a date)
    timestamp  YYYY-MM-DD, then `T` or a blank and HH:MM[:SS[.digits]], then Z or +HH[[:]MM], or the declared
               strptime format; digits below the microsecond are cut off. Without an offset it is local time of
               the declared zone: a time the zone skips is refused, of one it has twice the earlier is meant
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from penstock.conform.codes import Code
from penstock.conform.columns import decimal_size
from penstock.spec.contract import Column, LogicalType
from penstock.spec.source import Reading
from penstock.sql.names import literal

BLANKS = " \t\n\r\v\f"
TRUE = ("true", "t", "yes", "y", "on", "1")
FALSE = ("false", "f", "no", "n", "off", "0")

_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?"
_OFFSET = r"(?:Z|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?)"
_TIME = rf"(?:[T ]{_CLOCK}{_OFFSET}?)?"
_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"


@dataclass(frozen=True)
class Fault:
    """`condition` is true for the texts that break this rule of the type."""

    code: Code
    expected: str
    condition: str


@dataclass(frozen=True)
class Reader:
    """How the text of a column becomes a value. The texts whose value is null break at least one of the faults.

    `steps` are computed one after the other, each once, before value and faults, which name them.
    """

    steps: tuple[str, ...]
    value: str
    faults: tuple[Fault, ...]


def reader(column: Column, reading: Reading, t: str, step: Callable[[int], str]) -> Reader | None:
    """How the column is read; None for a string, whose text is its value.

    `t` names the text (null literals are null already, blanks gone); `step(k)` names the k-th step.
    """
    match column.type:
        case LogicalType.STRING:
            return None
        case LogicalType.INTEGER:
            return _integer(*_number_text(reading, t, step))
        case LogicalType.DECIMAL:
            return _decimal(decimal_size(column), *_number_text(reading, t, step))
        case LogicalType.NUMBER:
            return _number(*_number_text(reading, t, step))
        case LogicalType.BOOLEAN:
            return _boolean(t)
        case LogicalType.DATE:
            return _iso_date(t) if reading.date_format is None else _formatted_date(t, reading.date_format, step)
        case LogicalType.TIMESTAMP:
            return (
                _iso_time(t, reading, step) if reading.timestamp_format is None else _formatted_time(t, reading, step)
            )


def matches(text: str, pattern: str) -> str:
    """SQL: the RE2 pattern matches the whole text."""
    return f"regexp_full_match({text}, {literal(pattern)})"


def _number_text(reading: Reading, t: str, step: Callable[[int], str]) -> tuple[tuple[str, ...], str]:
    """(steps, name of the text with a decimal point and no separators; null when these are misplaced)."""
    point, thousands = reading.decimal_separator, reading.thousands_separator
    if thousands is None and point == ".":
        return (), t
    p = re.escape(point)
    whole = "[0-9]+" if thousands is None else rf"(?:[0-9]+|[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+)"
    grammar = rf"[+-]?(?:{whole}(?:{p}[0-9]*)?|{p}[0-9]+)(?:[eE][+-]?[0-9]+)?"
    plain = t if thousands is None else f"replace({t}, {literal(thousands)}, '')"
    return (f"CASE WHEN {matches(t, grammar)} THEN replace({plain}, {literal(point)}, '.') END",), step(0)


def _integer(steps: tuple[str, ...], n: str) -> Reader:
    grammar = f"coalesce({matches(n, r'[+-]?[0-9]+(?:[.]0*)?')}, FALSE)"
    value = f"CASE WHEN {grammar} THEN TRY_CAST({n} AS BIGINT) END"
    faults = (
        Fault(Code.TYPE, "an integer", f"NOT {grammar}"),
        Fault(Code.RANGE, "an integer of 64 bits", f"{grammar} AND TRY_CAST({n} AS BIGINT) IS NULL"),
    )
    return Reader(steps, value, faults)


def _decimal(size: tuple[int, int], steps: tuple[str, ...], n: str) -> Reader:
    precision, scale = size
    whole = precision - scale
    fraction = rf"\.[0-9]{{1,{scale}}}0*" if scale else r"\.0+"
    exact = matches(n, rf"[+-]?(?:[0-9]+(?:\.[0-9]{{0,{scale}}}0*)?|{fraction})")
    grammar = f"coalesce({matches(n, _NUMBER)}, FALSE)"
    too_fine = f"regexp_matches({n}, {literal(rf'[.][0-9]{{{scale}}}[0-9]*[1-9]')})"
    too_big = f"regexp_matches({n}, {literal(rf'^[+-]?0*[1-9][0-9]{{{whole}}}')})"
    faults = (
        Fault(Code.TYPE, "a decimal number", f"NOT {grammar}"),
        Fault(Code.SCALE, f"at most {scale} digits after the point", f"{grammar} AND {too_fine}"),
        Fault(Code.RANGE, f"at most {whole} digits before the point", f"{grammar} AND {too_big}"),
    )
    return Reader(steps, f"CASE WHEN {exact} THEN TRY_CAST({n} AS DECIMAL({precision},{scale})) END", faults)


def _number(steps: tuple[str, ...], n: str) -> Reader:
    grammar = f"coalesce({matches(n, rf'{_NUMBER}(?:[eE][+-]?[0-9]+)?')}, FALSE)"
    finite = f"coalesce(isfinite(TRY_CAST({n} AS DOUBLE)), FALSE)"
    faults = (
        Fault(Code.TYPE, "a number", f"NOT {grammar}"),
        Fault(Code.RANGE, "a number of 64 bits", f"{grammar} AND NOT {finite}"),
    )
    return Reader(steps, f"CASE WHEN {grammar} AND {finite} THEN TRY_CAST({n} AS DOUBLE) END", faults)


def _boolean(t: str) -> Reader:
    yes, no = (", ".join(map(literal, words)) for words in (TRUE, FALSE))
    value = f"CASE WHEN lower({t}) IN ({yes}) THEN TRUE WHEN lower({t}) IN ({no}) THEN FALSE END"
    return Reader((), value, (Fault(Code.TYPE, "true or false", f"({value}) IS NULL"),))


def _iso_date(t: str) -> Reader:
    value = f"CASE WHEN {matches(t, _DATE)} AND NOT starts_with({t}, '0000') THEN TRY_CAST({t} AS DATE) END"
    return Reader((), value, _time_faults(value, _other_year(t, ""), "a date written YYYY-MM-DD"))


def _formatted_date(t: str, format: str, step: Callable[[int], str]) -> Reader:
    day = step(0)
    inside = f"({day} >= TIMESTAMP '0001-01-01' AND {day} < TIMESTAMP '10000-01-01')"
    value = f"CASE WHEN {inside} AND {day} = date_trunc('day', {day}) THEN CAST({day} AS DATE) END"
    return Reader((_parsed(t, format),), value, _time_faults(value, f"NOT {inside}", f"a date written {format}"))


def _iso_time(t: str, reading: Reading, step: Callable[[int], str]) -> Reader:
    grammar = f"{matches(t, _DATE + _TIME)} AND NOT starts_with({t}, '0000')"
    instant = f"CASE WHEN {grammar} THEN TRY_CAST({t} AS TIMESTAMPTZ) END"
    expected = "a time written YYYY-MM-DD HH:MM:SS, with or without an offset"
    outside = _other_year(t, _TIME)
    if reading.timezone == "UTC":
        return _instant((instant,), step(0), outside, expected)
    with_offset = f"regexp_matches({t}, '(?:Z|:[0-9.]+[+-][0-9:]+)$')"
    local = f"CASE WHEN {grammar} AND NOT {with_offset} THEN TRY_CAST({t} AS TIMESTAMP) END"
    absolute = f"CASE WHEN {with_offset} THEN {instant} END"
    return _zoned(local, absolute, reading.timezone, step, outside, expected)


def _formatted_time(t: str, reading: Reading, step: Callable[[int], str]) -> Reader:
    format = reading.timestamp_format or ""
    expected = f"a time written {format}"
    if re.search(r"%[zZ]", format):
        return _instant((f"CAST({_parsed(t, format)} AS TIMESTAMPTZ)",), step(0), "FALSE", expected)
    if reading.timezone == "UTC":
        return _instant((f"timezone('UTC', {_parsed(t, format)})",), step(0), "FALSE", expected)
    return _zoned(_parsed(t, format), "CAST(NULL AS TIMESTAMPTZ)", reading.timezone, step, "FALSE", expected)


def _zoned(local: str, absolute: str, zone: str, step: Callable[[int], str], outside: str, expected: str) -> Reader:
    """Resolve a local time, or take the absolute one where there is no local one.

    The offset of 26 hours before decides first: of a local time that happens twice it gives the earlier.
    Where it does not lead back to the local time, the zone has changed since, and its new offset is tried.
    """
    z = literal(zone)
    written, later, earlier, instant = (step(k) for k in range(4))
    before = f"({later} - INTERVAL 26 HOUR)"
    resolved = (
        f"CASE WHEN {written} IS NULL THEN {absolute} WHEN timezone({z}, {earlier}) = {written} THEN {earlier}"
        f" WHEN timezone({z}, {later}) = {written} THEN {later} END"
    )
    steps = (
        local,
        f"timezone({z}, {written})",
        f"timezone('UTC', {written} - (timezone({z}, {before}) - timezone('UTC', {before})))",
        resolved,
    )
    bounded = _instant(steps, instant, outside, expected)
    skipped = f"({written} IS NOT NULL AND {instant} IS NULL)"
    faults = tuple(
        Fault(fault.code, fault.expected, f"{fault.condition} AND NOT {skipped}") for fault in bounded.faults
    )
    return Reader(steps, bounded.value, (*faults, Fault(Code.LOCAL_TIME, f"a time that exists in {zone}", skipped)))


def _instant(steps: tuple[str, ...], instant: str, outside: str, expected: str) -> Reader:
    """Bound an instant to the years 1 to 9999 (UTC)."""
    inside = (
        f"({instant} >= TIMESTAMPTZ '0001-01-01 00:00:00+00' AND {instant} < TIMESTAMPTZ '10000-01-01 00:00:00+00')"
    )
    value = f"CASE WHEN {inside} THEN {instant} END"
    return Reader(steps, value, _time_faults(value, f"({outside} OR NOT {inside})", expected))


def _parsed(t: str, format: str) -> str:
    """strptime as declared; `%Y` means four digits, so that 24 is not the year 24."""
    parsed = f"try_strptime({t}, {literal(format)})"
    return f"CASE WHEN regexp_matches({t}, '[0-9]{{4}}') THEN {parsed} END" if "%Y" in format else parsed


def _other_year(t: str, time: str) -> str:
    """A date of the right form whose year is 0 or has more than four digits."""
    return matches(t, rf"(?:0000|[0-9]{{5,6}})-[0-9]{{2}}-[0-9]{{2}}{time}")


def _time_faults(value: str, outside: str, expected: str) -> tuple[Fault, ...]:
    out = f"coalesce({outside}, FALSE)"
    return (
        Fault(Code.TYPE, expected, f"({value}) IS NULL AND NOT {out}"),
        Fault(Code.RANGE, "years 1 to 9999", f"({value}) IS NULL AND {out}"),
    )
