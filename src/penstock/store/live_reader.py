"""Rows of a live table, read while it is written."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.alone import address, shared_or_alone
from penstock.store.live_file import live_file, quoted, told
from penstock.store.live_shape import LiveShape

_WAIT = 10.0  # seconds, for the short locks that SQLite takes


@dataclass(frozen=True)
class LivePage:
    """Rows as stored values by column, how many there are on all pages, and up to where the changes are in."""

    rows: list[dict[str, Any]]
    total: int
    position: str | None


_COMPARISONS = {"=": "=", ">=": ">=", "<=": "<="}


@dataclass
class LiveReader:
    """A live table open for reading, also while it is written. To be closed soon: on a full disk that nobody writes, it is
    alone with the file."""

    path: Path
    shape: LiveShape = field(init=False)

    def __post_init__(self) -> None:
        with told(self.path):
            self._db = shared_or_alone(self.path, self._shared, wait=_WAIT)
            ((declared,),) = self._db.execute("SELECT value FROM about WHERE name = 'shape'").fetchall()
        self.shape = LiveShape.of_record(json.loads(declared))

    def _shared(self) -> sqlite3.Connection:
        return sqlite3.connect(address(self.path, "mode=ro"), uri=True, timeout=_WAIT, check_same_thread=False)

    def position(self) -> str | None:
        rows = self._db.execute("SELECT value FROM about WHERE name = 'position'").fetchall()
        return str(rows[0][0]) if rows else None

    def count(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM rows").fetchall()[0][0])

    def rows(self, *, order: Sequence[tuple[str, bool]] = (), limit: int = 100) -> list[dict[str, Any]]:
        """Rows as stored values by column, in `order` (column, descending), then by key."""
        return self._named(self._db.execute(f"{self._select('FROM rows', order)} LIMIT ?", [limit]))

    def page(
        self,
        where: Sequence[tuple[str, str, Any]] = (),
        *,
        order: Sequence[tuple[str, bool]] = (),
        newest: str | None = None,
        skip: int = 0,
        limit: int = 100,
    ) -> LivePage:
        """Rows that meet every condition (column, `=`, `>=` or `<=`, stored value), how many there are in all and the
        table's position, all of one moment. With `newest`, of them the rows alone with the greatest value of that column.
        """
        conditions = [f"{quoted(name)} {_COMPARISONS[sign]} ?" for name, sign, _ in where]
        values = [value for _, _, value in where]
        if newest is not None:
            met = " AND ".join(conditions) or "TRUE"
            conditions.append(f"{quoted(newest)} = (SELECT max({quoted(newest)}) FROM rows WHERE {met})")
            values *= 2
        chosen = f"FROM rows WHERE {' AND '.join(conditions) or 'TRUE'}"
        sql = f"{self._select(chosen, order)} LIMIT ? OFFSET ?"
        with told(self.path):
            self._db.execute("BEGIN")
            try:
                position = self.position()
                ((total,),) = self._db.execute(f"SELECT count(*) {chosen}", values).fetchall()
                rows = self._named(self._db.execute(sql, [*values, limit, skip]))
            finally:
                self._db.execute("COMMIT")
        return LivePage(rows, int(total), position)

    def _select(self, chosen: str, order: Sequence[tuple[str, bool]]) -> str:
        """Every column of the chosen rows, in `order`, then by key."""
        ordered = [f"{quoted(name)} {'DESC' if down else 'ASC'} NULLS LAST" for name, down in order]
        ordered += [quoted(name) for name in self.shape.key]
        return f"SELECT {', '.join(map(quoted, self.shape.kinds))} {chosen} ORDER BY {', '.join(ordered)}"

    def _named(self, found: sqlite3.Cursor) -> list[dict[str, Any]]:
        names = list(self.shape.kinds)
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def close(self) -> None:
        self._db.close()


def open_live(folder: Path, name: str) -> LiveReader:
    """A live table for reading; StorageError when it is not there."""
    return LiveReader(live_file(folder, name))
