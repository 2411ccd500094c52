"""Which time zones and time formats a source may declare."""

from __future__ import annotations

import re

_DIRECTIVES = frozenset("aAbBcdfgGHIjmMnpSuUVwWxXyYzZ%")
_DATES = re.compile(r"%(-?[dj]|[aAbBcxyYm]|-[my])")


def is_timezone(name: str) -> bool:
    """Whether the name is an IANA time zone (any name passes on a machine without the zone database)."""
    if name == "UTC":
        return True
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return not zoneinfo.available_timezones()
    return True


def is_time_format(text: str) -> bool:
    """Whether the text is a strptime format with a date in it.

    >>> [is_time_format(text) for text in ("%d/%m/%Y %H:%M", "yyyy-MM-dd", "%Q")]
    [True, False, False]
    """
    directives = re.findall(r"%-?(.?)", text, flags=re.DOTALL)
    return _DATES.search(text) is not None and all(letter in _DIRECTIVES and letter for letter in directives)
