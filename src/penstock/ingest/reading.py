"""A file's rows, whatever its format."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.ingest.batch import Batch, batches
from penstock.ingest.content import open_content
from penstock.ingest.csv import CsvReader
from penstock.ingest.file import FoundFile
from penstock.spec.source import Source

BATCH_ROWS = 200_000


def read_file(source: Source, file: FoundFile, *, batch_rows: int = BATCH_ROWS) -> Iterator[Batch]:
    """The file's rows in file order, in batches of at most `batch_rows`, at least one.

    Raises SourceBusy before the last batch when the bytes read are not those that were found, and
    SourceError when the file cannot be read as a whole: take nothing of it unless the iterator ends.
    """
    with open_content(file, source.compression) as content:
        reader = CsvReader(content, source.csv, str(file.absolute))
        yield from batches(reader.pieces(reader.columns()), batch_rows=batch_rows, verify=content.verify)
