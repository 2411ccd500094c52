"""A live table: the latest row of every key, changed in one transaction with the position that the changes came from.

One SQLite file for each table, in WAL mode: readers never wait and see whole transactions only. A kind of value is
stored as SQLite compares it: instants as microseconds and dates as days since 1970, decimals as whole numbers of their
last digit, booleans as 0 and 1, lists as JSON.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.alone import address, is_full, shared_or_alone
from penstock.checkpoint import Checkpointer, take_over
from penstock.errors import DiskFull, StorageError
from penstock.sorting import stable_order
from penstock.world import Disk

DELETED = "_deleted"  # of a change: the row of this key is there no longer
ENDING = ".live"
_BY = "by "  # of the name of an index, before the column
# of the write-ahead log: a page that changes again and again is taken over once
DUE_BYTES, MOST_BYTES = 32 << 20, 128 << 20
_SYNC_BYTES = 2 << 20  # of it, that are synced together
_TRIES = 4  # somebody writes all the time
_WAIT = 10.0  # seconds, for the short locks that SQLite takes
_PAGE_CACHE_KIB = 32 * 1024
_VALUES = 500  # of one statement
_PIECE = 20_000  # rows whose values are objects of Python at a time
_PAGE_BYTES = 2048  # small, for most rows that change in a round are far from each other


@dataclass(frozen=True)
class LiveColumn:
    """`kind`: text, integer, number, decimal(P,S), boolean, date, instant, binary or list."""

    name: str
    kind: str


@dataclass(frozen=True)
class LiveShape:
    """What a live table holds. `version` says by which declaration: another one makes the table anew. `indexed` are
    columns that rows are often chosen or sorted by; they may change at any time."""

    name: str
    columns: tuple[LiveColumn, ...]
    key: tuple[str, ...]
    version: str
    description: str = ""
    indexed: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        schema: pa.Schema,
        key: Sequence[str],
        *,
        version: str,
        description: str = "",
        indexed: Sequence[str] = (),
    ) -> LiveShape:
        columns = tuple(LiveColumn(one.name, kind_of(one.type)) for one in schema)
        return cls(name, columns, tuple(key), version, description, tuple(indexed))

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> LiveShape:
        """From what `asdict` makes of one."""
        columns = tuple(LiveColumn(**one) for one in record["columns"])
        indexed = tuple(record.get("indexed", ()))
        return cls(**{**record, "columns": columns, "key": tuple(record["key"]), "indexed": indexed})

    @property
    def declared(self) -> str:
        """What the file says that it holds."""
        return json.dumps({name: value for name, value in asdict(self).items() if name != "indexed"})


def kind_of(type: pa.DataType) -> str:
    """The kind of an Arrow type.

    >>> kind_of(pa.decimal128(10, 2)), kind_of(pa.int32())
    ('decimal(10,2)', 'integer')
    """
    if pa.types.is_decimal(type):
        return f"decimal({type.precision},{type.scale})"
    for kind, holds in _KINDS:
        if holds(type):
            return kind
    return "text"


_KINDS = (
    ("boolean", pa.types.is_boolean),
    ("integer", pa.types.is_integer),
    ("number", pa.types.is_floating),
    ("date", pa.types.is_date),
    ("instant", pa.types.is_timestamp),
    ("binary", pa.types.is_binary),
    ("list", pa.types.is_list),
)


def stored(column: pa.ChunkedArray) -> list[Any]:
    """The values of a column as SQLite holds them."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", kind.tz)).cast(pa.int64())
    elif pa.types.is_date(kind):
        column = column.cast(pa.date32()).cast(pa.int32())
    elif pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    elif pa.types.is_decimal(kind):
        column = _whole_numbers(column)
    elif pa.types.is_list(kind):
        return [None if one is None else json.dumps(one, default=str, ensure_ascii=False) for one in column.to_pylist()]
    return column.to_pylist()  # type: ignore[no-any-return]


def _whole_numbers(column: pa.ChunkedArray) -> pa.Array:
    """Decimals as whole numbers of their last digit: the lower half of each, where the upper half is only its sign."""
    array = pa.concat_arrays(column.cast(pa.decimal128(38, column.type.scale)).chunks or [pa.array([], column.type)])
    data = array.buffers()[1]
    halves = np.frombuffer(data or b"", dtype="<i8").reshape(-1, 2)[array.offset : array.offset + len(array)]
    valid = np.asarray(array.is_valid(), dtype=bool)
    if (halves[valid, 1] != halves[valid, 0] >> 63).any():
        raise StorageError("A decimal is too large for a live table", expected="at most 18 digits")
    return pa.array(halves[:, 0], mask=~valid)


