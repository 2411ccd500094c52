"""Several threads at work on one database, each on a connection of its own: DuckDB plans a query on one core, and a
small one runs on one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import duckdb

Item = TypeVar("Item")
Result = TypeVar("Result")


def another(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A connection to the same databases for another thread, with the same settings. Temporary tables are its own."""
    cursor = connection.cursor()
    cursor.execute("SET enable_progress_bar = false")
    return cursor


def on_own(
    connection: duckdb.DuckDBPyConnection, work: Callable[[duckdb.DuckDBPyConnection, Item], Result]
) -> Callable[[Item], Result]:
    """The work with a connection of its own for each thread that does it."""
    own = threading.local()

    def one(item: Item) -> Result:
        if not hasattr(own, "connection"):
            own.connection = another(connection)
        return work(own.connection, item)

    return one
