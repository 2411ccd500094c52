"""Looking at a lake without opening it: heads, records and sizes by plain SQLite and JSON, in milliseconds."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from penstock.alone import is_full
from penstock.errors import DiskFull, StorageError, UsageError
from penstock.lake.access import CATALOG_FILE, has_log, open_to_read, open_to_write

PERSONAL_IDS = "penstock.personal-ids"  # of a table: the field ids of personal columns
SETTLED = "penstock.settled"  # of a quarantine: how many of its rows are not open any more
TOKEN = "penstock.token"  # of a snapshot of the lake: what it was made from
COUNTS = "penstock.counts"  # of a snapshot: what became of the rows that its commit took
_LAST = "\U0010ffff"  # sorts behind every key


@dataclass(frozen=True)
class StoredRecord:
    """A row of penstock_record: what was committed (or noted) under a key, and when (aware UTC)."""

    kind: str
    key: str
    value: Mapping[str, Any]
    committed_at: datetime


@dataclass(frozen=True)
class TableSummary:
    """What `status` says of a table: rows, current snapshot (None before the first), live files and their bytes.
    `grown_at` is when rows came last, None where no snapshot that is kept says so."""

    rows: int
    snapshot: int | None
    files: int
    bytes: int
    properties: Mapping[str, str]
    summary: Mapping[str, str]
    grown_at: datetime | None = None

    @property
    def personal_ids(self) -> frozenset[int]:
        """The field ids of the columns that hold personal values."""
        return frozenset(json.loads(self.properties.get(PERSONAL_IDS, "[]")))

    @property
    def open_rows(self) -> int:
        """Of a quarantine: the rows that are neither replayed nor superseded."""
        return self.rows - int(self.properties.get(SETTLED, "0"))


def exists(root: Path) -> bool:
    """Whether there is a lake below `root`."""
    return (root / CATALOG_FILE).is_file()


def moved(home: str, here: str) -> UsageError:
    """The refusal of a data directory that is not where its tables think it is."""
    return UsageError(
        "The data directory was moved; its tables still point to the old place",
        where=here,
        expected=home,
        found=here,
        remedy="Move it back, or let `penstock doctor --relocate` rewrite the paths.",
    )


def read_heads(root: Path) -> dict[str, str]:
    """Table name -> metadata location, sorted by name; empty when there is no lake.

    Raises UsageError when the data directory was moved: the locations would lead nowhere.
    """
    here = os.path.realpath(root)
    for (home,) in _query(root, "SELECT value FROM penstock_lake WHERE key = 'root'", ()):
        if home != here:
            raise moved(home, here)
    query = (
        "SELECT table_namespace || '.' || table_name, metadata_location FROM iceberg_tables"
        " WHERE catalog_name = 'penstock' ORDER BY 1"
    )
    return dict(_query(root, query, ()))


def read_records(root: Path, kind: str, *, prefix: str = "") -> list[dict[str, Any]]:
    """The values of the records of a kind whose key begins with `prefix`, oldest first; each with its `key` and
    `committed_at` added."""
    return [
        {**record.value, "key": record.key, "committed_at": record.committed_at.isoformat()}
        for record in _stored(root, "kind = ? AND key >= ? AND key < ? ORDER BY rowid", kind, prefix, prefix + _LAST)
    ]


def stored_records(root: Path, kind: str, *, since: str = "", before: datetime | None = None) -> list[StoredRecord]:
    """The records of a kind from key `since` on, in the order in which they were written; those written before an
    instant, where one is given."""
    limit = _LAST if before is None else _instant(before)
    return _stored(root, "kind = ? AND key >= ? AND committed_at < ? ORDER BY rowid", kind, since, limit)


def stored_record(root: Path, kind: str, key: str) -> StoredRecord | None:
    """One record, or None."""
    return next(iter(_stored(root, "kind = ? AND key = ?", kind, key)), None)


def last_record(root: Path, kind: str) -> StoredRecord | None:
    """The record of a kind with the highest key, or None before the first."""
    return next(iter(_stored(root, "kind = ? ORDER BY key DESC LIMIT 1", kind)), None)


def _instant(at: datetime) -> str:
    """An instant as the table holds it; all are in UTC, so their order is that of their texts."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def _stored(root: Path, condition: str, *values: str) -> list[StoredRecord]:
    query = f"SELECT kind, key, value, committed_at FROM penstock_record WHERE {condition}"
    return [
        StoredRecord(row[0], row[1], json.loads(row[2]), datetime.fromisoformat(row[3]))
        for row in _query(root, query, values)
    ]


