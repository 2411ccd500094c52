"""The lake of one data directory: tables by name, leases, staged commits, scans."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pyiceberg.schema import Schema
from pyiceberg.table.metadata import TableMetadata, TableMetadataV2
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER
from pyiceberg.table.update import (
    AddSchemaUpdate,
    RemovePropertiesUpdate,
    SetCurrentSchemaUpdate,
    SetPropertiesUpdate,
    TableUpdate,
)

from penstock.errors import RolledBack, UsageError
from penstock.lake.access import read_only
from penstock.lake.catalog import CATALOG_NAME, LakeCatalog, catalogue_errors, check_home
from penstock.lake.change import POSITION, TableChange, positions
from penstock.lake.commit import Commit, Committer, Move
from penstock.lake.io import DiskIO, storage_errors
from penstock.lake.lease import Lease, take
from penstock.lake.manifests import ManifestReader
from penstock.lake.records import TOKEN
from penstock.lake.scan import Planner
from penstock.lake.schema import Shape, evolved_shape, new_shape, spec_of
from penstock.lake.staging import Staging
from penstock.lake.table import Changes, Head, Scan, TableSpec
from penstock.lake.tables import MetadataFiles, head_of, next_location, stamped, updated
from penstock.world import World

T = TypeVar("T")

# As text, for this is asked some hundred times in a run, and to make a statement takes longer than to answer it.
_LOCATIONS = "SELECT table_namespace, table_name, metadata_location FROM iceberg_tables WHERE catalog_name = ?"
_LOCATION = f"{_LOCATIONS} AND table_namespace = ? AND table_name = ?"


@dataclass
class Lake:
    """Tables, leases and commits of one data directory; open it with `Lake.open`.

    Threads may share it: their commits under one lease come one after another, and whoever stages a change of a table
    that another moved meanwhile gets a conflict, as between processes.
    """

    root: Path
    world: World
    catalog: LakeCatalog
    io: DiskIO
    files: MetadataFiles
    manifests: ManifestReader
    _derived: dict[tuple[str, Callable[[Scan], Any]], tuple[str, Any]] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, root: Path, world: World) -> Lake:
        """Open the lake below `root`, or create it there.

        Raises UsageError when the directory was moved, StorageError when it cannot be read, written
        or locked.
        """
        lake = cls.open_anywhere(root, world)
        try:
            check_home(lake.catalog, lake.root)
        except BaseException:
            lake.close()
            raise
        return lake

    @classmethod
    def open_anywhere(cls, root: Path, world: World) -> Lake:
        """Open without asking whether the directory was moved: for `doctor` alone."""
        root = Path(os.path.realpath(root))
        with storage_errors("create", str(root)):
            (root / "locks").mkdir(parents=True, exist_ok=True)
        io = DiskIO(world.disk)
        return cls(root, world, LakeCatalog(root, io), io, MetadataFiles(io), ManifestReader(io))

    def close(self) -> None:
        self.catalog.close()

    def __enter__(self) -> Lake:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def head(self, name: str) -> Head | None:
        """The table as it is now, read from the catalogue, or None when there is none."""
        location = self.locations(name).get(name)
        return None if location is None else head_of(name, location, self.files.read(location))

    def heads(self, namespace: str | None = None) -> dict[str, Head]:
        """All tables, or those of a namespace, by name; all of one moment."""
        locations = self.locations()
        chosen = {name: at for name, at in locations.items() if namespace in (None, name.rsplit(".", 1)[0])}
        return {name: head_of(name, at, self.files.read(at)) for name, at in sorted(chosen.items())}

    def spec(self, name: str) -> TableSpec | None:
        """The declaration that the table fulfils now, or None when there is no such table."""
        location = self.locations(name).get(name)
        return None if location is None else spec_of(name, self.files.read(location))

    def metadata(self, head: Head) -> TableMetadata:
        """PyIceberg's metadata of a head, for the rest of this room."""
        return self.files.read(head.metadata_location)

    def lease(self, name: str, *, holder: str) -> Lease:
        """Take the right to write under `name`; a context manager. Raises LeaseHeld naming the holder, StorageError
        where this user may only read."""
        if not self.is_writable:
            raise read_only(self.root)
        return take(self.catalog, self.root / "locks", name, holder=holder, clock=self.world.clock)

    def ensure(self, spec: TableSpec, *, lease: Lease) -> Head:
        """Create the table, or add, rename and widen columns (found by stable id), in a commit of its own.

        Raises DeclarationError for any other difference; nothing is written when nothing differs.
        """
        head = self.head(spec.name)
        if head is None:
            return self._move(spec.name, None, self._new_table(spec), lease)
        base = self.metadata(head)
        updates = _updates(base, evolved_shape(base, spec))
        if not updates:
            return head
        metadata = updated(base, updates, head.metadata_location)
        return self._move(spec.name, head.metadata_location, stamped(metadata, self.world.clock), lease)

    def fitting(self, spec: TableSpec) -> Head | None:
        """The head of the table, where it is as `ensure` would leave it."""
        head = self.head(spec.name)
        return None if head is None or _updates(base := self.metadata(head), evolved_shape(base, spec)) else head

    def check(self, spec: TableSpec) -> None:
        """Raise the DeclarationError that `ensure` would; nothing is written."""
        head = self.head(spec.name)
        if head is None:
            new_shape(spec)
        else:
            evolved_shape(self.metadata(head), spec)

    def stage(self, *, lease: Lease, token: str) -> Commit:
        """Begin a commit. The token is made of content positions only, so an unknown outcome can be asked."""
        return Commit(self.committer(lease), self.staging(), token, self._new_change)

    def committed(self, head: Head, token: str) -> bool:
        """Whether a commit with this token is in the table's retained history."""
        snapshots = self.metadata(head).snapshots
        return any(snapshot.summary is not None and snapshot.summary[TOKEN] == token for snapshot in snapshots)

    def position(self, head: Head, source: str) -> str | None:
        """How far `source` has come in this table, or None before its first commit.

        Raises RolledBack when the data and the recorded position disagree.
        """
        check_not_rolled_back(head)
        return head.position(source)

    def scan(self, name: str, *, snapshot_id: int | None = None) -> Scan:
        """The files of a snapshot (by default the current one) and how to read them by field id."""
        return self._planner.scan(name, self._required(name), snapshot_id)

    def scan_head(self, head: Head) -> Scan:
        """The files of exactly this head."""
        return self._planner.scan(head.name, self.metadata(head), head.snapshot_id)

    def derived(self, head: Head, make: Callable[[Scan], T]) -> T:
        """What `make` says of exactly this head; asked again while the table stands there, it is not made again."""
        known = self._derived.get((head.name, make))
        if known is None or known[0] != head.metadata_location:
            known = self._derived[head.name, make] = head.metadata_location, make(self.scan_head(head))
        made: T = known[1]
        return made

    def tell(self, head: Head, make: Callable[[Scan], T], made: T) -> None:
        """Spare `derived` the reading: this is what `make` would say of exactly this head."""
        self._derived[head.name, make] = head.metadata_location, made

    def changes(self, name: str, since: int | None, until: int | None = None) -> Changes:
        """The files added after snapshot `since` up to `until`, and whether that is the whole difference."""
        return self._planner.changes(name, self._required(name), since, until)

    def committer(self, lease: Lease) -> Committer:
        return Committer(self.catalog, self.world, lease)

    def staging(self) -> Staging:
        return Staging.begin(self.world, self.root / "locks")

    @property
    def is_writable(self) -> bool:
        """Whether this user may change it; without that right it is opened all the same, for reading."""
        return self.catalog.is_writable

    @property
    def _planner(self) -> Planner:
        return Planner(self.manifests)

    def _required(self, name: str) -> TableMetadata:
        location = self.locations(name).get(name)
        if location is None:
            raise UsageError("There is no such table", where=name, remedy="`penstock status` lists the tables.")
        return self.files.read(location)

    def locations(self, name: str | None = None) -> dict[str, str]:
        """Metadata location of every table, or of one, in the catalogue at this moment."""
        query, values = _LOCATIONS, [CATALOG_NAME]
        if name is not None:
            query, values = _LOCATION, [CATALOG_NAME, *name.rsplit(".", 1)]
        with catalogue_errors(self.root), self.catalog.read() as db:
            rows = db.exec_driver_sql(query, tuple(values)).all()
        return {f"{row.table_namespace}.{row.table_name}": row.metadata_location for row in rows}

    def _new_change(self, head: Head, staging: Staging, token: str) -> TableChange:
        check_not_rolled_back(head)
        base = self.metadata(head)
        return TableChange(head, base, staging, token, self.io, self.files, self.manifests)

    def _new_table(self, spec: TableSpec) -> TableMetadata:
        shape = new_shape(spec)
        namespace, table = spec.name.rsplit(".", 1)
        return stamped(
            TableMetadataV2.model_validate(
                {
                    "location": str(self.root / "lake" / namespace / table),
                    "table-uuid": uuid.UUID(hex=self.world.ids.new()),
                    "schemas": [shape.schema],
                    "current-schema-id": shape.schema.schema_id,
                    "last-column-id": shape.schema.highest_field_id,
                    "partition-specs": [shape.partitioning],
                    "default-spec-id": shape.partitioning.spec_id,
                    "last-partition-id": shape.partitioning.last_assigned_field_id,
                    "sort-orders": [UNSORTED_SORT_ORDER],
                    "default-sort-order-id": UNSORTED_SORT_ORDER.order_id,
                    "properties": dict(shape.properties),
                }
            ),
            self.world.clock,
        )

    def _move(self, name: str, before: str | None, metadata: TableMetadata, lease: Lease) -> Head:
        staging = self.staging()
        try:
            location = staging.wrote(next_location(metadata, before, staging.id))
            self.files.write(location, metadata)
        except BaseException:
            staging.discard()
            raise
        move = Move(name, before, location, metadata)
        self.committer(lease).commit(staging, [move])
        return move.head


