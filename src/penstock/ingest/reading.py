"""A file's rows, whatever its format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from penstock.ingest.batch import LINE, Batch, Piece, batches
from penstock.ingest.content import Content, open_content
from penstock.ingest.csv import CsvReader, csv_lines
from penstock.ingest.file import FoundFile
from penstock.ingest.json_array import array_pieces
from penstock.ingest.ndjson import ndjson_lines, ndjson_pieces
from penstock.ingest.parquet import parquet_columns, parquet_pieces, verify_parquet
from penstock.spec.source import FileFormat, Source

BATCH_ROWS = 200_000


def read_file(source: Source, file: FoundFile, *, batch_rows: int = BATCH_ROWS) -> Iterator[Batch]:
    """The file's rows in file order, in batches of at most `batch_rows`, at least one.

    `_line` is the physical line a row begins on (CSV, NDJSON), or its position (JSON array, Parquet).
    CSV and Parquet have the same columns in every batch; JSON gains columns as new keys appear.
    Raises SourceBusy before the last batch when the bytes read are not those that were found, and
    SourceError when the file cannot be read as a whole: take nothing of it unless the iterator ends.
    """
    if source.format is FileFormat.PARQUET:
        yield from batches(parquet_pieces(file), batch_rows=batch_rows, verify=lambda: verify_parquet(file))
        return
    with open_content(file, source.compression) as content:
        yield from batches(_pieces(source, file, content), batch_rows=batch_rows, verify=content.verify)


def header(source: Source, file: FoundFile) -> tuple[str, ...]:
    """The file's columns, named as `read_file` names them.

    Cheap for CSV (the first record) and Parquet (the footer). JSON has no header: every object is read
    for its keys, which takes as long as reading the file.
    """
    if source.format is FileFormat.PARQUET:
        return parquet_columns(file)
    with open_content(file, source.compression) as content:
        if source.format is FileFormat.CSV:
            return CsvReader(content, source.csv, str(file.absolute)).columns()
        names: tuple[str, ...] = ()
        for piece in _pieces(source, file, content):
            names = tuple(name for name in piece.rows.column_names if name != LINE)
        return names


def parse_lines(source: Source, raw: Sequence[tuple[int, bytes]], columns: Sequence[str]) -> Batch:
    """Malformed lines read again as the source is declared now: (line, bytes as kept) to a batch.

    `columns` are the columns of the file they came from, for CSV; JSON brings its own.
    """
    is_csv = source.format is FileFormat.CSV
    return Batch.of(csv_lines(source.csv, raw, tuple(columns)) if is_csv else ndjson_lines(raw))


def _pieces(source: Source, file: FoundFile, content: Content) -> Iterator[Piece]:
    where = str(file.absolute)
    if source.format is FileFormat.NDJSON:
        return ndjson_pieces(content)
    if source.format is FileFormat.JSON:
        return array_pieces(content, where)
    reader = CsvReader(content, source.csv, where)
    return reader.pieces(reader.columns())
