"""DuckDB connections of ours: in memory or on a file, UTC, with limits, without downloads."""

from __future__ import annotations

from pathlib import Path

import duckdb

_IN_USE = ("Could not set lock on file", "Unique file handle conflict")  # in another process, in this one


def connect(
    database: Path | None = None,
    *,
    memory_limit: str = "1GB",
    threads: int | None = None,
    temp_directory: Path | None = None,
    read_only: bool = False,
) -> duckdb.DuckDBPyConnection:
    """Open a connection whose results do not depend on the machine.

    The time zone of it and of its cursors is UTC, no extension is installed or loaded by itself, names in SQL never
    find Python variables. Rows keep no insertion order: say ORDER BY where it matters.
    Without `temp_directory` nothing is spilled to disk and a query beyond `memory_limit` fails.

    >>> connect().execute("SELECT current_setting('TimeZone')").fetchall()
    [('UTC',)]
    """
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory_limit,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "preserve_insertion_order": False,
        "python_enable_replacements": False,
        "temp_directory": "" if temp_directory is None else str(temp_directory),
    }
    if threads is not None:
        settings["threads"] = threads
    connection = duckdb.connect(str(database or ":memory:"), read_only=read_only, config=settings)
    connection.execute("SET GLOBAL TimeZone = 'UTC'")  # of its cursors, too
    connection.execute("SET enable_progress_bar = false")
    return connection


def is_in_use(error: BaseException) -> bool:
    """Whether a file cannot be opened because somebody else has it open: one who writes, or one who reads where this
    would write."""
    return isinstance(error, duckdb.OperationalError) and any(said in str(error) for said in _IN_USE)
