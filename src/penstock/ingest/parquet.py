"""Parquet files, row group by row group, every value as a string. The number of a row is its position, from 1."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from penstock.errors import SourceBusy, SourceError
from penstock.ingest.arrow_text import text_array
from penstock.ingest.batch import Piece, string_rows
from penstock.ingest.column import column_names
from penstock.ingest.content import compression_of, verify_hash
from penstock.ingest.file import FoundFile, hash_content, open_file

PIECE_ROWS = 50_000


def parquet_columns(file: FoundFile) -> tuple[str, ...]:
    """The columns' names, from the file's footer."""
    with _opened(file) as parquet:
        return column_names(parquet.schema_arrow.names)


def parquet_pieces(file: FoundFile) -> Iterator[Piece]:
    """The file's rows; the first piece is empty and says the columns."""
    with _opened(file) as parquet:
        names = column_names(parquet.schema_arrow.names)
        yield _piece(names, [pa.array([], pa.string()) for _ in names], 1, 0)
        line = 1
        for rows in parquet.iter_batches(PIECE_ROWS, use_threads=False):
            rows.validate(full=True)
            yield _piece(names, [text_array(column) for column in rows.columns], line, rows.num_rows)
            line += rows.num_rows


def verify_parquet(file: FoundFile) -> None:
    """Raise SourceBusy when the file is not, after reading, what was found before."""
    verify_hash(file, hash_content(file.absolute))


def _piece(names: tuple[str, ...], columns: list[pa.Array], line: int, count: int) -> Piece:
    return Piece(string_rows(names, columns, pa.array(range(line, line + count), pa.int64())))


@contextmanager
def _opened(file: FoundFile) -> Iterator[pq.ParquetFile]:
    """The file, with whatever Arrow says against it as a SourceError; SourceBusy if it is another file by now."""
    if compression_of(file.path) is not None:
        raise SourceError(
            "A compressed Parquet file cannot be read",
            where=str(file.absolute),
            remedy="Parquet compresses inside: deliver it as it is.",
        )
    try:
        with open_file(file.absolute) as opened, pq.ParquetFile(pa.PythonFile(opened, mode="r")) as parquet:
            yield parquet
    except (pa.ArrowException, OSError) as error:
        if hash_content(file.absolute) != file.content_hash:
            raise _changed(file) from error
        raise SourceError(
            "The Parquet file is corrupt",
            where=str(file.absolute),
            found=_first_line(error),
            remedy="Have it delivered again. Nothing of it was taken.",
        ) from error


def _changed(file: FoundFile) -> SourceBusy:
    return SourceBusy(
        "The file changed while it was read",
        where=str(file.absolute),
        remedy="Run again when it is complete, or declare a longer `settle`. Nothing of it was taken.",
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
