"""Fixed lengths of time, written as ISO 8601 durations, and as people say them."""

from __future__ import annotations

import re
from datetime import timedelta

from penstock.errors import counted

_PART = r"(?:(?P<{0}>[0-9]{{1,9}}){1})?"
_DURATION = re.compile(
    "P"
    + _PART.format("weeks", "W")
    + _PART.format("days", "D")
    + "(?:T(?=[0-9])"
    + _PART.format("hours", "H")
    + _PART.format("minutes", "M")
    + r"(?:(?P<seconds>[0-9]{1,9}(?:\.[0-9]{1,6})?)S)?"
    + ")?"
)


def parse_duration(text: str) -> timedelta | None:
    """A length of time, or None when the text is none. Years and months are none: they have no fixed length.

    >>> parse_duration("P1DT12H")
    datetime.timedelta(days=1, seconds=43200)
    >>> parse_duration("P1M") is None
    True
    """
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groupdict().values()):
        return None
    parts = {name: float(value) if "." in value else int(value) for name, value in match.groupdict("0").items()}
    try:
        return timedelta(**parts)
    except OverflowError:
        return None


def format_duration(length: timedelta) -> str:
    """The canonical text of a length of time.

    >>> format_duration(timedelta(days=1, hours=12))
    'P1DT12H'
    """
    minutes, seconds = divmod(length.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{length.microseconds:06d}".rstrip("0") if length.microseconds else ""
    time = "".join(
        (
            f"{hours}H" if hours else "",
            f"{minutes}M" if minutes else "",
            f"{seconds}{fraction}S" if seconds or fraction else "",
        )
    )
    day = f"{length.days}D" if length.days else ""
    return f"P{day}{'T' if time else ''}{time}" if day or time else "PT0S"


_UNITS = (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1)))


def spoken_duration(length: timedelta) -> str:
    """A length of time, not negative, as people say it: in one unit where that gives a number below a hundred.

    >>> [spoken_duration(timedelta(hours=hours)) for hours in (1.5, 36, 72, 100)]
    ['90 minutes', '36 hours', '3 days', '4 days 4 hours']
    """
    for unit, one in _UNITS:
        if length and not length % one and (unit == "day" or length < 100 * one):
            return counted(length // one, unit)
    said, rest = [], length
    for unit, one in _UNITS:
        number, rest = divmod(rest, one)
        said += [counted(number, unit)] if number else []
    seconds = f"{rest.seconds}{f'.{rest.microseconds:06d}'.rstrip('0') if rest.microseconds else ''}"
    if rest or not said:
        said.append(f"{seconds} second{'' if seconds == '1' else 's'}")
    return " ".join(said)
