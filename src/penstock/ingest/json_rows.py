"""Objects to rows: one column per key, in the order in which the file first names them."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from penstock.ingest.batch import Piece, string_rows
from penstock.ingest.column import ColumnNames
from penstock.ingest.json_text import Number, Value, value_text
from penstock.ingest.malformed import Malformed

_PLAIN = {str, Number, type(None)}


class JsonRows:
    """Collects a file's objects and turns them into pieces. A later piece may have more columns than an earlier one."""

    def __init__(self) -> None:
        self._names = ColumnNames()
        self._columns: dict[str, str] = {}
        self._objects: list[dict[str, Value]] = []
        self._lines: list[int] = []
        self._malformed: list[Malformed] = []

    def __len__(self) -> int:
        return len(self._objects) + len(self._malformed)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names given so far."""
        return tuple(self._columns.values())

    def take(self, value: dict[str, Value], line: int) -> None:
        if not value.keys() <= self._columns.keys():
            for key in value:
                if key not in self._columns:
                    self._columns[key] = self._names.add(key)
        self._objects.append(value)
        self._lines.append(line)

    def refuse(self, line: Malformed) -> None:
        self._malformed.append(line)

    def piece(self) -> Piece:
        """What was collected since the last piece."""
        arrays = [_column(self._objects, key) for key in self._columns]
        piece = Piece(string_rows(self.columns, arrays, pa.array(self._lines, pa.int64())), self._malformed)
        self._objects, self._lines, self._malformed = [], [], []
        return piece


def _column(objects: Sequence[dict[str, Value]], key: str) -> pa.Array:
    values = [value.get(key) for value in objects]
    if not _PLAIN.issuperset(map(type, values)):
        values = [value_text(value) for value in values]
    return pa.array(values, pa.string())
