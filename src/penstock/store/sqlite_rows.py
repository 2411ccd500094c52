"""Rows that follow one another as one SQLite file that never changes once it is finished.

Rows stand in the order of their `position`, so a page is a range of the primary key however far it lies: the positions
of some rows are marked. Every index ends with it, so that chosen rows come in order without sorting. Between the positions
of two rows there is room for others, which a file made from this one may have.
"""

from __future__ import annotations

import sqlite3
import threading
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from penstock.errors import StorageError
from penstock.store.collection import Collection
from penstock.store.protocol import Condition, Row, TakesLong

GAP = 1 << 16  # from one position to the next
_MARK = 128  # of so many rows the first has its position marked
_MAPPED = 1 << 30  # bytes of a file that are read through the page cache without copying
_TOTALS = 4096  # remembered numbers of rows
_LARGEST = (1 << 63) - 1
_TICK = 2_500  # steps of SQLite's machine, about 50 microseconds
_MOMENT = 10  # ticks


def write_rows(path: Path, collection: Collection, batches: Iterable[Sequence[Row]]) -> int:
    """Write a new file; the number of rows."""
    names = _columns(collection)
    count = 0
    try:
        with written(path) as db:
            db.execute("BEGIN")
            columns = "".join(f", {name}" for name in names)
            db.execute(
                f"CREATE TABLE rows (position INTEGER PRIMARY KEY, key TEXT NOT NULL{columns}, document TEXT NOT NULL)"
            )
            db.execute("CREATE TABLE marks (positions BLOB NOT NULL)")
            for batch in batches:
                insert_rows(db, collection, zip(_positions(count, len(batch)), batch, strict=True))
                count += len(batch)
            mark(db, positions_of(count))
            db.execute("CREATE UNIQUE INDEX by_key ON rows (key)")
            for name in names:
                db.execute(f"CREATE INDEX by_{name} ON rows ({name})")
            db.execute("ANALYZE")
            db.execute("COMMIT")
    except sqlite3.IntegrityError as error:
        raise StorageError(
            f"The key `{collection.key}` of gold.{collection.table} is absent or stands twice, so rows cannot be served",
            remedy="Name a key that is unique, and test it in the model (`unique`, `not_null`).",
        ) from error
    return count


def insert_rows(db: sqlite3.Connection, collection: Collection, rows: Iterable[tuple[int, Row]]) -> None:
    """Put rows, each with its position, into a file that is not finished."""
    columns = "".join(f", {name}" for name in _columns(collection))
    values = ", ".join("?" * (len(collection.indexed) + 3))
    sql = f"INSERT INTO rows (position, key, document{columns}) VALUES ({values})"
    db.executemany(sql, ((position, *row) for position, row in rows))


def mark(db: sqlite3.Connection, positions: npt.NDArray[np.int64]) -> None:
    """Mark the positions of a file that is not finished, as they are now."""
    db.execute("DELETE FROM marks")
    db.execute("INSERT INTO marks VALUES (?)", (positions[::_MARK].tobytes(),))


def positions_of(count: int) -> npt.NDArray[np.int64]:
    """Where so many rows stand that are written one after the other."""
    return np.arange(1, count + 1, dtype=np.int64) * GAP


def _positions(first: int, count: int) -> range:
    return range((first + 1) * GAP, (first + count + 1) * GAP, GAP)


def _columns(collection: Collection) -> list[str]:
    return [f"c{place}" for place in range(len(collection.indexed))]


