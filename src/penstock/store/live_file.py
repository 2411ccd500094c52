"""The file of a live table: its name, the names within it, and what is told when it cannot be used."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from penstock.alone import is_full
from penstock.errors import DiskFull, StorageError

ENDING = ".live"


def live_file(folder: Path, name: str) -> Path:
    return folder / f"{name}{ENDING}"


def live_tables(folder: Path) -> tuple[str, ...]:
    """The live tables in a folder, by name."""
    return tuple(sorted(path.name.removesuffix(ENDING) for path in folder.glob(f"*{ENDING}")))


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def told(path: Path) -> Iterator[None]:
    """What SQLite raises within, as DiskFull or StorageError with the file and what to do."""
    try:
        yield
    except sqlite3.Error as error:
        kind = DiskFull if is_full(error) else StorageError
        raise kind(
            "A live table cannot be read or written",
            where=str(path),
            found=str(error),
            remedy="Check the space and the permissions of the data directory; the table is made again from its topic.",
        ) from error