def read_record(root: Path, kind: str, key: str) -> dict[str, Any] | None:
    """The value of one record, or None."""
    query = "SELECT value FROM penstock_record WHERE kind = ? AND key = ?"
    found = _query(root, query, (kind, key))
    return json.loads(found[0][0]) if found else None


def put_record(root: Path, kind: str, key: str, value: Mapping[str, object], *, at: datetime) -> None:
    """Write a record outside a commit (a run's history, a gate's outcome); an earlier one with the key gives way."""
    statement = (
        "INSERT INTO penstock_record (kind, key, value, committed_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, committed_at = excluded.committed_at"
    )
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    with _errors(root), closing(open_to_write(root)) as db:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")
        db.execute(statement, (kind, key, text, _instant(at)))


def delete_records(root: Path, kind: str, keys: Sequence[str]) -> None:
    """Forget records beyond their retention, all or none."""
    with _errors(root), closing(open_to_write(root)) as db:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")
        db.execute("BEGIN IMMEDIATE")
        db.executemany("DELETE FROM penstock_record WHERE kind = ? AND key = ?", [(kind, key) for key in keys])
        db.execute("COMMIT")


def read_table_summary(metadata_location: str) -> TableSummary:
    """Rows, snapshot, files and bytes of a table, from its metadata file alone, but for the rows that are left where
    another engine changed a table with deletes."""
    path = metadata_location.removeprefix("file://")
    try:
        metadata = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise StorageError("The metadata of a table cannot be read", where=path, found=str(error)) from error
    current = metadata.get("current-snapshot-id")
    found = (one for one in metadata.get("snapshots", []) if one["snapshot-id"] == current)
    snapshot: dict[str, Any] = next(found, {})
    summary: dict[str, str] = snapshot.get("summary", {})
    return TableSummary(
        rows=_rows_left(snapshot),
        snapshot=None if current in (None, -1) else int(current),
        files=int(summary.get("total-data-files", "0")),
        bytes=int(summary.get("total-files-size", "0")),
        properties=metadata.get("properties", {}),
        summary=summary,
        grown_at=_grown_at(metadata.get("snapshots", [])),
    )


def rows_of(summary: Mapping[str, str]) -> int:
    """How many rows a reader finds in a snapshot of the lake, by its summary."""
    return int(summary.get("total-records", "0")) - int(summary.get("total-position-deletes", "0"))


def _rows_left(snapshot: Mapping[str, Any]) -> int:
    """How many rows a reader finds in a snapshot, whoever made it: another engine that writes files anew leaves names of
    rows of the old ones behind, which its summary counts on."""
    summary = snapshot.get("summary", {})
    if TOKEN in summary or summary.get("total-position-deletes", "0") == "0":
        return rows_of(summary)
    from penstock.lake.deletes import named_rows  # takes PyIceberg

    return int(summary["total-records"]) - named_rows(snapshot)


def _grown_at(snapshots: Sequence[Mapping[str, Any]]) -> datetime | None:
    """When the newest commit was that took rows in; rewriting files adds records too, but counts none."""
    taken = (one["timestamp-ms"] for one in snapshots if _accepted(one.get("summary", {})) > 0)
    newest = max(taken, default=None)
    return None if newest is None else datetime.fromtimestamp(newest / 1000, UTC)


def _accepted(summary: Mapping[str, str]) -> int:
    return int(json.loads(summary.get(COUNTS, "{}")).get("accepted", 0))


def _query(root: Path, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
    if not exists(root):
        return []
    with _errors(root), closing(open_to_read(root)) as db:
        try:
            return db.execute(query, values).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):  # its first opening was cut short: there is nothing in it yet
                return []
            raise


@contextmanager
def _errors(root: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        kind = DiskFull if is_full(error) else StorageError
        raise kind(
            "The catalogue of the data directory cannot be read",
            where=str(root / CATALOG_FILE),
            found=str(error),
            remedy=_remedy(root, error),
        ) from error


def _remedy(root: Path, error: sqlite3.Error) -> str:
    if "unable to open" in str(error) and has_log(root):
        return "Its last writer was killed: let the user it belongs to call `penstock status` once."
    if is_full(error):
        return "Free space on the disk that holds the data directory."
    return "Check that it is the data directory of this project and that this user may read it."
