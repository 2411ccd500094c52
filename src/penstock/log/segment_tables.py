"""The tables of a segment, and what they begin with: what those of the segment before it ended with."""

from __future__ import annotations

import sqlite3

FORMAT = 1
_TABLES = (
    "CREATE TABLE segment (format INTEGER, number INTEGER, made INTEGER, sealed INTEGER)",
    "CREATE TABLE owner (epoch INTEGER, commits INTEGER)",
    "CREATE TABLE holder (name TEXT PRIMARY KEY, epoch INTEGER, sequence INTEGER, ranges TEXT)",
    (
        "CREATE TABLE part (id INTEGER PRIMARY KEY, topic TEXT, partition INTEGER, first INTEGER, next INTEGER,"
        " bytes INTEGER, UNIQUE (topic, partition))"
    ),
    "CREATE TABLE schema (id INTEGER PRIMARY KEY, topic TEXT, arrow BLOB, UNIQUE (topic, arrow))",
    (
        "CREATE TABLE batch (id INTEGER PRIMARY KEY, part INTEGER, first INTEGER, rows INTEGER, at INTEGER,"
        " schema INTEGER, checksum INTEGER, data BLOB)"
    ),
    "CREATE UNIQUE INDEX batch_place ON batch (part, first)",
    (
        "CREATE TABLE position (topic TEXT, partition INTEGER, offset INTEGER, incarnation TEXT,"
        " PRIMARY KEY (topic, partition))"
    ),
    "CREATE TABLE snapshot (file TEXT, size INTEGER, checksum INTEGER, after INTEGER)",
    "CREATE TABLE delta (id INTEGER PRIMARY KEY, checksum INTEGER, data BLOB)",
    "CREATE TABLE journal (id INTEGER PRIMARY KEY, checksum INTEGER, data BLOB)",
)


def fill(connection: sqlite3.Connection, *, number: int, made: int, before: sqlite3.Connection | None) -> None:
    """The tables of a new segment, with what the one before it ended with."""
    for statement in _TABLES:
        connection.execute(statement)
    connection.execute("INSERT INTO segment VALUES (?, ?, ?, NULL)", (FORMAT, number, made))
    if before is None:
        connection.execute("INSERT INTO owner VALUES (0, 0)")
        return
    taken = before.execute("SELECT after FROM snapshot").fetchone()
    after = 0 if taken is None else taken[0]
    for table, columns in (
        ("owner", "epoch, commits"),
        ("holder", "name, epoch, sequence, ranges"),
        ("part", "id, topic, partition, next AS first, next, 0"),
        ("schema", "id, topic, arrow"),
        ("position", "topic, partition, offset, incarnation"),
        ("snapshot", "file, size, checksum, after"),
    ):
        _copy(before, connection, table, columns, "", ())
    for table in ("delta", "journal"):
        _copy(before, connection, table, "id, checksum, data", " WHERE id > ?", (after,))


def _copy(
    source: sqlite3.Connection,
    target: sqlite3.Connection,
    table: str,
    columns: str,
    where: str,
    values: tuple[int, ...],
) -> None:
    """Rows of a table into the same table; every name is one of this module."""
    places = ", ".join("?" for _ in columns.split(","))
    rows = source.execute(f"SELECT {columns} FROM {table}{where}", values)
    target.executemany(f"INSERT INTO {table} VALUES ({places})", rows)
