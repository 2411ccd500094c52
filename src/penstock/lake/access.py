"""How this user gets at the catalogue's file: for writing, for reading beside a writer, or for reading alone."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from penstock.alone import address, asked, shared_or_alone
from penstock.errors import StorageError

CATALOG_FILE = "catalog.db"
_BUSY_SECONDS = 30
_UNCHANGING = "mode=ro&immutable=1"
_BY_EFFECTIVE_USER = os.access in os.supports_effective_ids


def is_writable(root: Path) -> bool:
    """Whether this user may change the lake below `root`; not so on a read-only disk, whoever the user is."""
    places = (root, root / CATALOG_FILE)
    return all(os.access(place, os.W_OK, effective_ids=_BY_EFFECTIVE_USER) for place in places)


def open_to_read(root: Path) -> sqlite3.Connection:
    """A connection that changes nothing, to be closed soon.

    SQLite wants a file that readers and writers share beside the catalogue's, which it cannot make where nothing may
    be written. Without a log beside the catalogue nobody is writing either, and it is read as a file that does not
    change; with one it is read through the log that its writer keeps.
    """
    if is_writable(root):
        return shared_or_alone(root / CATALOG_FILE, lambda: _connect(root, "mode=ro"), wait=_BUSY_SECONDS)
    return asked(_connect(root, "mode=ro" if has_log(root) else _UNCHANGING))


def open_to_write(root: Path) -> sqlite3.Connection:
    """A connection to a catalogue that is there."""
    return _connect(root, "mode=rw")


def open_or_make(root: Path) -> sqlite3.Connection:
    """A connection to a catalogue that comes into being if need be."""
    return _connect(root, "mode=rwc")


def has_log(root: Path) -> bool:
    """Whether there are changes beside the catalogue's file: someone is writing, or was killed while writing."""
    try:
        return (root / f"{CATALOG_FILE}-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


def read_only(root: Path) -> StorageError:
    """The refusal to change what this user may only read."""
    return StorageError(
        "The data directory can only be read",
        where=str(root),
        found="no right to write in it",
        remedy="Work as the user it belongs to, or choose another with --data-dir. Looking and asking go on working.",
    )


def _connect(root: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(
        address(root / CATALOG_FILE, how),
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
