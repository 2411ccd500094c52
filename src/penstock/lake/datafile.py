"""Writing rows as Parquet data files: field ids, bounds, partitions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.conversions import to_bytes
from pyiceberg.manifest import DataFile as IcebergFile
from pyiceberg.manifest import DataFileContent, FileFormat
from pyiceberg.schema import Schema
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.typedef import Record
from pyiceberg.types import BinaryType, ListType, PrimitiveType, StringType
from pyiceberg.utils.truncate import truncate_upper_bound_binary_string, truncate_upper_bound_text_string

from penstock.errors import DeclarationError
from penstock.lake.io import StagedFile, local_path
from penstock.lake.partition import Part, cut
from penstock.lake.schema import personal_ids
from penstock.lake.spans import SPANS, Pair, spans_of
from penstock.lake.types import arrow_type, field_id_metadata
from penstock.world import Disk

CHUNK_ROWS = 1_000_000
CHUNK_BYTES = 96 * 1024 * 1024
_ROW_GROUP = 262_144
_BOUND_LENGTH = 16


@dataclass(frozen=True)
class EncodedFile:
    """A data file that is not written yet: its partition, its bytes and what its footer tells."""

    folder: str
    values: tuple[object, ...]
    content: bytes
    footer: pq.FileMetaData


@dataclass(frozen=True)
class DataFileWriter:
    """Writes rows of one table; `new_name` gives a file name that nobody else uses.

    Memory is bounded by about a million rows or 96 MB of Arrow, whichever is less, so input may be larger
    than memory. One chunk becomes one file per partition it touches.
    """

    metadata: TableMetadata
    disk: Disk
    new_name: Callable[[], str]
    created: Callable[[str], object]

    def write(self, rows: pa.Table | pa.RecordBatchReader) -> Iterator[IcebergFile]:
        for file in self.encoded(rows):
            yield self.keep(file)

    def encoded(self, rows: pa.Table | pa.RecordBatchReader, spans: Pair | None = None) -> Iterator[EncodedFile]:
        """The files, in memory; nothing is written, so threads may do this side by side. No footer tells `spans` of a
        personal column."""
        schema = self.metadata.schema()
        target = arrow_schema(schema)
        personal = personal_ids(self.metadata)
        with_bounds = [field.name for field in schema.fields if field.field_id not in personal]
        told = None if spans is None or personal.intersection(spans) else spans
        for chunk in _chunks(rows):
            typed = conformed(chunk, target, where=self.metadata.location)
            for part in cut(typed, schema, self.metadata.spec()):
                yield _encode(part, with_bounds, told)

    def keep(self, encoded: EncodedFile) -> IcebergFile:
        """Write a file down; the commit makes it durable."""
        folder = f"{self.metadata.location}/data/{encoded.folder}".rstrip("/")
        path = f"{folder}/{self.new_name()}.parquet"
        schema, personal, footer = self.metadata.schema(), personal_ids(self.metadata), encoded.footer
        self.created(path)
        with StagedFile(self.disk, local_path(path)) as stream:
            stream.write(encoded.content)
        file = IcebergFile.from_args(
            content=DataFileContent.DATA,
            file_path=path,
            file_format=FileFormat.PARQUET,
            partition=Record(*encoded.values),
            record_count=footer.num_rows,
            file_size_in_bytes=stream.size,
            sort_order_id=None,
            spec_id=self.metadata.default_spec_id,
            equality_ids=None,
            key_metadata=None,
            **_metrics(footer, schema, personal),
        )
        file.spec_id = self.metadata.default_spec_id
        return file


def _encode(part: Part, with_bounds: Sequence[str], pair: Pair | None) -> EncodedFile:
    spans = None if pair is None else spans_of(part.rows, pair)
    stream = pa.BufferOutputStream()
    writer = pq.ParquetWriter(
        stream,
        part.rows.schema,
        compression="zstd",
        write_statistics=list(with_bounds) or False,
        store_decimal_as_integer=True,
        store_schema=False,
    )
    with writer:
        writer.write_table(part.rows, row_group_size=_ROW_GROUP)
        if spans is not None:
            writer.add_key_value_metadata({SPANS: spans})
    return EncodedFile(part.folder, part.values, stream.getvalue().to_pybytes(), writer.writer.metadata)


def arrow_schema(schema: Schema) -> pa.Schema:
    """The Arrow schema of the table's data files, field ids in the metadata of each field."""
    return pa.schema(
        [
            pa.field(
                field.name,
                arrow_type(field.field_type),
                nullable=not field.required,
                metadata=field_id_metadata(field.field_id),
            )
            for field in schema.fields
        ]
    )


def conformed(rows: pa.Table, target: pa.Schema, *, where: str) -> pa.Table:
    """The rows in the table's column order and types; a value that would change is an error, not a cast.

    Raises DeclarationError when names differ, a type does not fit, or a required column holds null.
    """
    if set(rows.column_names) != set(target.names) or len(rows.column_names) != len(target.names):
        missing = sorted(set(target.names) - set(rows.column_names))
        extra = sorted(set(rows.column_names) - set(target.names))
        raise DeclarationError(
            "The rows do not have the columns of the table",
            where=where,
            expected=f"also {', '.join(missing)}" if missing else None,
            found=f"unknown {', '.join(extra)}" if extra else None,
        )
    columns = [_fit(rows.column(field.name), field, where) for field in target]
    return pa.Table.from_arrays(columns, schema=target)