def check_not_rolled_back(head: Head) -> None:
    """Stop when the current snapshot and the table's positions disagree: somebody moved the head by hand."""
    recorded = positions(head.properties)
    carried = positions(head.summary)
    if recorded == carried:
        return
    differing = sorted(key for key in recorded.keys() | carried.keys() if recorded.get(key) != carried.get(key))
    raise RolledBack(
        "The data of a table and its recorded position disagree: the table was changed by hand",
        where=head.name,
        expected=_facts(differing, recorded),
        found=_facts(differing, carried),
        remedy="`penstock doctor` offers to adopt the data as it is, or to restore the newest.",
    )


def _facts(keys: list[str], values: Mapping[str, str]) -> str:
    return ", ".join(f"{key.removeprefix(POSITION)} at {values.get(key, 'no position')}" for key in keys)


def _next_schema(base: TableMetadata, shape: Shape) -> Schema:
    return Schema(*shape.schema.fields, schema_id=1 + max(schema.schema_id for schema in base.schemas))


def _updates(base: TableMetadata, shape: Shape) -> tuple[TableUpdate, ...]:
    updates: list[TableUpdate] = []
    if shape.schema.fields != base.schema().fields:
        updates += [AddSchemaUpdate(schema=_next_schema(base, shape)), SetCurrentSchemaUpdate()]
    if gone := [name for name in base.properties if name not in shape.properties]:
        updates.append(RemovePropertiesUpdate(removals=gone))
    if new := {name: value for name, value in shape.properties.items() if base.properties.get(name) != value}:
        updates.append(SetPropertiesUpdate(updates=new))
    return tuple(updates)
