"""Identifiers and values as SQL text."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal


def quote(identifier: str) -> str:
    """The identifier in double quotes, whatever it contains; quotes inside are doubled.

    >>> quote("unit price")
    '"unit price"'
    """
    if "\x00" in identifier:
        raise ValueError("an identifier cannot contain NUL")
    return '"' + identifier.replace('"', '""') + '"'


def unused(name: str, taken: Iterable[str]) -> str:
    """The name, after as many underscores as it takes to be none of those that are taken; SQL does not tell A from a.

    >>> unused("pos", ["n"]), unused("pos", ["Pos", "n"])
    ('pos', '_pos')
    """
    others = {one.lower() for one in taken}
    while name.lower() in others:
        name = f"_{name}"
    return name


def literal(value: str | bytes | int | float | Decimal | bool | None) -> str:
    """The value as a DuckDB literal: text, blob, boolean, integer, decimal, double or NULL.

    >>> literal("it's"), literal(None), literal(Decimal("1.50"))
    ("'it''s'", 'NULL', '1.50')
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bytes):
        return "'" + "".join(f"\\x{byte:02X}" for byte in value) + "'::BLOB"
    if isinstance(value, float):
        return f"CAST({_text(repr(value))} AS DOUBLE)"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _text(value: str) -> str:
    """NUL ends a statement, so it is written as chr(0)."""
    parts = ["'" + part.replace("'", "''") + "'" for part in value.split("\x00")]
    return parts[0] if len(parts) == 1 else "(" + " || chr(0) || ".join(parts) + ")"
