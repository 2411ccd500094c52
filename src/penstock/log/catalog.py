"""The embedded log's list of topics: where each lives and as what incarnation, and how far named readers came."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from penstock.alone import is_full
from penstock.log import database
from penstock.log.columns import another_shape, check_change
from penstock.log.lock import FolderLock
from penstock.log.protocol import LogError, Lost, Part, Position, Topic, TopicSpec
from penstock.world import World

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")
_TABLES = (
    (
        "CREATE TABLE topic (name TEXT PRIMARY KEY, home TEXT, incarnation TEXT, partitions INTEGER, arrow BLOB,"
        " retention INTEGER, max_bytes INTEGER)"
    ),
    (
        "CREATE TABLE position (reader TEXT, topic TEXT, partition INTEGER, offset INTEGER, incarnation TEXT,"
        " PRIMARY KEY (reader, topic, partition))"
    ),
    "CREATE TABLE input (job TEXT, topic TEXT, PRIMARY KEY (job, topic))",
)

_GIVEN_UP = (
    "CREATE TABLE IF NOT EXISTS given_up (topic TEXT, partition INTEGER, incarnation TEXT, first INTEGER, next INTEGER,"
    " PRIMARY KEY (topic, partition, incarnation, first))"
)


@dataclass(frozen=True)
class Home:
    """A topic and the folder, relative to the log, whose segments hold it."""

    topic: Topic
    folder: str


class Catalog:
    """Short transactions on one small file; safe for threads and processes."""

    def __init__(self, root: Path, world: World) -> None:
        self._path = root / "catalog.db"
        self._world = world
        self._lock = threading.Lock()
        if not self._path.exists():
            self._create()
        self._connection: sqlite3.Connection | None = None
        self._rows("SELECT 1 FROM topic LIMIT 1")

    def _create(self) -> None:
        lock = FolderLock.take(self._path.with_suffix(".lock"), "a new log", self._world)
        try:
            if not self._path.exists():
                database.create(self._world.disk, self._path, _fill)
        finally:
            lock.release()

    def homes(self) -> dict[str, Home]:
        query = "SELECT name, home, incarnation, partitions, arrow, retention, max_bytes FROM topic ORDER BY name"
        return {row[0]: _home(row) for row in self._rows(query)}

    def ensure(self, spec: TopicSpec, *, job: str | None = None) -> Home:
        """The topic, made when it is not there; of a job when one is named."""
        check_spec(spec)
        with self._transaction() as transaction:
            query = "SELECT name, home, incarnation, partitions, arrow, retention, max_bytes FROM topic WHERE name = ?"
            row = transaction.execute(query, (spec.name,)).fetchone()
            made = self._made(spec, job) if row is None else _changed(_home(row), spec, job)
            values = (
                made.folder,
                made.topic.incarnation,
                spec.partitions,
                _schema_bytes(made),
                _micros(spec.retention),
            )
            statement = "INSERT OR REPLACE INTO topic VALUES (?, ?, ?, ?, ?, ?, ?)"
            transaction.execute(statement, (spec.name, *values, spec.max_bytes))
            return made

    def _made(self, spec: TopicSpec, job: str | None) -> Home:
        incarnation = self._world.ids.new()
        folder = f"topics/{spec.name}/{incarnation}" if job is None else f"jobs/{job}"
        return Home(Topic(spec, incarnation), folder)

    def remove(self, topic: str) -> None:
        with self._transaction() as transaction:
            transaction.execute("DELETE FROM topic WHERE name = ?", (topic,))
            transaction.execute("DELETE FROM input WHERE topic = ?", (topic,))

    def positions(self, reader: str) -> dict[Part, Position]:
        query = "SELECT topic, partition, offset, incarnation FROM position WHERE reader = ?"
        rows = self._rows(query, reader)
        return {(topic, part): Position(offset, incarnation) for topic, part, offset, incarnation in rows}

    def save_positions(self, reader: str, positions: Mapping[Part, Position]) -> None:
        rows = [(reader, *part, at.offset, at.incarnation) for part, at in positions.items()]
        with self._transaction() as transaction:
            transaction.executemany("INSERT OR REPLACE INTO position VALUES (?, ?, ?, ?, ?)", rows)

    def readers(self) -> dict[str, dict[Part, Position]]:
        """The positions of every named reader."""
        query = "SELECT reader, topic, partition, offset, incarnation FROM position ORDER BY reader"
        rows = self._rows(query)
        found: dict[str, dict[Part, Position]] = {}
        for reader, topic, partition, offset, incarnation in rows:
            found.setdefault(reader, {})[topic, partition] = Position(offset, incarnation)
        return found

    def forget(self, reader: str) -> None:
        """The positions of a named reader, and that a job of the name reads anything."""
        with self._transaction() as transaction:
            transaction.execute("DELETE FROM position WHERE reader = ?", (reader,))
            transaction.execute("DELETE FROM input WHERE job = ?", (reader,))

    def needed(self, topic: str) -> list[dict[int, Position]]:
        """By named reader of the topic: its positions."""
        query = "SELECT reader, partition, offset, incarnation FROM position WHERE topic = ?"
        rows = self._rows(query, topic)
        found: dict[str, dict[int, Position]] = {}
        for reader, partition, offset, incarnation in rows:
            found.setdefault(reader, {})[partition] = Position(offset, incarnation)
        return list(found.values())

    def give_up(self, lost: Lost, incarnation: str) -> None:
        """Whoever comes to these rows goes on without them."""
        with self._transaction() as transaction:
            transaction.execute(_GIVEN_UP)
            values = (*lost.part, incarnation, lost.first, lost.next)
            transaction.execute("INSERT OR REPLACE INTO given_up VALUES (?, ?, ?, ?, ?)", values)

    def given_up(self, part: Part, position: Position) -> int | None:
        """The offset behind the rows that were given up at a position; None where none were."""
        known = "SELECT 1 FROM sqlite_master WHERE name = 'given_up'"  # no log had it from the first day
        query = (
            "SELECT max(next) FROM given_up WHERE topic = ? AND partition = ? AND incarnation = ?"
            " AND first <= ? AND next > ?"
        )
        if not self._rows(known):
            return None
        ((found,),) = self._rows(query, *part, position.incarnation, position.offset, position.offset)
        return None if found is None else int(found)

    def declare_inputs(self, job: str, topics: tuple[str, ...]) -> None:
        with self._transaction() as transaction:
            transaction.execute("DELETE FROM input WHERE job = ?", (job,))
            transaction.executemany("INSERT INTO input VALUES (?, ?)", [(job, topic) for topic in topics])

    def jobs_reading(self, topic: str) -> list[str]:
        return [job for (job,) in self._rows("SELECT job FROM input WHERE topic = ?", topic)]

    def inputs(self) -> dict[str, list[str]]:
        """By job: the topics it reads."""
        found: dict[str, list[str]] = {}
        for job, topic in self._rows("SELECT job, topic FROM input ORDER BY job, topic"):
            found.setdefault(job, []).append(topic)
        return found

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One atomic point of the disk; undone when anything is raised within."""
        point = self._world.disk.transaction(str(self._path))
        with self._lock, database.storage_errors(self._path), point, self._opened() as transaction:
            transaction.execute("BEGIN IMMEDIATE")
            yield transaction

    def _rows(self, query: str, *values: str | int) -> list[tuple[Any, ...]]:
        """What can be read also when the disk has no room for a connection that stays open."""
        with self._lock, database.storage_errors(self._path):
            try:
                return self._opened().execute(query, values).fetchall()
            except sqlite3.OperationalError as error:
                if not is_full(error):
                    raise
            self.close()
            with closing(database.open_reader(self._path)) as connection:
                return connection.execute(query, values).fetchall()

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = database.open_writer(self._path)
            connection.execute("PRAGMA wal_autocheckpoint = 100")
            self._connection = connection
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def check_name(name: str) -> None:
    """Names become folders, and topics in Kafka."""
    if not _NAME.fullmatch(name):
        expected = "at most 200 letters, digits, dots, hyphens and underscores, the first none of dot and hyphen"
        raise LogError("This cannot be a name in the log", expected=expected, found=repr(name))


