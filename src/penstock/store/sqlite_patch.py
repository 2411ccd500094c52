"""A file of rows made from a former one in which few rows said something else: copied, and those written over.

Beside its rows a file may hold a digest of each, in their order. Where the digests differ, and the keys stand as they
stood, the rows are put in the place of the former ones. The file is packed then: pages that are written over keep bytes
of what stood there, even where SQLite is told to delete securely.
"""

from __future__ import annotations

import shutil
import sqlite3
from array import array
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from penstock.errors import StorageError
from penstock.store.collection import Collection
from penstock.store.protocol import Row, Told
from penstock.store.sqlite_rows import written

_FEW = 8  # one row in so many; with more of them to write over, all are written anew as fast


def keep_digests(path: Path, told: Told) -> None:
    """Write the digests of the rows beside them, in a file that is not finished."""
    with written(path) as db:
        db.execute("CREATE TABLE digests (content BLOB NOT NULL)")
        db.execute("INSERT INTO digests VALUES (?)", (told.digests().tobytes(),))


def patch_rows(former: Path, path: Path, collection: Collection, told: Told) -> int | None:
    """Make the file `path` from a former one of the same place; the number of rows. None, and nothing is written,
    when rows came, went or stand elsewhere, many changed, or the former file is damaged."""
    try:
        return _patched(former, path, collection, told)
    except (sqlite3.Error, StorageError):
        path.unlink(missing_ok=True)  # all rows are written anew, which tells if the disk is what is wrong
        return None


def _patched(former: Path, path: Path, collection: Collection, told: Told) -> int | None:
    before, after = _digests(former), told.digests()
    if before is None or len(before) != len(after):
        return None
    changed = [place for place, (old, new) in enumerate(zip(before, after, strict=True), start=1) if old != new]
    if len(changed) * _FEW > len(after):
        return None
    rows = list(told.at(changed)) if changed else []
    if _keys(former, changed) != [row[0] for row in rows]:
        return None
    copied = path.with_name(f"{path.name}.former")  # whatever a killed process left of it goes with the next release
    try:
        shutil.copyfile(former, copied)
        with written(copied) as db:
            _write_over(db, collection, [(*row[1:], place) for place, row in zip(changed, rows, strict=True)], after)
            db.execute("VACUUM INTO ?", (str(path),))
    finally:
        copied.unlink(missing_ok=True)
    return len(after)


def _write_over(db: sqlite3.Connection, collection: Collection, rows: Sequence[Row], digests: array[int]) -> None:
    """Put in place rows of document, indexed values and position."""
    names = "".join(f", c{place} = ?" for place in range(len(collection.indexed)))
    db.execute("BEGIN")
    db.executemany(f"UPDATE rows SET document = ?{names} WHERE position = ?", rows)
    db.execute("UPDATE digests SET content = ?", (digests.tobytes(),))
    db.execute("DROP TABLE IF EXISTS sqlite_stat4")  # where SQLite is built so, some of the former values
    db.execute("COMMIT")


def _digests(path: Path) -> array[int] | None:
    """Those that a file holds; None where it holds none, or cannot be read."""
    try:
        with closing(_reading(path)) as db:
            ((content,),) = db.execute("SELECT content FROM digests")
    except (sqlite3.Error, ValueError):
        return None
    return array("Q", content)


def _keys(path: Path, places: Sequence[int]) -> list[str]:
    with closing(_reading(path)) as db:
        sql = "SELECT key FROM rows WHERE position = ?"
        return [row[0] for place in places for row in db.execute(sql, (place,))]


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
