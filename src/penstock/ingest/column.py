"""The names of the columns, made from a header that may have blanks, doubles or nothing in it."""

from __future__ import annotations

from collections.abc import Iterable

# The columns that bronze adds; a source column of that name is numbered like a double.
SYSTEM_COLUMNS = ("_tenant", "_source", "_file", "_line", "_file_id", "_ingested_at", "_batch")


def column_names(written: Iterable[str]) -> tuple[str, ...]:
    """One distinct name per written name, in order: see `ColumnNames`.

    >>> column_names([" Order No ", "", "Total", "total", "_line"])
    ('Order No', 'column_2', 'Total', 'total_2', '_line_2')
    """
    names = ColumnNames()
    return tuple(names.add(name) for name in written)


class ColumnNames:
    """Gives names in order: stripped of surrounding blanks; an empty one is `column_<position>`, counted from 1;
    one that was given before (case does not count) gets the first free number from 2 on: `name_2`."""

    def __init__(self) -> None:
        self._given = set(SYSTEM_COLUMNS)
        self._count = 0

    def add(self, written: str) -> str:
        self._count += 1
        name = base = written.strip() or f"column_{self._count}"
        number = 2
        while name.casefold() in self._given:
            name = f"{base}_{number}"
            number += 1
        self._given.add(name.casefold())
        return name