def _fit(values: pa.ChunkedArray, field: pa.Field, where: str) -> pa.ChunkedArray:
    if not field.nullable and values.null_count > 0:
        raise DeclarationError("A required column holds null", where=f"{where}.{field.name}")
    if values.type == field.type and not pa.types.is_nested(field.type):
        return values
    try:
        return _cast(values, field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DeclarationError(
            "Values do not fit the column of the table",
            where=f"{where}.{field.name}",
            expected=str(field.type),
            found=f"{values.type} ({str(error).splitlines()[0]})",
        ) from error


def _cast(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if not pa.types.is_list(kind) or pa.types.is_null(values.type):
        return pc.cast(values, kind)
    chunks = [pc.cast(chunk, pa.list_(pa.string())) for chunk in values.chunks]
    lists = [pa.ListArray.from_arrays(c.offsets, c.values, type=kind, mask=c.is_null()) for c in map(_whole, chunks)]
    return pa.chunked_array(lists, type=kind)


def _whole(values: pa.ListArray) -> pa.ListArray:
    """The same lists without an offset: Arrow takes a mask only then."""
    return values if values.offset == 0 else pa.concat_arrays([values])


def _chunks(rows: pa.Table | pa.RecordBatchReader) -> Iterator[pa.Table]:
    if isinstance(rows, pa.Table):
        yield from _slices(rows)
        return
    held: list[pa.RecordBatch] = []
    count = size = 0
    for batch in rows:
        held.append(batch)
        count += batch.num_rows
        size += batch.nbytes
        if count >= CHUNK_ROWS or size >= CHUNK_BYTES:
            yield from _slices(pa.Table.from_batches(held, rows.schema))
            held, count, size = [], 0, 0
    if count > 0:
        yield from _slices(pa.Table.from_batches(held, rows.schema))


def _slices(rows: pa.Table) -> Iterator[pa.Table]:
    """Equal pieces of about the chunk size, so that no tiny file is left at the end."""
    if rows.num_rows == 0:
        return
    pieces = max(1, round(rows.num_rows / CHUNK_ROWS), round(rows.nbytes / CHUNK_BYTES))
    step = math.ceil(rows.num_rows / pieces)
    for start in range(0, rows.num_rows, step):
        yield rows.slice(start, step)


def _metrics(footer: pq.FileMetaData, schema: Schema, personal: frozenset[int]) -> dict[str, Any]:
    """Iceberg's column metrics from a Parquet footer; columns that are personal have sizes and counts only.

    Every type of the lake is one Parquet column, so columns are found by place.
    """
    sizes: dict[int, int] = {}
    counts: dict[int, int] = {}
    nulls: dict[int, int] = {}
    lower: dict[int, bytes] = {}
    upper: dict[int, bytes] = {}
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    for place, field in enumerate(schema.fields):
        columns = [group.column(place) for group in groups]
        leaf = field.field_type.element_id if isinstance(field.field_type, ListType) else field.field_id
        sizes[leaf] = sum(column.total_compressed_size for column in columns)
        if field.field_id in personal:
            continue
        counts[leaf] = sum(column.num_values for column in columns)
        statistics = [column.statistics for column in columns]
        if any(known is None or not known.has_null_count for known in statistics):
            continue
        nulls[leaf] = sum(known.null_count for known in statistics)
        ranges = [(known.min, known.max) for known in statistics if known.has_min_max]
        filled = sum(1 for known in statistics if known.num_values > 0)
        kind = field.field_type
        if ranges and len(ranges) == filled and isinstance(kind, PrimitiveType):
            lower[leaf] = to_bytes(kind, _cut_down(min(low for low, _ in ranges)))
            if (top := _cut_up(kind, max(high for _, high in ranges))) is not None:
                upper[leaf] = to_bytes(kind, top)
    return {
        "column_sizes": sizes,
        "value_counts": counts,
        "null_value_counts": nulls,
        "nan_value_counts": {},
        "lower_bounds": lower,
        "upper_bounds": upper,
        "split_offsets": [_offset(group) for group in groups],
    }


def _cut_down(value: Any) -> Any:
    return value[:_BOUND_LENGTH] if isinstance(value, str | bytes) else value


def _cut_up(kind: PrimitiveType, value: Any) -> Any:
    """The smallest short value above every value that begins like `value`, or None when there is none."""
    if isinstance(kind, StringType):
        return truncate_upper_bound_text_string(value, _BOUND_LENGTH)
    if isinstance(kind, BinaryType):
        return truncate_upper_bound_binary_string(value, _BOUND_LENGTH)
    return value


def _offset(group: pq.RowGroupMetaData) -> int:
    first = group.column(0)
    starts: list[int] = [first.data_page_offset]
    if first.has_dictionary_page:
        starts.append(first.dictionary_page_offset)
    return min(starts)
