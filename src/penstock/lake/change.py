"""The change of one table in a commit to come: rows added, files removed, positions moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile as IcebergFile
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.snapshots import (
    Operation,
    Snapshot,
    SnapshotSummaryCollector,
    Summary,
    update_snapshot_summaries,
)
from pyiceberg.table.update import (
    AddSnapshotUpdate,
    RemovePropertiesUpdate,
    SetPropertiesUpdate,
    SetSnapshotRefUpdate,
    TableUpdate,
)

from penstock.errors import CommitConflict
from penstock.lake.datafile import DataFileWriter, EncodedFile
from penstock.lake.deletes import (
    PLACES,
    Partition,
    data_files_of,
    deletes_of,
    is_own,
    located,
    of_files,
    partition_of,
    read_places,
    write_places,
)
from penstock.lake.io import local_path
from penstock.lake.manifests import ManifestChange, ManifestReader, ManifestWriting
from penstock.lake.records import TOKEN, rows_of
from penstock.lake.spans import Pair
from penstock.lake.staging import Staging
from penstock.lake.table import DataFile, Head
from penstock.lake.tables import MetadataFiles, millis, next_location, updated

POSITION = "penstock.position."


@dataclass
class TableChange:
    """What one commit does to one table; becomes visible with the commit.

    A change with neither rows nor removals still makes a snapshot: the position moves.
    """

    head: Head
    base: TableMetadata
    staging: Staging
    token: str
    io: FileIO
    files: MetadataFiles
    manifests: ManifestReader
    _added: list[IcebergFile] = field(default_factory=list)
    _removed: set[str] = field(default_factory=set)
    _taken_out: list[pa.Table] = field(default_factory=list)
    _summary: dict[str, str] = field(default_factory=dict)
    _properties: dict[str, str] = field(default_factory=dict)
    _forgotten: set[str] = field(default_factory=set)

    def append(self, rows: pa.Table | pa.RecordBatchReader, *, spans: Pair | None = None) -> int:
        """Write rows to new data files; gives the number of rows.

        Columns may come in any order, but their names must be those of the table. The footers tell the `spans` of a
        pair of its columns.
        """
        return self.add(self.encode(rows, spans=spans))

    def encode(self, rows: pa.Table | pa.RecordBatchReader, *, spans: Pair | None = None) -> Iterator[EncodedFile]:
        """The data files that rows make, in memory: what takes time of `append`, for threads to do side by side."""
        return self._writer.encoded(rows, spans)

    def add(self, files: Iterable[EncodedFile]) -> int:
        """Write data files that were encoded for this change; gives the number of rows."""
        count = 0
        for encoded in files:
            file = self._writer.keep(encoded)
            self._added.append(file)
            count += file.record_count
        return count

    def remove(self, files: Iterable[DataFile]) -> None:
        """Take whole data files out of the table (rows to keep of them must be appended again)."""
        self._removed.update(file.path for file in files)

    def take_out(self, places: pa.Table) -> None:
        """Rows at these places (`file_path`, and `pos` in it from 0), of data files that stay, are not in the table any
        more; no row may be taken out twice."""
        self._taken_out.append(places)

    def position(self, source: str, value: str) -> None:
        """The position of `source` that this table's data has reached with this commit."""
        self._properties[POSITION + source] = value

    def forget(self, source: str) -> None:
        """This table no longer has a position of `source`."""
        self._forgotten.add(POSITION + source)

    def summary(self, key: str, value: str) -> None:
        """A fact `penstock.<key>` in the snapshot's summary."""
        self._summary[f"penstock.{key}"] = value

    def property(self, key: str, value: str) -> None:
        """A table property, kept until it is set again."""
        self._properties[key] = value

    def staged(self) -> tuple[str, TableMetadata]:
        """Write manifests and metadata; gives their location and content."""
        return self._staged

    def live_rows(self) -> int:
        """How many rows a reader of the table will find, as it is staged."""
        snapshot = self.staged()[1].current_snapshot()
        summary = {} if snapshot is None or snapshot.summary is None else snapshot.summary.additional_properties
        return rows_of(summary)

    @cached_property
    def _staged(self) -> tuple[str, TableMetadata]:
        snapshot = self._snapshot()
        updates: list[TableUpdate] = [AddSnapshotUpdate(snapshot=snapshot), main_branch(snapshot.snapshot_id)]
        if self._properties:
            updates.append(SetPropertiesUpdate(updates=self._properties))
        if self._forgotten:
            updates.append(RemovePropertiesUpdate(removals=sorted(self._forgotten)))
        metadata = updated(self.base, updates, self.head.metadata_location)
        location = self.staging.wrote(next_location(self.base, self.head.metadata_location, self.staging.id))
        self.files.write(location, metadata)
        return location, metadata

    @cached_property
    def _writer(self) -> DataFileWriter:
        return DataFileWriter(self.base, self.staging.world.disk, self.staging.file_name, self.staging.wrote)

    def _snapshot(self) -> Snapshot:
        snapshot_id = _new_snapshot_id(self.base, self.staging)
        writing = ManifestWriting(
            io=self.io,
            reader=self.manifests,
            metadata=self.base,
            snapshot_id=snapshot_id,
            stage_id=self.staging.id,
            new_location=lambda name: self.staging.wrote(f"{self.base.location}/metadata/{name}"),
        )
        gone, deletes = self._deletes()
        change = ManifestChange(self._added, frozenset(self._removed | gone), deletes)
        manifest_list, removed = writing.write(change)
        self._check_removed(removed)
        return Snapshot.model_validate(
            {
                "snapshot-id": snapshot_id,
                "parent-snapshot-id": self.head.snapshot_id,
                "sequence-number": self.base.next_sequence_number(),
                "timestamp-ms": millis(self.staging.world.clock),
                "manifest-list": manifest_list,
                "summary": self._snapshot_summary(removed, deletes),
                "schema-id": self.base.current_schema_id,
            }
        )

    def _deletes(self) -> tuple[set[str], list[IcebergFile]]:
        """The paths of files with deletes that go, and those that come in their place. Rows of files that are not in the
        table any more need no name: other engines leave these behind where they write files anew."""
        current = self.base.current_snapshot()
        held = [file for file in deletes_of(self.manifests, current) if is_own(file)]
        if not held and not self._taken_out:
            return set(), []
        files = data_files_of(self.manifests, current)
        stay = {location: one for location, one in files.items() if local_path(location) not in self._removed}
        taken_out = pa.concat_tables([PLACES.empty_table(), *(one.cast(PLACES) for one in self._taken_out)])
        taken_out = located(taken_out, stay)
        if of_files(taken_out, stay).num_rows < taken_out.num_rows:
            raise ValueError("rows are taken out of files that stay alone")
        thinned = (stay[location] for location in pc.unique(taken_out["file_path"]).to_pylist())
        gone: set[str] = set()
        written = []
        for partition in dict.fromkeys([*map(partition_of, held), *thinned]):
            paths = {file.file_path for file in held if partition_of(file) == partition}
            before, here = read_places(paths), [location for location, one in stay.items() if one == partition]
            still, new = of_files(before, here), of_files(taken_out, here)
            if new.num_rows == 0 and still.num_rows == before.num_rows:
                continue
            gone.update(map(local_path, paths))
            if still.num_rows + new.num_rows:
                written.append(self._write_places(pa.concat_tables([still, new]), partition))
        return gone, written

    def _write_places(self, places: pa.Table, partition: Partition) -> IcebergFile:
        staging = self.staging
        return write_places(places, partition, self.base, staging.world.disk, staging.file_name, staging.wrote)

    def _check_removed(self, removed: list[IcebergFile]) -> None:
        if missing := self._removed - {local_path(file.file_path) for file in removed}:
            raise CommitConflict(
                "Files to remove are not in the table any more",
                where=self.head.name,
                found=", ".join(sorted(missing)[:3]),
                remedy="Run again: the files are planned anew.",
            )

    def _snapshot_summary(self, removed: list[IcebergFile], deletes: list[IcebergFile]) -> Summary:
        collector = SnapshotSummaryCollector()
        schema, specs = self.base.schema(), self.base.specs()
        for file in (*self._added, *deletes):
            collector.add_file(file, schema, self.base.spec())
        for file in removed:
            collector.remove_file(file, schema, specs[file.spec_id])
        operation = Operation.APPEND
        if removed or deletes:
            operation = Operation.OVERWRITE if self._added else Operation.DELETE
        reached = positions({**self.base.properties, **self._properties})
        own = {key: value for key, value in reached.items() if key not in self._forgotten}
        own |= self._summary | {TOKEN: self.token}
        summary = Summary(operation=operation, **collector.build(), **own)
        current = self.base.current_snapshot()
        return update_snapshot_summaries(summary, None if current is None else current.summary)


def positions(properties: Mapping[str, str]) -> dict[str, str]:
    """The entries that say how far each source has come."""
    return {key: value for key, value in properties.items() if key.startswith(POSITION)}


def main_branch(snapshot_id: int) -> SetSnapshotRefUpdate:
    """The update that makes a snapshot the current one."""
    return SetSnapshotRefUpdate.model_validate(
        {"ref-name": MAIN_BRANCH, "type": SnapshotRefType.BRANCH, "snapshot-id": snapshot_id}
    )


def _new_snapshot_id(metadata: TableMetadata, staging: Staging) -> int:
    taken = {snapshot.snapshot_id for snapshot in metadata.snapshots}
    while (candidate := int(staging.world.ids.new()[:16], 16) >> 1) in taken or candidate == 0:
        continue
    return candidate
