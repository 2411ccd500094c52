"""Checks over live tables: they see them as the schema `live`, and are left out where one of them is not there."""

from __future__ import annotations

import duckdb
from sqlglot.errors import SqlglotError

from penstock.quality.query import relations
from penstock.quality.result import Status
from penstock.quality.rule import Outcome
from penstock.spec.project import Check
from penstock.sql.tables import tables_of

LIVE = "live"


def live_named(check: Check) -> tuple[str, ...]:
    """The live tables that the queries of a check read, by name; none where they cannot be parsed."""
    try:
        tables = {table for sql in (check.sql, check.against) if sql is not None for table in tables_of(sql)}
    except SqlglotError:
        return ()
    return tuple(
        sorted({name for layer, _, name in (table.partition(".") for table in tables) if layer.lower() == LIVE})
    )


def missing_live(check: Check, connection: duckdb.DuckDBPyConnection) -> Outcome | None:
    """That the check is skipped, when a live table that it reads is not there."""
    named = live_named(check)
    missing = [name for name in named if f"{LIVE}.{name}" not in relations(connection)] if named else []
    if not missing:
        return None
    return Outcome(Status.SKIPPED, None, f"there is no live table {', '.join(missing)} yet: `penstock stream` makes it")
