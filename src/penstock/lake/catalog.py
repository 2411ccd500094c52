"""The catalogue: PyIceberg's SQL catalogue in one SQLite file, with the lake's own tables beside it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyiceberg.catalog import MetastoreCatalog
from pyiceberg.catalog.sql import IcebergNamespaceProperties, SqlCatalog
from pyiceberg.io import FileIO
from pyiceberg.typedef import EMPTY_DICT, Properties
from sqlalchemy import Connection, Engine, create_engine, event, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, QueuePool

from penstock.alone import is_full, is_held
from penstock.errors import DiskFull, StorageError
from penstock.lake.access import CATALOG_FILE, is_writable, open_or_make, open_to_read, read_only
from penstock.lake.records import moved

CATALOG_NAME = "penstock"
LAYOUT = "1"
_OWN_TABLES = {
    "penstock_lake": """CREATE TABLE IF NOT EXISTS penstock_lake (
        key TEXT PRIMARY KEY,
        value TEXT NOT NULL)""",
    "penstock_lease": """CREATE TABLE IF NOT EXISTS penstock_lease (
        name TEXT PRIMARY KEY,
        epoch INTEGER NOT NULL,
        holder TEXT NOT NULL,
        used_at TEXT NOT NULL,
        last_commit TEXT NOT NULL DEFAULT '')""",
    "penstock_record": """CREATE TABLE IF NOT EXISTS penstock_record (
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        committed_at TEXT NOT NULL,
        PRIMARY KEY (kind, key))""",
    "penstock_condemned": """CREATE TABLE IF NOT EXISTS penstock_condemned (
        path TEXT PRIMARY KEY,
        content TEXT NOT NULL,
        since_ms INTEGER NOT NULL)""",
}


class LakeCatalog(SqlCatalog):
    """PyIceberg's SqlCatalog over our SQLite connection and our FileIO.

    Everything stock PyIceberg needs is in the file, so `SqlCatalog("penstock", uri="sqlite:///...")`
    opens it too, with its own FileIO. Writers here begin with `BEGIN IMMEDIATE` (`write`), because
    Python's sqlite3 and SQLAlchemy otherwise begin a transaction only at the first change, after the
    statements that were meant to guard it. Where this user may only read, nothing is made or changed.
    """

    def __init__(self, root: Path, io: FileIO) -> None:
        self.root = root
        self.file_io = io
        MetastoreCatalog.__init__(self, CATALOG_NAME, warehouse=str(root / "lake"))
        self.is_writable = is_writable(root) or not (root / CATALOG_FILE).exists()
        self.engine = _writing(root) if self.is_writable else _reading(root)
        with catalogue_errors(root):
            self._init_catalog()
            self._create_own_tables()

    def _load_file_io(self, properties: Properties = EMPTY_DICT, location: str | None = None) -> FileIO:
        return self.file_io

    def _create_own_tables(self) -> None:
        """Only where they are missing: to open a lake for reading must not wait for a writer."""
        with self.read() as db:
            present = {str(row.name) for row in db.execute(text("SELECT name FROM sqlite_master"))}
        if missing := [statement for name, statement in _OWN_TABLES.items() if name not in present]:
            with self.write() as db:
                for statement in missing:
                    db.execute(text(statement))

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that holds the write lock from its first statement; committed at the end."""
        if not self.is_writable:
            raise read_only(self.root)
        with self.engine.connect().execution_options(penstock_begin="IMMEDIATE") as db, db.begin():
            yield db

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self.engine.connect() as db:
            yield db

    def close(self) -> None:
        self.engine.dispose()


def ensure_namespace(db: Connection, namespace: str) -> None:
    """Register a namespace as PyIceberg does, inside the caller's transaction."""
    row = {"catalog_name": CATALOG_NAME, "namespace": namespace, "property_key": "exists"}
    known = select(IcebergNamespaceProperties.namespace).filter_by(**row)
    if db.execute(known).first() is None:
        db.execute(insert(IcebergNamespaceProperties).values(**row, property_value="true"))


def check_home(catalog: LakeCatalog, root: Path) -> None:
    """Refuse a data directory that was moved: table files name each other by absolute path."""
    home = recorded_home(catalog)
    here = os.path.realpath(root)
    if home is None:
        with catalogue_errors(root), catalog.write() as db:
            facts = [{"key": "root", "value": here}, {"key": "layout", "value": LAYOUT}]
            db.execute(text("INSERT OR IGNORE INTO penstock_lake (key, value) VALUES (:key, :value)"), facts)
    elif home != here:
        raise moved(home, here)


def recorded_home(catalog: LakeCatalog) -> str | None:
    """The absolute path under which the lake was created or last relocated."""
    with catalogue_errors(catalog.root), catalog.read() as db:
        return db.execute(text("SELECT value FROM penstock_lake WHERE key = 'root'")).scalar()


def move_home(db: Connection, home: str, here: str) -> None:
    """The data directory is at `here` now, and so are the files that wait to be removed."""
    db.execute(text("UPDATE penstock_lake SET value = :here WHERE key = 'root'"), {"here": here})
    statement = text(
        "UPDATE penstock_condemned SET path = :here || substr(path, :length + 1) WHERE substr(path, 1, :length) = :home"
    )
    db.execute(statement, {"here": here, "home": home, "length": len(home)})


@contextmanager
def catalogue_errors(root: Path) -> Iterator[None]:
    """Turn a refusal of SQLite into a StorageError that says what to do."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        kind = DiskFull if is_full(cause) else StorageError
        raise kind(
            "The catalogue of the data directory cannot be used",
            where=str(root / CATALOG_FILE),
            found=str(cause),
            remedy=_remedy(cause),
        ) from error


def _remedy(cause: BaseException | None) -> str:
    if is_held(cause):
        return "Another program holds it open for writing: close that, then run again."
    if is_full(cause):
        return "Free space on the disk that holds the data directory, then run again: nothing was committed."
    if getattr(cause, "sqlite_errorcode", 0) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return "The file is damaged or not a catalogue: restore it from a backup, or choose another --data-dir."
    return "Check that this user may read and write the data directory."


def _writing(root: Path) -> Engine:
    engine = create_engine("sqlite://", creator=lambda: open_or_make(root), poolclass=QueuePool)
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _reading(root: Path) -> Engine:
    """Every question looks anew whether someone writes now."""
    return create_engine("sqlite://", creator=lambda: open_to_read(root), poolclass=NullPool)


def _configure(connection: sqlite3.Connection, _: object) -> None:
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    mode = connection.get_execution_options().get("penstock_begin", "DEFERRED")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if mode == "IMMEDIATE" else "BEGIN DEFERRED")
