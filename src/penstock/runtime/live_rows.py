"""Rows of a live table as they are read by people and programs."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from penstock.errors import UsageError
from penstock.runtime.installation import Installation
from penstock.spec.problems import did_you_mean
from penstock.store.live_file import live_tables
from penstock.store.live_reader import open_live
from penstock.store.live_values import restored


def live_rows(installation: Installation, table: str, *, order: str | None, limit: int) -> list[dict[str, Any]]:
    """Rows of a live table in the order of a column (`column` or `column desc`), then of the key.

    UsageError for a table or column that is not there.
    """
    folder = installation.place.root / "live"
    known = live_tables(folder)
    if table not in known:
        raise UsageError(
            "There is no such live table",
            expected=", ".join(known) or "none is there: `penstock stream` makes them",
            found=table,
            remedy=did_you_mean(table, known),
        )
    reader = open_live(folder, table)
    try:
        kinds = reader.shape.kinds
        rows = reader.rows(order=_order(order, kinds), limit=limit)
    finally:
        reader.close()
    return [{name: shown(value, kinds[name]) for name, value in row.items()} for row in rows]


def _order(order: str | None, kinds: dict[str, str]) -> list[tuple[str, bool]]:
    if order is None:
        return []
    name, _, direction = order.partition(" ")
    if name not in kinds or direction not in ("", "asc", "desc"):
        raise UsageError(
            "The table has no such order",
            expected=f"one of {', '.join(kinds)}, or one of them with `desc`",
            found=order,
            remedy=did_you_mean(name, kinds),
        )
    return [(name, direction == "desc")]


def shown(value: Any, kind: str) -> Any:
    """A stored value as an answer writes it.

    >>> shown(1234, "decimal(10,2)"), shown(0, "instant"), shown(1, "boolean")
    (Decimal('12.34'), '1970-01-01T00:00:00+00:00', True)
    """
    if value is not None and kind == "list":
        return json.loads(value)
    found = restored(value, kind)
    return found.isoformat() if isinstance(found, date) else found  # an instant is a date too