@contextmanager
def written(path: Path) -> Iterator[sqlite3.Connection]:
    """A file that is not finished, open for writing. Nothing reads it before it is, so it needs no journal."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = OFF")
            db.execute("PRAGMA synchronous = OFF")  # the whole file is synced when it is finished
            yield db
    except sqlite3.IntegrityError:
        raise
    except sqlite3.Error as error:
        raise StorageError(
            "The serving store cannot be written",
            where=str(path),
            found=str(error),
            remedy="Check the space and the permissions of the data directory; the former release is still served.",
        ) from error


def fault(path: Path, rows: int) -> str | None:
    """What is wrong with a file, read as a whole: missing, damaged, or of another number of rows."""
    try:
        with closing(_connect(path)) as db:
            ((state,),) = db.execute("PRAGMA quick_check(1)")
            ((count,),) = db.execute("SELECT count(*) FROM rows")
    except FileNotFoundError:
        return f"{path} is missing"
    except sqlite3.Error as error:
        return f"{path} is damaged: {error}"
    if state != b"ok":
        return f"{path} is damaged: {state.decode(errors='replace').splitlines()[0]}"
    return None if count == rows else f"{path} holds {count:,} rows, not {rows:,}"


class _Patience(threading.local):
    """How many ticks the answer that this thread makes may still take; None: as many as it needs."""

    left: int | None = None


_patience = _Patience()


@contextmanager
def moment(files: int) -> Iterator[None]:
    """Inside, what this thread asks `at_once` of so many files is given up with TakesLong after half a millisecond.

    SQLite counts steps on from one statement to the next, so each file may begin with a tick of its former answers.
    """
    _patience.left = _MOMENT + files
    try:
        yield
    finally:
        _patience.left = None


def _out_of_time() -> bool:
    if _patience.left is None:
        return False
    _patience.left -= 1
    return _patience.left < 0


class RowFile:
    """A finished file, open for reading by any thread."""

    def __init__(self, path: Path, collection: Collection, rows: int) -> None:
        self._collection = collection
        self._rows = rows
        self._lock, self._quick_lock = threading.Lock(), threading.Lock()
        self._totals: dict[tuple[Condition, ...], int] = {(): rows}
        try:
            # Nobody changes the file, so it is read without locks, and goes on when it is removed.
            self._quick = _connect(path)  # for the thread that everybody waits for: it gives up early
            self._quick.set_progress_handler(_out_of_time, _TICK)
            self._slow = _connect(path)
            ((marks,),) = self._slow.execute("SELECT positions FROM marks")
            self._marks = array("q", marks)
        except (sqlite3.Error, ValueError) as error:
            raise StorageError(
                "A file of the serving store cannot be read", where=str(path), found=str(error)
            ) from error

    def document(self, key: str) -> bytes | None:
        with self._quick_lock:
            row = self._quick.execute("SELECT document FROM rows WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def page(self, conditions: Sequence[Condition], *, skip: int, limit: int, at_once: bool) -> list[bytes]:
        skip = min(skip, _LARGEST - limit)
        if not conditions:
            marked, more = divmod(skip, _MARK)
            if marked >= len(self._marks):
                return []
            sql = "SELECT document FROM rows WHERE position >= ? ORDER BY position LIMIT ? OFFSET ?"
            with self._quick_lock:
                return [row[0] for row in self._quick.execute(sql, (self._marks[marked], limit, more))]
        where, values = self._where(conditions)
        sql = f"SELECT document FROM rows WHERE {where} ORDER BY position LIMIT ? OFFSET ?"
        return [row[0] for row in self._ask(sql, (*values, limit, skip), at_once=at_once)]

    def count(self, conditions: Sequence[Condition], *, at_once: bool) -> int:
        wanted = tuple(conditions)
        known = self._totals.get(wanted)
        if known is not None:
            return known
        where, values = self._where(conditions)
        ((total,),) = self._ask(f"SELECT count(*) FROM rows WHERE {where}", values, at_once=at_once)
        if len(self._totals) >= _TOTALS:
            self._totals = {(): self._rows}
        self._totals[wanted] = int(total)
        return int(total)

    def _ask(self, sql: str, values: Sequence[str | int | float], *, at_once: bool) -> list[tuple[Any]]:
        if not at_once:
            with self._lock:
                return self._slow.execute(sql, values).fetchall()
        with self._quick_lock:
            try:
                return self._quick.execute(sql, values).fetchall()
            except sqlite3.OperationalError as error:
                if _patience.left is not None and _patience.left < 0:
                    raise TakesLong from error
                raise

    def close(self) -> None:
        self._quick.close()
        self._slow.close()

    def __del__(self) -> None:
        # A view that was replaced is let go by whichever request used it last.
        if hasattr(self, "_slow"):
            self.close()

    def _where(self, conditions: Sequence[Condition]) -> tuple[str, list[str | int | float]]:
        parts = [f"c{self._collection.place_of(one.column)} {one.compare.value} ?" for one in conditions]
        return " AND ".join(parts), [one.value for one in conditions]


def _connect(path: Path) -> sqlite3.Connection:
    """FileNotFoundError when it is not there, or goes at this very moment."""
    address = f"file:{quote(str(path))}?mode=ro&immutable=1"
    try:
        db = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
        db.execute(f"PRAGMA mmap_size = {_MAPPED}")
        db.execute("SELECT 1 FROM rows LIMIT 1").fetchone()  # SQLite opens the file with the first statement
    except sqlite3.OperationalError as error:
        if not path.is_file():
            raise FileNotFoundError(path) from error
        raise
    db.text_factory = bytes
    return db