def _fill(connection: sqlite3.Connection) -> None:
    for statement in _TABLES:
        connection.execute(statement)


def check_spec(spec: TopicSpec) -> None:
    check_name(spec.name)
    if spec.partitions < 1:
        raise LogError("A topic has at least one partition", where=spec.name, found=str(spec.partitions))
    for one in spec.schema:
        if pa.types.is_dictionary(one.type) or (one.name.startswith("_") and one.name in spec.read_schema.names[:3]):
            raise LogError("A topic cannot have this column", where=spec.name, found=f"{one.name} {one.type}")


def _home(row: tuple[str, str, str, int, bytes, int | None, int | None]) -> Home:
    name, folder, incarnation, partitions, arrow, retention, max_bytes = row
    age = None if retention is None else timedelta(microseconds=retention)
    schema = pa.ipc.read_schema(pa.py_buffer(arrow))
    return Home(Topic(TopicSpec(name, partitions, schema, age, max_bytes), incarnation), folder)


def _changed(before: Home, spec: TopicSpec, job: str | None) -> Home:
    check_change(before.topic.spec, spec)
    if before.folder.startswith("jobs/") != (job is not None) or (job and before.folder != f"jobs/{job}"):
        raise another_shape(spec.name, f"the owner {before.folder}", job or "no job")
    return Home(Topic(spec, before.topic.incarnation), before.folder)


def _schema_bytes(home: Home) -> bytes:
    data: bytes = home.topic.spec.schema.serialize().to_pybytes()
    return data


def _micros(age: timedelta | None) -> int | None:
    return None if age is None else age // timedelta(microseconds=1)
