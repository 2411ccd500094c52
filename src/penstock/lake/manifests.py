"""Manifests and manifest lists: read once and kept, written small, merged so that their number stays low."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import TypeVar

from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile as IcebergFile
from pyiceberg.manifest import (
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
)
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Snapshot

from penstock.errors import StorageError
from penstock.lake.avro import CODEC, ManifestListWriter, manifest_writer, read_entries, read_manifests
from penstock.lake.io import local_path

_TIERS = (10, 100)
_CACHED_ENTRIES = 20_000
_CACHED_LISTS = 200
T = TypeVar("T")


@dataclass
class ManifestReader:
    """Live entries of manifests and lists of manifests. Both kinds of file never change, so they are kept."""

    io: FileIO
    _entries: OrderedDict[str, tuple[ManifestEntry, ...]] = field(default_factory=OrderedDict)
    _lists: OrderedDict[str, tuple[ManifestFile, ...]] = field(default_factory=OrderedDict)
    _held: int = 0
    _one: RLock = field(default_factory=RLock, repr=False)  # threads of one lake share it

    def manifests(self, snapshot: Snapshot) -> tuple[ManifestFile, ...]:
        return self.listed(snapshot.manifest_list)

    def listed(self, location: str) -> tuple[ManifestFile, ...]:
        with self._one:
            if location not in self._lists:
                found = _reading(location, lambda: tuple(read_manifests(self.io.new_input(location))))
                self.keep_list(location, found)
            self._lists.move_to_end(location)
            return self._lists[location]

    def keep_list(self, location: str, manifests: tuple[ManifestFile, ...]) -> None:
        """Remember a list that was read or written."""
        with self._one:
            self._lists[location] = manifests
            if len(self._lists) > _CACHED_LISTS:
                self._lists.popitem(last=False)

    def entries(self, manifest: ManifestFile) -> tuple[ManifestEntry, ...]:
        """The live entries (added or existing), with their sequence numbers."""
        path = manifest.manifest_path
        with self._one:
            if path not in self._entries:
                found = _reading(path, lambda: read_entries(self.io.new_input(path), manifest))
                live = tuple(entry for entry in found if entry.status != ManifestEntryStatus.DELETED)
                self.keep_entries(path, live)
            self._entries.move_to_end(path)
            return self._entries[path]

    def keep_entries(self, path: str, entries: tuple[ManifestEntry, ...]) -> None:
        """Remember live entries that were read or written."""
        with self._one:
            self._entries[path] = entries
            self._held += len(entries)
            while self._held > _CACHED_ENTRIES and len(self._entries) > 1:
                _, dropped = self._entries.popitem(last=False)
                self._held -= len(dropped)


def _reading(path: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except FileNotFoundError as error:
        raise StorageError(
            "A metadata file of a table is gone",
            where=path,
            remedy="If the table moved on meanwhile, repeat the command; otherwise restore the data directory.",
        ) from error
    except Exception as error:  # whatever bytes may do to a parser
        raise StorageError("A metadata file of a table cannot be read", where=path, found=str(error)) from error


@dataclass(frozen=True)
class ManifestChange:
    """What one commit does to the files of a table: files added, the paths of files removed, files with deletes added."""

    added: Sequence[IcebergFile]
    removed: frozenset[str]
    deletes: Sequence[IcebergFile] = ()


@dataclass(frozen=True)
class ManifestWriting:
    """Writes the manifests and the manifest list of one new snapshot.

    `new_location(name)` gives the place of a metadata file and remembers it, so that the files of a
    commit that loses can be removed.
    """

    io: FileIO
    reader: ManifestReader
    metadata: TableMetadata
    snapshot_id: int
    stage_id: str
    new_location: Callable[[str], str]
    _numbers: list[int] = field(default_factory=list)

    def write(self, change: ManifestChange) -> tuple[str, list[IcebergFile]]:
        """The location of the new manifest list, and the files found and removed."""
        current = self.metadata.current_snapshot()
        present = [] if current is None else list(self.reader.manifests(current))
        kept, rewritten, removed = self._without(present, change.removed)
        merged = self._with(kept, change.added)
        if change.deletes:
            new = [_added(file, self.snapshot_id) for file in change.deletes]
            rewritten.append(self._write_manifest(self.metadata.default_spec_id, new, ManifestContent.DELETES))
        return self._write_list(merged + rewritten), removed

    def _without(
        self, present: Iterable[ManifestFile], paths: frozenset[str]
    ) -> tuple[list[ManifestFile], list[ManifestFile], list[IcebergFile]]:
        """Manifests that stay as they are, manifests rewritten without `paths`, and the files that went."""
        kept, rewritten, removed = [], [], []
        for manifest in present:
            if not (manifest.has_added_files() or manifest.has_existing_files()):
                continue
            entries = self.reader.entries(manifest) if paths else ()
            gone = [entry for entry in entries if local_path(entry.data_file.file_path) in paths]
            if not gone:
                kept.append(manifest)
                continue
            stay = [entry for entry in entries if local_path(entry.data_file.file_path) not in paths]
            deleted = [_entry(ManifestEntryStatus.DELETED, entry, self.snapshot_id) for entry in gone]
            entries = (*map(_existing, stay), *deleted)
            rewritten.append(self._write_manifest(manifest.partition_spec_id, entries, manifest.content))
            removed += [entry.data_file for entry in gone]
        return kept, rewritten, removed

    def _with(self, kept: list[ManifestFile], added: Sequence[IcebergFile]) -> list[ManifestFile]:
        """The manifests after adding files, small ones taken into the new one when they have become many."""
        if not added:
            return kept
        spec_id = self.metadata.default_spec_id
        absorbed = to_absorb([manifest for manifest in kept if _is_ours(manifest, spec_id)])
        old = [_existing(entry) for manifest in absorbed for entry in self.reader.entries(manifest)]
        new = [_added(file, self.snapshot_id) for file in added]
        gone = {manifest.manifest_path for manifest in absorbed}
        rest = [manifest for manifest in kept if manifest.manifest_path not in gone]
        return [self._write_manifest(spec_id, [*old, *new]), *rest]

    def _write_manifest(
        self, spec_id: int, entries: Sequence[ManifestEntry], content: ManifestContent = ManifestContent.DATA
    ) -> ManifestFile:
        self._numbers.append(len(self._numbers))
        location = self.new_location(f"{self.stage_id}-m{self._numbers[-1]}.avro")
        output = self.io.new_output(location)
        writer = manifest_writer(content, self.metadata, spec_id, output, snapshot_id=self.snapshot_id)
        with writer:
            for entry in entries:
                writer.add_entry(entry)
        live = (entry for entry in entries if entry.status != ManifestEntryStatus.DELETED)
        self.reader.keep_entries(location, tuple(self._as_read(entry) for entry in live))
        return writer.to_manifest_file()

    def _write_list(self, manifests: list[ManifestFile]) -> str:
        location = self.new_location(f"snap-{self.snapshot_id}-0-{self.stage_id}.avro")
        current = self.metadata.current_snapshot()
        writer = ManifestListWriter(
            output_file=self.io.new_output(location),
            snapshot_id=self.snapshot_id,
            parent_snapshot_id=None if current is None else current.snapshot_id,
            sequence_number=self.metadata.next_sequence_number(),
            compression=CODEC,
        )
        with writer:
            writer.add_manifests(manifests)
        self.reader.keep_list(location, tuple(writer.prepare_manifest(manifest) for manifest in manifests))
        return location

    def _as_read(self, entry: ManifestEntry) -> ManifestEntry:
        """An entry as a reader sees it: what this snapshot adds has inherited its sequence number."""
        if entry.status == ManifestEntryStatus.ADDED:
            entry.sequence_number = entry.file_sequence_number = self.metadata.next_sequence_number()
        return entry


def to_absorb(manifests: Sequence[ManifestFile]) -> list[ManifestFile]:
    """The manifests that the next one takes in, so that a list has at most 9 small and 9 middling ones.

    Merging costs at most some hundred entries, whatever the length of the history: that keeps the
    slowest commit as flat as the median. Full manifests (100 files or more) are left alone.
    """
    absorbed: list[ManifestFile] = []
    lower = 0
    for upper in _TIERS:
        peers = [manifest for manifest in manifests if lower <= _live(manifest) < upper]
        if len(peers) >= _TIERS[0] - 1:
            absorbed += peers
        lower = upper
    return absorbed


def _live(manifest: ManifestFile) -> int:
    return (manifest.added_files_count or 0) + (manifest.existing_files_count or 0)


def _is_ours(manifest: ManifestFile, spec_id: int) -> bool:
    return manifest.content == ManifestContent.DATA and manifest.partition_spec_id == spec_id


def _added(file: IcebergFile, snapshot_id: int) -> ManifestEntry:
    return ManifestEntry.from_args(
        status=ManifestEntryStatus.ADDED,
        snapshot_id=snapshot_id,
        sequence_number=None,
        file_sequence_number=None,
        data_file=file,
    )


def _existing(entry: ManifestEntry) -> ManifestEntry:
    return _entry(ManifestEntryStatus.EXISTING, entry, entry.snapshot_id)


def _entry(status: ManifestEntryStatus, entry: ManifestEntry, snapshot_id: int | None) -> ManifestEntry:
    return ManifestEntry.from_args(
        status=status,
        snapshot_id=snapshot_id,
        sequence_number=entry.sequence_number,
        file_sequence_number=entry.file_sequence_number,
        data_file=entry.data_file,
    )
