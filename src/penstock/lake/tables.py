"""Loading and saving table metadata, and heads as the rest of the product sees them."""

from __future__ import annotations

import os
import re
import uuid
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import RLock

from pyiceberg.exceptions import ValidationError
from pyiceberg.io import FileIO
from pyiceberg.serializers import FromInputFile, ToOutputFile
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.update import (
    TableUpdate,
    _apply_table_update,
    _TableMetadataUpdateContext,
    _update_table_metadata_log,
)

from penstock.errors import StorageError
from penstock.lake.io import local_path
from penstock.lake.table import Head
from penstock.world import Clock

_VERSION = re.compile(r"(\d+)-[0-9a-f-]{36}\.metadata\.json")
_CACHED = 200


@dataclass
class MetadataFiles:
    """Table metadata by location. A metadata file never changes, so what was read or written is kept."""

    io: FileIO
    _known: OrderedDict[str, TableMetadata] = field(default_factory=OrderedDict)
    _one: RLock = field(default_factory=RLock, repr=False)  # threads of one lake share it

    def read(self, location: str) -> TableMetadata:
        with self._one:
            if location not in self._known:
                self._keep(location, self._load(location))
            self._known.move_to_end(location)
            return self._known[location]

    def write(self, location: str, metadata: TableMetadata) -> None:
        """Write for a commit to come; the metadata is kept as if it had been read."""
        ToOutputFile.table_metadata(metadata, self.io.new_output(location))
        self._keep(location, metadata)

    def _keep(self, location: str, metadata: TableMetadata) -> None:
        with self._one:
            self._known[location] = metadata
            if len(self._known) > _CACHED:
                self._known.popitem(last=False)

    def _load(self, location: str) -> TableMetadata:
        try:
            return FromInputFile.table_metadata(self.io.new_input(location))
        except (OSError, ValidationError) as error:
            raise StorageError(
                "The metadata of a table cannot be read",
                where=local_path(location),
                found=str(error).splitlines()[0],
                remedy="If the table moved on meanwhile, repeat the command; otherwise restore the data directory.",
            ) from error


def millis(clock: Clock) -> int:
    """Now, as Iceberg writes time: milliseconds since 1970."""
    return int(clock.now().timestamp() * 1000)


def updated(base: TableMetadata, updates: Iterable[TableUpdate], location: str) -> TableMetadata:
    """The metadata at `location`, with updates. PyIceberg's own function ends with a copy of everything: what stays is
    shared instead, for nothing of it ever changes."""
    context, metadata = _TableMetadataUpdateContext(), base
    for update in updates:
        metadata = _apply_table_update(update, metadata, context)
    return _update_table_metadata_log(metadata, location, base.last_updated_ms)


def stamped(metadata: TableMetadata, clock: Clock) -> TableMetadata:
    """The metadata, last changed now by the world's clock: PyIceberg takes the system's."""
    return metadata.model_copy(update={"last_updated_ms": millis(clock)})


def head_of(name: str, location: str, metadata: TableMetadata) -> Head:
    """The head as a value, detached from PyIceberg."""
    snapshot = metadata.current_snapshot()
    summary = {} if snapshot is None or snapshot.summary is None else dict(snapshot.summary.additional_properties)
    return Head(
        name=name,
        metadata_location=location,
        snapshot_id=None if snapshot is None else snapshot.snapshot_id,
        properties=dict(metadata.properties),
        summary=summary,
    )


def next_location(metadata: TableMetadata, current: str | None, stage_id: str) -> str:
    """The place of the metadata file that follows `current`, named as other Iceberg writers name theirs."""
    match = None if current is None else _VERSION.fullmatch(os.path.basename(current))
    version = 0 if match is None else int(match[1]) + 1
    return f"{metadata.location}/metadata/{version:05d}-{uuid.UUID(hex=stage_id)}.metadata.json"
