"""Planning: which files a snapshot has, how to read them by field id, and what came between two snapshots."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow.parquet as pq
from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFile as IcebergFile
from pyiceberg.manifest import FileFormat, ManifestContent
from pyiceberg.schema import Schema
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Snapshot, ancestors_of
from pyiceberg.types import PrimitiveType, StringType

from penstock.errors import StorageError, UsageError
from penstock.lake.deletes import PATH_ID, deletes_of, is_own
from penstock.lake.io import local_path
from penstock.lake.manifests import ManifestReader
from penstock.lake.table import Changes, DataFile, DeleteFile, FieldColumn, Scan
from penstock.lake.types import duckdb_type
from penstock.sql.scan import ROW_NUMBER

_OWN_FILE = re.compile(r"[0-9a-f]{32}-\d{5}\.parquet")


class Bounds(Mapping[str, tuple[object, object]]):
    """Column name -> (lower, upper), decoded when asked for. Texts and bytes are cut: lower down, upper up."""

    def __init__(self, file: IcebergFile, schema: Schema) -> None:
        self._file = file
        self._fields = {
            field.name: field
            for field in schema.fields
            if field.field_id in (file.lower_bounds or {}) and field.field_id in (file.upper_bounds or {})
        }

    def __getitem__(self, name: str) -> tuple[object, object]:
        field = self._fields[name]
        kind = field.field_type
        if not isinstance(kind, PrimitiveType):
            raise KeyError(name)
        low, high = self._file.lower_bounds[field.field_id], self._file.upper_bounds[field.field_id]
        return from_bytes(kind, low), from_bytes(kind, high)

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


@dataclass(frozen=True)
class Planner:
    """Plans from manifests that are kept in memory; refuses what cannot be read by field id alone."""

    manifests: ManifestReader

    def scan(self, name: str, metadata: TableMetadata, snapshot_id: int | None) -> Scan:
        """All files of a snapshot (the current one by default) with the columns of its schema."""
        snapshot = snapshot_of(name, metadata, snapshot_id)
        schema = _schema_of(metadata, snapshot)
        files = () if snapshot is None else tuple(self._files(name, snapshot, schema).values())
        columns = _columns_of(schema, metadata, files)
        return Scan(name, None if snapshot is None else snapshot.snapshot_id, files, columns)

    def changes(self, name: str, metadata: TableMetadata, since: int | None, until: int | None) -> Changes:
        """What is in `until` and was not in `since`, and what went; everything came when `since` is None or expired."""
        target = snapshot_of(name, metadata, until)
        schema = _schema_of(metadata, target)
        after = {} if target is None else self._files(name, target, schema)
        base = None if since is None else metadata.snapshot_by_id(since)
        before = {} if base is None else self._files(name, base, schema)
        moved = {path for path, file in after.items() if path in before and before[path].deletes != file.deletes}
        named = {path for path in moved if after[path].deletes}  # another was only between files that were named
        line = ancestors_of(target, metadata) if moved else []
        again = set() if any(one.snapshot_id == since for one in line) else moved  # on its line no row comes back
        added = tuple(file for path, file in after.items() if path not in before or path in again)
        gone = tuple(file for path, file in before.items() if path not in after or path in again)
        thinned = tuple(replace(before[path], only=after[path].deletes) for path in sorted(named - again))
        reached = None if target is None else target.snapshot_id
        return Changes(
            table=name,
            since=since,
            until=reached,
            added=Scan(name, reached, added, _columns_of(schema, metadata, added)),
            gone=Scan(name, since, gone + thinned, _columns_of(schema, metadata, gone + thinned)),
            expired=since is not None and base is None,
        )

    def _files(self, name: str, snapshot: Snapshot, schema: Schema) -> dict[str, DataFile]:
        files: dict[str, DataFile] = {}
        locations: dict[str, str] = {}
        for manifest in self.manifests.manifests(snapshot):
            if manifest.content != ManifestContent.DATA:
                continue
            for entry in self.manifests.entries(manifest):
                file = entry.data_file
                _check_readable(name, file)
                path = local_path(file.file_path)
                files[path] = DataFile(path, file.record_count, file.file_size_in_bytes, Bounds(file, schema))
                locations[path] = file.file_path
        for deletes in deletes_of(self.manifests, snapshot):
            _check_own(name, deletes)
            _note_deletes(files, locations, deletes)
        return files


def _note_deletes(files: dict[str, DataFile], locations: Mapping[str, str], deletes: IcebergFile) -> None:
    """Let the data files know whose rows it may name: those between the first that it names and the last."""
    known = DeleteFile(local_path(deletes.file_path), deletes.record_count, deletes.file_size_in_bytes)
    first, last = (from_bytes(StringType(), one[PATH_ID]) for one in (deletes.lower_bounds, deletes.upper_bounds))
    for path, file in files.items():
        if first <= locations[path] <= last:
            files[path] = replace(file, deletes=(*file.deletes, known))


def snapshot_of(name: str, metadata: TableMetadata, snapshot_id: int | None) -> Snapshot | None:
    if snapshot_id is None:
        return metadata.current_snapshot()
    snapshot = metadata.snapshot_by_id(snapshot_id)
    if snapshot is None:
        raise UsageError(
            "The snapshot is not there any more",
            where=name,
            found=str(snapshot_id),
            remedy="It expired under the declared retention; choose a newer one.",
        )
    return snapshot


def _columns_of(schema: Schema, metadata: TableMetadata, files: Sequence[DataFile]) -> tuple[FieldColumn, ...]:
    steady = _steady(metadata) if all(is_own_file(file.path) for file in files) else frozenset()
    return tuple(
        FieldColumn(field.field_id, field.name, duckdb_type(field.field_type), everywhere=field.field_id in steady)
        for field in schema.fields
    )


def _steady(metadata: TableMetadata) -> frozenset[int]:
    """The columns that every schema the table ever had has under one name and type, a name that no other ever had. None
    where one had the name that DuckDB has for the places of rows: those of a file are then read by id alone."""
    ever = [field for schema in metadata.schemas for field in schema.fields]
    if any(field.name.lower() == ROW_NUMBER for field in ever):
        return frozenset()
    times = Counter((field.field_id, field.name, str(field.field_type)) for field in ever)
    bearers: dict[str, set[int]] = {}
    for field in ever:
        bearers.setdefault(field.name.lower(), set()).add(field.field_id)
    return frozenset(
        field_id
        for (field_id, name, _), count in times.items()
        if count == len(metadata.schemas) and len(bearers[name.lower()]) == 1
    )


def is_own_file(path: str) -> bool:
    """Whether the lake wrote the file: then it has ids, and the names of its time."""
    return _OWN_FILE.fullmatch(path.rsplit("/", 1)[-1]) is not None


def _schema_of(metadata: TableMetadata, snapshot: Snapshot | None) -> Schema:
    if snapshot is None or snapshot == metadata.current_snapshot() or snapshot.schema_id is None:
        return metadata.schema()
    return metadata.schema_by_id(snapshot.schema_id) or metadata.schema()


def _check_own(name: str, deletes: IcebergFile) -> None:
    if not is_own(deletes):
        raise StorageError(
            "The table has row-level deletes of another engine, which the lake does not read",
            where=name,
            found=deletes.file_path,
            remedy="Rewrite the files in the engine that wrote the deletes (compaction), then run again.",
        )


def _check_readable(name: str, file: IcebergFile) -> None:
    """A file without field ids would be read as NULL. Ours have them; a foreign one is asked."""
    path = local_path(file.file_path)
    if is_own_file(path):
        return
    if file.file_format != FileFormat.PARQUET:
        raise StorageError("A data file is not Parquet", where=path, found=str(file.file_format))
    try:
        arrow = pq.read_schema(path)
    except (OSError, ValueError) as error:
        raise StorageError(f"A data file of {name} cannot be read", where=path, found=str(error)) from error
    without = [field.name for field in arrow if b"PARQUET:field_id" not in (field.metadata or {})]
    if without:
        raise StorageError(
            f"A data file of {name} has no field ids; its columns would be read as empty",
            where=path,
            found=f"no id for {', '.join(without)}",
            remedy="Remove the file from the table, or rewrite it with an Iceberg writer.",
        )
