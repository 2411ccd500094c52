"""Manifests and their lists as Avro files: PyIceberg's, but what is alike in all of them is made once.

PyIceberg translates the schema in the header of each file that it reads and writes, which takes ten times as long as a few
entries. It stands on private API of PyIceberg.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cache, lru_cache
from hashlib import sha256
from types import TracebackType
from typing import Any, Generic, TypeVar

from pyiceberg.avro.codecs import AVRO_CODEC_KEY, AvroCompressionCodec
from pyiceberg.avro.decoder import new_decoder
from pyiceberg.avro.file import _SCHEMA_KEY, MAGIC, META_SCHEMA, AvroFile, AvroFileHeader, AvroOutputFile
from pyiceberg.avro.reader import Reader
from pyiceberg.avro.resolver import construct_reader, construct_writer, resolve_reader, resolve_writer
from pyiceberg.avro.writer import Writer
from pyiceberg.io import InputFile, OutputFile
from pyiceberg.manifest import (
    DEFAULT_READ_VERSION,
    MANIFEST_ENTRY_SCHEMAS,
    MANIFEST_LIST_FILE_SCHEMAS,
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    ManifestListWriterV2,
    ManifestWriterV2,
    PartitionFieldSummary,
    _inherit_from_manifest,
    data_file_with_partition,
    manifest_entry_schema_with_data_file,
)
from pyiceberg.schema import Schema
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.typedef import StructProtocol, TableVersion
from pyiceberg.types import StructType
from pyiceberg.utils.schema_conversion import AvroSchemaConversion

CODEC: AvroCompressionCodec = "deflate"
_VERSION: TableVersion = 2
_HEADER_READER = construct_reader(META_SCHEMA, {-1: AvroFileHeader})
_HEADER_WRITER = construct_writer(META_SCHEMA)
D = TypeVar("D", bound=StructProtocol)


@dataclass(frozen=True, eq=False)
class _Kind:
    """What is in a file: its records as PyIceberg has them in memory."""

    schema: Schema
    types: dict[int, Callable[..., StructProtocol]]
    enums: dict[int, Callable[..., Enum]]


_LIST = _Kind(
    MANIFEST_LIST_FILE_SCHEMAS[DEFAULT_READ_VERSION],
    {-1: ManifestFile, 508: PartitionFieldSummary},
    {517: ManifestContent},
)
_ENTRIES = _Kind(
    MANIFEST_ENTRY_SCHEMAS[DEFAULT_READ_VERSION],
    {-1: ManifestEntry, 2: DataFile},
    {0: ManifestEntryStatus, 101: FileFormat, 134: DataFileContent},
)


def read_manifests(file: InputFile) -> list[ManifestFile]:
    """The manifests in a list."""
    with _Input[ManifestFile](file, _LIST) as found:
        return list(found)


def read_entries(file: InputFile, manifest: ManifestFile) -> list[ManifestEntry]:
    """The entries of a manifest, deleted ones too, with what they inherit of it."""
    with _Input[ManifestEntry](file, _ENTRIES) as found:
        return [_inherit_from_manifest(entry, manifest) for entry in found]


def manifest_writer(
    content: ManifestContent, metadata: TableMetadata, spec_id: int, output: OutputFile, *, snapshot_id: int
) -> ManifestWriterV2:
    """A writer of a manifest of data files, or of files with deletes, for which PyIceberg has none."""
    kind = _DeletesWriter if content == ManifestContent.DELETES else _ManifestWriter
    return kind(metadata.specs()[spec_id], metadata.schema(), output, snapshot_id, CODEC)


class ManifestListWriter(ManifestListWriterV2):
    def __enter__(self) -> ManifestListWriter:
        self._writer = _Output(self._output_file, _of_lists(), self._meta)
        self._writer.__enter__()
        return self


class _ManifestWriter(ManifestWriterV2):
    def new_writer(self) -> AvroOutputFile[ManifestEntry]:
        partition = self._spec.partition_type(self._schema)
        return _Output(self._output_file, _of_entries(partition), self._meta)


class _DeletesWriter(_ManifestWriter):
    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}


class _Input(AvroFile[D]):
    """A file of which PyIceberg would translate the schema anew."""

    def __init__(self, file: InputFile, kind: _Kind) -> None:
        super().__init__(file, kind.schema, kind.types, kind.enums)
        self._kind = kind

    def __enter__(self) -> _Input[D]:
        with self.input_file.open() as stream:
            self.decoder = new_decoder(stream.read())
        self.header = _HEADER_READER.read(self.decoder)
        self.reader = _reader(self.header.meta.get(_SCHEMA_KEY, ""), self._kind)
        return self


@lru_cache(maxsize=1_000)
def _reader(schema: str, kind: _Kind) -> Reader:
    """What reads records of a schema, which is Avro's JSON."""
    found = AvroSchemaConversion().avro_to_iceberg(json.loads(schema))
    return resolve_reader(found, kind.schema, kind.types, kind.enums)


@dataclass(frozen=True)
class _Layout:
    """How records are written: the schema of their file as Avro has it, and the writer."""

    schema: str
    writer: Writer

    @classmethod
    def of(cls, in_file: Schema, in_memory: Schema, *, name: str) -> _Layout:
        avro = AvroSchemaConversion().iceberg_to_avro(in_file, schema_name=name)
        return cls(json.dumps(avro), resolve_writer(record_schema=in_memory, file_schema=in_file))


@cache
def _of_lists() -> _Layout:
    schemas = MANIFEST_LIST_FILE_SCHEMAS
    return _Layout.of(schemas[_VERSION], schemas[DEFAULT_READ_VERSION], name="manifest_file")


@lru_cache(maxsize=1_000)
def _of_entries(partition: StructType) -> _Layout:
    in_file, in_memory = (
        manifest_entry_schema_with_data_file(
            format_version=version,
            data_file=data_file_with_partition(format_version=version, partition_type=partition),
        )
        for version in (_VERSION, DEFAULT_READ_VERSION)
    )
    return _Layout.of(in_file, in_memory, name="manifest_entry")


class _Output(AvroOutputFile[D], Generic[D]):
    """A file with all its records in one block."""

    def __init__(self, file: OutputFile, layout: _Layout, metadata: dict[str, str]) -> None:
        self.output_file = file
        self.metadata = metadata
        self.sync_bytes = sha256(file.location.encode()).digest()[:16]
        self.writer = layout.writer
        self._schema = layout.schema
        self._held: list[D] = []

    def write_block(self, objects: list[D]) -> None:
        self._held += objects

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            super().write_block(self._held)
        super().__exit__(kind, error, trace)

    def _write_header(self) -> None:
        meta: dict[str, Any] = {**self.metadata, _SCHEMA_KEY: self._schema, AVRO_CODEC_KEY: CODEC}
        _HEADER_WRITER.write(self.encoder, AvroFileHeader(MAGIC, meta, self.sync_bytes))
