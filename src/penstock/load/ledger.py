"""The file ledger read and written: which files of a source were taken, with their versions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from penstock.ingest.file import FoundFile, KnownFile, version_order
from penstock.lake.lake import Lake
from penstock.lake.ledger import ledger_spec
from penstock.load.tables import arrow_schema
from penstock.spec.source import DeliveryMode, Source
from penstock.sql.connection import connect
from penstock.sql.scan import read_scan

LEDGER_SCHEMA = arrow_schema(ledger_spec("any"))
_KNOWN = ("path", "file_id", "content_hash", "size", "mtime_ns", "name", "version", "batch")


@dataclass(frozen=True)
class Entry:
    """A file that was read to its end: how many rows it gave and how many lines were malformed."""

    file: FoundFile
    rows: int
    malformed: int


def entry_table(entries: Iterable[Entry], *, batch: int, ingested_at: datetime) -> pa.Table:
    """Ledger rows of one commit."""
    return pa.Table.from_pylist(
        [
            {
                "path": entry.file.path,
                "file_id": entry.file.file_id,
                "content_hash": entry.file.content_hash,
                "size": entry.file.size,
                "mtime_ns": entry.file.mtime_ns,
                "name": entry.file.name,
                "version": entry.file.version,
                "rows": entry.rows,
                "malformed": entry.malformed,
                "batch": batch,
                "ingested_at": ingested_at,
            }
            for entry in entries
        ],
        schema=LEDGER_SCHEMA,
    )


def known_files(lake: Lake, source: str) -> tuple[KnownFile, ...]:
    """Every file taken from `source`, in the order of batch and path; none when the source was never read."""
    name = ledger_spec(source).name
    if lake.head(name) is None:
        return ()
    scan = lake.scan(name)
    columns = ", ".join(_KNOWN)
    with connect() as connection:
        rows = connection.execute(
            f"SELECT {columns} FROM ({read_scan([file.path for file in scan.files], scan.columns)}) ORDER BY batch, path"
        ).fetchall()
    return tuple(KnownFile(**dict(zip(_KNOWN, row, strict=True))) for row in rows)


def replaced_files(source: Source, known: Sequence[KnownFile], *, until: int) -> frozenset[str]:
    """The file ids that an equal name with a higher version has replaced, counting batches up to `until`.

    Equal versions of different content: the higher content hash stands, whichever came first.
    """
    if source.delivery.mode is not DeliveryMode.REPLACE_FILE:
        return frozenset()
    taken = [file for file in known if file.batch <= until]
    standing: dict[str, KnownFile] = {}
    for file in taken:
        rival = standing.get(file.name)
        if rival is None or _rank(file) > _rank(rival):
            standing[file.name] = file
    stand = {file.file_id for file in standing.values()}
    return frozenset(file.file_id for file in taken if file.file_id not in stand)


def _rank(file: KnownFile) -> tuple[tuple[bool, int, str], str, str]:
    return version_order(file.version or ""), file.content_hash, file.path