def latest(changes: pa.Table, key: Sequence[str]) -> pa.Table:
    """The last row of each key, in the order of the keys.

    >>> latest(pa.table({"k": ["b", "a", "b"], "n": [1, 2, 3]}), ["k"]).to_pylist()
    [{'k': 'a', 'n': 2}, {'k': 'b', 'n': 3}]
    """
    if changes.num_rows < 2:
        return changes
    words = _words(changes, key) if changes.num_rows > _FEW else None
    if words is not None:
        order = stable_order(words)
        ordered = words[order]
        return changes.take(pa.array(order[np.append(ordered[1:] != ordered[:-1], True)]))
    changes = changes.take(pc.sort_indices(changes, [(name, "ascending") for name in key]))  # a stable sort
    same = np.ones(changes.num_rows - 1, dtype=bool)
    for name in key:
        column = changes[name]
        same &= np.asarray(pc.fill_null(pc.equal(column[:-1], column[1:]), False), dtype=bool)
    return changes.filter(pa.array(np.append(~same, True))) if same.any() else changes


def _words(changes: pa.Table, key: Sequence[str]) -> np.ndarray | None:
    """A whole number for each row, ordered as the keys are, as far as different values can be counted and 62 bits hold
    their combinations: numbers are sorted in a fraction of the time that texts take."""
    words, count = np.zeros(changes.num_rows, dtype=np.int64), 1
    for name in key:
        column = changes[name]
        if column.null_count or not any(holds(column.type) for holds in _COUNTED):
            return None
        found = column.combine_chunks().dictionary_encode()
        found = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
        ranks = np.empty(len(found.dictionary), dtype=np.int64)
        ranks[pc.sort_indices(found.dictionary).to_numpy()] = np.arange(len(ranks))
        count *= len(ranks)
        if count >= _MOST_KEYS:
            return None
        words = words * len(ranks) + ranks[found.indices.to_numpy()]
    return words


_COUNTED = (pa.types.is_string, pa.types.is_integer, pa.types.is_timestamp, pa.types.is_date)  # equal alike everywhere
_MOST_KEYS = 1 << 62
_FEW = 10_000  # rows that are sorted by their texts before their values are counted


class LiveTableMoved(StorageError):
    """Another process moved the table: read its position again, then decide."""

    retryable = True


