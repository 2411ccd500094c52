"""The only committer: several tables, their positions and own records move in one transaction, or none do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pyiceberg.catalog.sql import IcebergTables
from pyiceberg.table.metadata import TableMetadata
from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from penstock.errors import CommitConflict, Fenced, StorageError
from penstock.lake.catalog import CATALOG_NAME, LakeCatalog, catalogue_errors, ensure_namespace, move_home
from penstock.lake.change import TableChange
from penstock.lake.io import discard, local_path
from penstock.lake.lease import Lease, fence, last_commit
from penstock.lake.staging import Staging
from penstock.lake.table import Head
from penstock.lake.tables import head_of
from penstock.world import World


@dataclass(frozen=True)
class Move:
    """A table goes from one metadata file to the next; `before` is None for a table that is created."""

    name: str
    before: str | None
    after: str
    metadata: TableMetadata

    @property
    def head(self) -> Head:
        return head_of(self.name, self.after, self.metadata)


@dataclass(frozen=True)
class Record:
    """A row of our own that is inserted in the same transaction; a key is used once per kind."""

    kind: str
    key: str
    value: Mapping[str, object]


@dataclass(frozen=True)
class Committer:
    """Moves heads under a lease. Every way to change the lake ends here."""

    catalog: LakeCatalog
    world: World
    lease: Lease

    def commit(
        self,
        staging: Staging,
        moves: Sequence[Move],
        *,
        records: Iterable[Record] = (),
        condemned: Mapping[str, str] | None = None,
        home: tuple[str, str] | None = None,
    ) -> None:
        """Move all heads and insert all rows in one transaction, or leave everything as it was.

        What was staged is made durable first. `condemned` (path -> data or metadata) are
        files that nothing needs afterwards; upkeep removes them when readers are gone. `home` (old
        and new root) is given when the data directory was moved.

        Raises Fenced when the lease is no longer the newest, CommitConflict when a table was moved
        by another since `before` was loaded, StorageError when the catalogue refuses; then the
        staged files are removed. Nothing is retried: the caller re-reads positions, then decides.
        If even the outcome cannot be read, the files stay and `Lake.committed` answers later.
        """
        try:
            staging.sync()
        except BaseException:
            staging.discard()
            raise
        with self.lease.turn:
            self._commit(staging, moves, records, condemned or {}, home)

    def _commit(
        self,
        staging: Staging,
        moves: Sequence[Move],
        records: Iterable[Record],
        condemned: Mapping[str, str],
        home: tuple[str, str] | None,
    ) -> None:
        try:
            self._swap(staging.id, moves, records, condemned, home)
        except (Fenced, CommitConflict):
            staging.discard()
            raise
        except BaseException as error:
            if not self._took_place(staging):
                staging.discard()
                raise
            if not isinstance(error, Exception):
                raise
        finally:
            staging.end()

    def _swap(
        self,
        commit: str,
        moves: Sequence[Move],
        records: Iterable[Record],
        condemned: Mapping[str, str],
        home: tuple[str, str] | None,
    ) -> None:
        now = self.world.clock.now()
        at = now.isoformat(timespec="milliseconds")
        world, catalog = self.world, self.catalog
        with catalogue_errors(catalog.root), world.disk.transaction("catalogue"), catalog.write() as db:
            fence(db, self.lease, commit=commit, used_at=at)
            for move in moves:
                _compare_and_swap(db, move)
            for record in records:
                _insert_record(db, record, at)
            if home is not None:
                move_home(db, *home)
            _condemn(db, condemned, int(now.timestamp() * 1000))

    def _took_place(self, staging: Staging) -> bool:
        """Whether a transaction that ended in an error was committed all the same."""
        epoch, newest = last_commit(self.catalog, self.lease)
        if epoch != self.lease.epoch and newest != staging.id:
            raise StorageError(
                "It is not known whether a commit took place: the catalogue failed, and the lease was taken over",
                where=self.lease.name,
                remedy="Run again: the position is read anew. What was not committed is removed as orphans later.",
            )
        return newest == staging.id


@dataclass
class Commit:
    """Changes of several tables, staged one by one and applied together.

    Files are written while staging; nobody sees them before `apply` made them durable. Ends with one of
    `apply` and `abandon`; as a context manager it abandons what was not applied.
    """

    committer: Committer
    staging: Staging
    token: str
    new_change: Callable[[Head, Staging, str], TableChange]
    changes: dict[str, TableChange] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)

    def __enter__(self) -> Commit:
        return self

    def __exit__(self, *_: object) -> None:
        self.abandon()

    def table(self, head: Head) -> TableChange:
        """Stage a change of the table. `head` must have been loaded before its position was read."""
        if head.name not in self.changes:
            self.changes[head.name] = self.new_change(head, self.staging, self.token)
        change = self.changes[head.name]
        if change.head.metadata_location != head.metadata_location:
            raise CommitConflict(
                "One commit was given two heads of a table",
                where=head.name,
                expected=change.head.metadata_location,
                found=head.metadata_location,
            )
        return change

    def record(self, kind: str, key: str, value: Mapping[str, object]) -> None:
        """Insert a record in the same transaction; a key that exists makes the commit a conflict."""
        self.records.append(Record(kind, key, value))

    def apply(self) -> dict[str, Head]:
        """Move every staged table at once and return the new heads; see `Committer.commit` for errors."""
        try:
            moves = [_move(change) for change in self.changes.values()]
        except BaseException:
            self.abandon()
            raise
        self.committer.commit(self.staging, moves, records=self.records)
        for change, move in zip(self.changes.values(), moves, strict=True):
            discard(self.committer.world.disk, outdated_metadata(change.base, move.metadata))
        return {move.name: move.head for move in moves}

    def abandon(self) -> None:
        """Remove every staged file; nothing to do after `apply`."""
        self.staging.discard()


def outdated_metadata(base: TableMetadata, new: TableMetadata) -> list[str]:
    """Metadata files that the bounded log of the new metadata no longer names."""
    kept = {entry.metadata_file for entry in new.metadata_log}
    return [local_path(entry.metadata_file) for entry in base.metadata_log if entry.metadata_file not in kept]


def _move(change: TableChange) -> Move:
    location, metadata = change.staged()
    return Move(change.head.name, change.head.metadata_location, location, metadata)


def _compare_and_swap(db: Connection, move: Move) -> None:
    namespace, table = move.name.rsplit(".", 1)
    key = {"catalog_name": CATALOG_NAME, "table_namespace": namespace, "table_name": table}
    if move.before is None:
        _create(db, move, key)
        return
    statement = (
        update(IcebergTables)
        .filter_by(**key, metadata_location=move.before)
        .values(metadata_location=move.after, previous_metadata_location=move.before)
    )
    if db.execute(statement).rowcount != 1:
        found = db.execute(select(IcebergTables.metadata_location).filter_by(**key)).scalar()
        raise _conflict(move, found)


def _create(db: Connection, move: Move, key: Mapping[str, str]) -> None:
    ensure_namespace(db, key["table_namespace"])
    try:
        db.execute(insert(IcebergTables).values(**key, metadata_location=move.after, iceberg_type="TABLE"))
    except IntegrityError as error:
        raise _conflict(move, "a table of that name") from error


def _conflict(move: Move, found: str | None) -> CommitConflict:
    return CommitConflict(
        "Another writer moved the table since it was loaded",
        where=move.name,
        expected=move.before or "no table yet",
        found=found or "no table",
        remedy="Run again: the position is read anew and nothing was written twice.",
    )


def _insert_record(db: Connection, record: Record, at: str) -> None:
    statement = text(
        "INSERT INTO penstock_record (kind, key, value, committed_at) VALUES (:kind, :key, :value, :committed_at)"
    )
    value = json.dumps(record.value, ensure_ascii=False, sort_keys=True)
    try:
        db.execute(statement, {"kind": record.kind, "key": record.key, "value": value, "committed_at": at})
    except IntegrityError as error:
        raise CommitConflict(
            f"A {record.kind} record with this key exists",
            where=record.key,
            remedy="Run again: the newest record is read anew.",
        ) from error


def _condemn(db: Connection, condemned: Mapping[str, str], since_ms: int) -> None:
    rows = [{"path": path, "content": content, "since": since_ms} for path, content in condemned.items()]
    if rows:
        statement = text(
            "INSERT OR IGNORE INTO penstock_condemned (path, content, since_ms) VALUES (:path, :content, :since)"
        )
        db.execute(statement, rows)
