"""A data directory that was moved: rewrite the absolute paths in its metadata, all at once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyiceberg.io import InputFile
from pyiceberg.manifest import (
    DataFile,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
)
from pyiceberg.table.metadata import TableMetadata, TableMetadataUtil
from pyiceberg.table.snapshots import Snapshot

from penstock.lake.avro import CODEC, ManifestListWriter, manifest_writer, read_entries, read_manifests
from penstock.lake.catalog import recorded_home
from penstock.lake.commit import Move
from penstock.lake.deletes import PLACES, partition_of, read_places, write_places
from penstock.lake.io import DiskInputFile, DiskIO, local_path
from penstock.lake.lake import Lake
from penstock.lake.staging import Staging
from penstock.lake.tables import MetadataFiles, next_location
from penstock.world import World

_FILE_PATH = 1  # place of file_path in PyIceberg's DataFile record, which has no setter for it
_MANIFEST_PATH, _MANIFEST_LENGTH = 0, 1


def relocate(root: Path, world: World, *, holder: str = "penstock doctor") -> tuple[str, ...]:
    """Make a moved data directory usable where it is; gives the names of the tables rewritten.

    New metadata, manifest lists and manifests are written beside the old ones, then all tables move
    in one transaction: a crash before it leaves everything as it was. Data files are not touched; files with deletes name
    them by path and are written anew.
    """
    with Lake.open_anywhere(root, world) as lake:
        home = recorded_home(lake.catalog)
        here = str(lake.root)
        if home is None or home == here:
            return ()
        with lake.lease("relocate", holder=holder) as lease:
            staging = lake.staging()
            moving = _Moving(home, here, _MovedIO(world, home, here), staging)
            try:
                moves = [moving.table(name, location) for name, location in sorted(lake.locations().items())]
            except BaseException:
                staging.discard()
                raise
            condemned = dict.fromkeys(moving.replaced, "metadata")
            lake.committer(lease).commit(staging, moves, condemned=condemned, home=(home, here))
    return tuple(move.name for move in moves)


class _MovedIO(DiskIO):
    """Reads a file of the old place where it is now."""

    def __init__(self, world: World, home: str, here: str) -> None:
        super().__init__(world.disk)
        self._moved = _mover(home, here)

    def new_input(self, location: str) -> InputFile:
        return DiskInputFile(self._moved(location))


@dataclass
class _Moving:
    """Writes the metadata of every table anew; `replaced` are the files that nobody needs afterwards."""

    home: str
    here: str
    io: _MovedIO
    staging: Staging
    replaced: list[str] = field(default_factory=list)
    _manifests: dict[str, ManifestFile] = field(default_factory=dict)
    _deletes: dict[str, DataFile] = field(default_factory=dict)

    def table(self, name: str, location: str) -> Move:
        moved = _mover(self.home, self.here)
        self.replaced.append(moved(local_path(location)))
        with self.io.new_input(location).open() as stream:
            facts: dict[str, Any] = json.loads(stream.read())
        self.replaced += [moved(local_path(entry["metadata-file"])) for entry in facts.get("metadata-log", [])]
        facts |= {"location": moved(facts["location"]), "metadata-log": []}
        metadata = TableMetadataUtil.parse_obj(facts)
        snapshots = [self._snapshot(metadata, snapshot) for snapshot in metadata.snapshots]
        metadata = metadata.model_copy(update={"snapshots": snapshots})
        after = self.staging.wrote(next_location(metadata, location, self.staging.id))
        MetadataFiles(self.io).write(after, metadata)
        return Move(name, location, after, metadata)

    def _snapshot(self, metadata: TableMetadata, snapshot: Snapshot) -> Snapshot:
        moved = _mover(self.home, self.here)
        self.replaced.append(moved(local_path(snapshot.manifest_list)))
        listed = read_manifests(self.io.new_input(snapshot.manifest_list))
        manifests = [self._manifest(metadata, manifest) for manifest in listed]
        name = f"snap-{snapshot.snapshot_id}-1-{self.staging.id}.avro"
        location = self.staging.wrote(f"{metadata.location}/metadata/{name}")
        writer = ManifestListWriter(
            output_file=self.io.new_output(location),
            snapshot_id=snapshot.snapshot_id,
            parent_snapshot_id=snapshot.parent_snapshot_id,
            sequence_number=snapshot.sequence_number or 0,
            compression=CODEC,
        )
        with writer:
            writer.add_manifests(manifests)
        return snapshot.model_copy(update={"manifest_list": location})

    def _manifest(self, metadata: TableMetadata, manifest: ManifestFile) -> ManifestFile:
        path = manifest.manifest_path
        if path not in self._manifests:
            self._manifests[path] = self._rewritten(metadata, manifest)
            self.replaced.append(_mover(self.home, self.here)(local_path(path)))
        return self._manifests[path]

    def _rewritten(self, metadata: TableMetadata, manifest: ManifestFile) -> ManifestFile:
        moved = _mover(self.home, self.here)
        name = f"{self.staging.id}-r{len(self._manifests)}.avro"
        location = self.staging.wrote(f"{metadata.location}/metadata/{name}")
        output = self.io.new_output(location)
        snapshot = manifest.added_snapshot_id or 0
        writer = manifest_writer(manifest.content, metadata, manifest.partition_spec_id, output, snapshot_id=snapshot)
        with writer:
            for entry in read_entries(self.io.new_input(manifest.manifest_path), manifest):
                if manifest.content == ManifestContent.DELETES and entry.status != ManifestEntryStatus.DELETED:
                    entry = self._with_moved_places(metadata, entry)
                else:
                    entry.data_file[_FILE_PATH] = moved(entry.data_file.file_path)
                writer.add_entry(entry)
        rewritten = copy(manifest)
        rewritten[_MANIFEST_PATH] = location
        rewritten[_MANIFEST_LENGTH] = len(output)
        return rewritten

    def _with_moved_places(self, metadata: TableMetadata, entry: ManifestEntry) -> ManifestEntry:
        """The entry with a file that names the same rows where their files are now."""
        moved = _mover(self.home, self.here)
        path = moved(local_path(entry.data_file.file_path))
        if path not in self._deletes:
            places = read_places([path])
            paths = pa.array([moved(one) for one in places["file_path"].to_pylist()], pa.string())
            anew = places.set_column(0, PLACES.field(0), paths)
            staging, partition = self.staging, partition_of(entry.data_file)
            disk, name, wrote = staging.world.disk, staging.file_name, staging.wrote
            self._deletes[path] = write_places(anew, partition, metadata, disk, name, wrote)
            self.replaced.append(path)
        return ManifestEntry.from_args(
            status=entry.status,
            snapshot_id=entry.snapshot_id,
            sequence_number=entry.sequence_number,
            file_sequence_number=entry.file_sequence_number,
            data_file=self._deletes[path],
        )


def _mover(home: str, here: str) -> Callable[[str], str]:
    """Replaces the old root by the new one at the beginning of a path; other paths stay."""

    def moved(location: str) -> str:
        path = local_path(location)
        return here + path.removeprefix(home) if path.startswith(home + os.sep) else location

    return moved