class LiveTable:
    """A live table open for writing. Of several writers the first moves it from where it stood; the others are told."""

    def __init__(self, folder: Path, shape: LiveShape, *, disk: Disk | None = None) -> None:
        self.shape = shape
        self._disk = disk  # None: nobody watches its transactions
        self.path = folder / f"{shape.name}{ENDING}"
        self._declared = shape.declared
        folder.mkdir(parents=True, exist_ok=True)
        with _told(self.path):
            self._db = sqlite3.connect(self.path, isolation_level=None)
            self._db.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")  # what is lost is applied again from the position
            self._db.execute(f"PRAGMA cache_size = -{_PAGE_CACHE_KIB}")
            self._db.execute("PRAGMA wal_autocheckpoint = 0")
            # Begun anew, the file is written over and not cut off, which would be done within a commit.
            self._db.execute(f"PRAGMA journal_size_limit = {MOST_BYTES}")
            self._checkpointer = Checkpointer(self.path, MOST_BYTES, tries=_TRIES)
            self._prepare()
            self._index()
        self._position = self._about().get("position")
        self._changed_pages = self._unsynced_pages = 0  # about so many since a checkpoint was due, and a sync
        self._together = max(_VALUES // len(shape.columns), 1)
        self._upserts = _upsert(shape, rows=self._together)
        self._upsert = _upsert(shape)
        self._delete = f"DELETE FROM rows WHERE {' AND '.join(f'{_quoted(name)} = ?' for name in shape.key)}"

    def position(self) -> str | None:
        """Up to where the changes are in; None before the first."""
        self._position = self._about().get("position")
        return self._position

    def apply(self, changes: pa.Table, position: str) -> None:
        """Replace the rows of the keys in `changes`, the last of a key counts, and move the position: all or nothing.

        LiveTableMoved when the table is not where it was when its position was read or moved here last.
        """
        with self._transaction():
            self._check_place()
            self._change(changes)
            self._db.execute("INSERT OR REPLACE INTO about VALUES ('position', ?)", [position])
        self._position = position
        self._keep_short(changes.num_rows)

    def close(self) -> None:
        self._checkpointer.close()
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """One atomic point of the disk; undone when anything is raised within."""
        watched = nullcontext() if self._disk is None else self._disk.transaction(str(self.path), synced=False)
        with _told(self.path), watched:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk may have undone it already
                    self._db.execute("ROLLBACK")
                raise

    def _keep_short(self, changed: int) -> None:
        """What waits beside the file is taken over beside the commits, by this one when it is far too much. SQLite does
        not say how much a commit added: about a page for each row and index entry, and no more than there are."""
        ((pages,),) = self._db.execute("PRAGMA page_count").fetchall()
        written = min(changed * (1 + len(self.shape.indexed)), pages)
        self._changed_pages, self._unsynced_pages = self._changed_pages + written, self._unsynced_pages + written
        if self._checkpointer.waiting() > MOST_BYTES:
            self._checkpointer.catch_up()
            with suppress(sqlite3.Error):
                take_over(self._db)
        elif self._checkpointer.nearly:
            self._checkpointer.finish(self._db)
        elif self._changed_pages * _PAGE_BYTES > DUE_BYTES:
            self._changed_pages = self._unsynced_pages = 0
            self._checkpointer.due()
        elif self._unsynced_pages * _PAGE_BYTES > _SYNC_BYTES:
            self._unsynced_pages = 0
            self._checkpointer.soon()

    def _about(self) -> dict[str, str]:
        return dict(self._db.execute("SELECT name, value FROM about").fetchall())

    def _check_place(self) -> None:
        found = self._about()
        if found.get("shape") != self._declared:
            raise StorageError("A live table was made anew by another declaration", where=str(self.path))
        if found.get("position") != self._position:
            raise LiveTableMoved(
                "Another process moved a live table",
                where=str(self.path),
                expected=str(self._position),
                found=str(found.get("position")),
            )

    def _change(self, changes: pa.Table) -> None:
        """In the order of the key, so that neighbours in the file are written together."""
        changes = latest(changes, self.shape.key)
        if DELETED in changes.column_names:
            gone = pc.fill_null(changes[DELETED], False)
            taken_back = changes.filter(gone)
            if taken_back.num_rows:
                keys = [stored(taken_back[name]) for name in self.shape.key]
                self._db.executemany(self._delete, zip(*keys, strict=True))
                changes = changes.filter(pc.invert(gone))
        for start in range(0, changes.num_rows, _PIECE):
            self._put(changes.slice(start, _PIECE))

    def _put(self, rows: pa.Table) -> None:
        """Many rows by each statement, for to run one costs more than half of what it does for a row."""
        wide = len(self.shape.columns)
        values: list[Any] = [None] * (rows.num_rows * wide)
        for place, column in enumerate(self.shape.columns):
            values[place::wide] = stored(rows[column.name])
        together = self._together * wide
        end = len(values) - len(values) % together
        self._db.executemany(self._upserts, (values[at : at + together] for at in range(0, end, together)))
        self._db.executemany(self._upsert, (values[at : at + wide] for at in range(end, len(values), wide)))

    def _prepare(self) -> None:
        """Make the table, or make it anew when it was made by another declaration."""
        self._db.execute("CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")
        if self._about().get("shape") == self._declared:
            return
        columns = ", ".join(f"{_quoted(column.name)}" for column in self.shape.columns)
        key = ", ".join(_quoted(name) for name in self.shape.key)
        with self._transaction():
            self._db.execute("DROP TABLE IF EXISTS rows")
            self._db.execute(f"CREATE TABLE rows ({columns}, PRIMARY KEY ({key})) WITHOUT ROWID")
            self._db.execute("DELETE FROM about")
            self._db.execute("INSERT INTO about VALUES ('shape', ?)", [self._declared])

    def _index(self) -> None:
        """An index for each column that is to have one, and no others. The first of the key needs none."""
        wanted = {_BY + name: name for name in self.shape.indexed if name != self.shape.key[0]}
        found = self._db.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").fetchall()
        there = {name for (name,) in found}
        for name in there - wanted.keys():
            self._db.execute(f"DROP INDEX IF EXISTS {_quoted(name)}")
        for name in wanted.keys() - there:
            self._db.execute(f"CREATE INDEX IF NOT EXISTS {_quoted(name)} ON rows ({_quoted(wanted[name])})")


def _upsert(shape: LiveShape, *, rows: int = 1) -> str:
    """What puts so many rows in the place of those of their keys. The key stays, and the indexes of its columns with it:
    that takes little more than half the time of deleting the row and writing another."""
    names = [_quoted(column.name) for column in shape.columns]
    others = [_quoted(column.name) for column in shape.columns if column.name not in shape.key]
    changed = f"DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in others)}" if others else "DO NOTHING"
    key = ", ".join(map(_quoted, shape.key))
    marks = f"({', '.join('?' * len(names))})"
    return f"INSERT INTO rows ({', '.join(names)}) VALUES {', '.join([marks] * rows)} ON CONFLICT ({key}) {changed}"


@dataclass(frozen=True)
class LivePage:
    """Rows as stored values by column, how many there are on all pages, and up to where the changes are in."""

    rows: list[dict[str, Any]]
    total: int
    position: str | None


_COMPARISONS = {"=": "=", ">=": ">=", "<=": "<="}


@dataclass
class LiveReader:
    """A live table open for reading, also while it is written. To be closed soon: on a full disk that nobody writes, it is
    alone with the file."""

    path: Path
    shape: LiveShape = field(init=False)

    def __post_init__(self) -> None:
        with _told(self.path):
            self._db = shared_or_alone(self.path, self._shared, wait=_WAIT)
            ((declared,),) = self._db.execute("SELECT value FROM about WHERE name = 'shape'").fetchall()
        self.shape = LiveShape.of_record(json.loads(declared))

    def _shared(self) -> sqlite3.Connection:
        return sqlite3.connect(address(self.path, "mode=ro"), uri=True, timeout=_WAIT, check_same_thread=False)

    def position(self) -> str | None:
        rows = self._db.execute("SELECT value FROM about WHERE name = 'position'").fetchall()
        return str(rows[0][0]) if rows else None

    def count(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM rows").fetchall()[0][0])

    def rows(
        self, *, equal: Mapping[str, Any] | None = None, order: Sequence[tuple[str, bool]] = (), limit: int = 100
    ) -> list[dict[str, Any]]:
        """Rows as stored values by column: those with the values `equal`, in `order` (column, descending), then by key."""
        chosen = dict(equal or {})
        where = " AND ".join(f"{_quoted(name)} = ?" for name in chosen) or "TRUE"
        ordered = [f"{_quoted(name)} {'DESC' if down else 'ASC'} NULLS LAST" for name, down in order]
        ordered += [_quoted(name) for name in self.shape.key]
        names = [column.name for column in self.shape.columns]
        sql = f"SELECT {', '.join(map(_quoted, names))} FROM rows WHERE {where} ORDER BY {', '.join(ordered)} LIMIT ?"
        found = self._db.execute(sql, [*chosen.values(), limit]).fetchall()
        return [dict(zip(names, row, strict=True)) for row in found]

    def page(
        self,
        where: Sequence[tuple[str, str, Any]] = (),
        *,
        order: Sequence[tuple[str, bool]] = (),
        newest: str | None = None,
        skip: int = 0,
        limit: int = 100,
    ) -> LivePage:
        """Rows that meet every condition (column, `=`, `>=` or `<=`, stored value), how many there are in all and the
        table's position, all of one moment. With `newest`, of them the rows alone with the greatest value of that column.
        """
        conditions = [f"{_quoted(name)} {_COMPARISONS[sign]} ?" for name, sign, _ in where]
        values = [value for _, _, value in where]
        if newest is not None:
            met = " AND ".join(conditions) or "TRUE"
            conditions.append(f"{_quoted(newest)} = (SELECT max({_quoted(newest)}) FROM rows WHERE {met})")
            values *= 2
        chosen = f"FROM rows WHERE {' AND '.join(conditions) or 'TRUE'}"
        ordered = [f"{_quoted(name)} {'DESC' if down else 'ASC'} NULLS LAST" for name, down in order]
        ordered += [_quoted(name) for name in self.shape.key]
        names = [column.name for column in self.shape.columns]
        sql = f"SELECT {', '.join(map(_quoted, names))} {chosen} ORDER BY {', '.join(ordered)} LIMIT ? OFFSET ?"
        with _told(self.path):
            self._db.execute("BEGIN")
            try:
                position = self.position()
                ((total,),) = self._db.execute(f"SELECT count(*) {chosen}", values).fetchall()
                found = self._db.execute(sql, [*values, limit, skip]).fetchall()
            finally:
                self._db.execute("COMMIT")
        return LivePage([dict(zip(names, row, strict=True)) for row in found], int(total), position)

    def close(self) -> None:
        self._db.close()


def live_tables(folder: Path) -> tuple[str, ...]:
    """The live tables in a folder, by name."""
    return tuple(sorted(path.name.removesuffix(ENDING) for path in folder.glob(f"*{ENDING}")))


def open_live(folder: Path, name: str) -> LiveReader:
    """A live table for reading; StorageError when it is not there."""
    return LiveReader(folder / f"{name}{ENDING}")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def _told(path: Path) -> Iterator[None]:
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
