"""The file ledger read and written: which files of a source were taken, with their versions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa

from penstock.conform.columns import resolve
from penstock.ingest.file import FoundFile, KnownFile, version_order
from penstock.lake.lake import Lake
from penstock.lake.ledger import ledger_spec
from penstock.lake.table import DataFile, Scan
from penstock.load.tables import arrow_schema
from penstock.spec.contract import Contract
from penstock.spec.source import DeliveryMode, Source
from penstock.sql.connection import connect
from penstock.sql.names import quote
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


def newly_known(entries: Iterable[Entry], *, batch: int) -> tuple[KnownFile, ...]:
    """What `files_in` says of the rows of one commit."""
    found = (
        KnownFile(file.path, file.file_id, file.content_hash, file.size, file.mtime_ns, file.name, file.version, batch)
        for file in (entry.file for entry in entries)
    )
    return tuple(sorted(found, key=lambda known: known.path.encode()))


def known_files(lake: Lake, source: str) -> tuple[KnownFile, ...]:
    """Every file taken from `source`, in the order of batch and path; none when the source was never read."""
    head = lake.head(ledger_spec(source).name)
    return () if head is None else lake.derived(head, files_in)


def files_in(ledger: Scan) -> tuple[KnownFile, ...]:
    """The files of exactly this state of a ledger."""
    columns = ", ".join(_KNOWN)
    rows = read_scan(ledger.files, ledger.columns)
    with connect() as connection:
        found = connection.execute(f"SELECT {columns} FROM ({rows}) ORDER BY batch, path").fetchall()
    return tuple(KnownFile(**dict(zip(_KNOWN, row, strict=True))) for row in found)


def as_declared(source: Source, known: Sequence[KnownFile], bronze: Scan, contract: Contract) -> tuple[KnownFile, ...]:
    """The files with name and version as the delivery is declared now; they may have been taken under another one.

    By the pattern where there is one. By a column, files that were taken without a version are looked up in bronze.
    """
    delivery = source.delivery
    if delivery.pattern is not None:
        return tuple(_by_pattern(file, delivery.pattern) for file in known)
    without = [file for file in known if file.version is None]
    columns = version_columns(source, contract, [column.name for column in bronze.columns])
    if not columns or not without:
        return tuple(known)
    versions = _versions(bronze, columns, without)
    return tuple(replace(file, name=file.path, version=versions.get(file.file_id, file.version)) for file in known)


def version_columns(source: Source, contract: Contract, names: Sequence[str]) -> tuple[str, ...]:
    """Of the columns of a delivery those that say the version of a file as a whole, whatever their capitals."""
    delivery = source.delivery
    if delivery.mode is DeliveryMode.SNAPSHOT and not delivery.version_from_name:
        return resolve(contract, source.reading, names).sources.get(delivery.version or "", ())
    column = delivery.version_column
    return tuple(name for name in names if column is not None and name.lower() == column.lower())


def replaced_files(source: Source, known: Sequence[KnownFile], *, until: int) -> frozenset[str]:
    """The file ids that an equal name with a higher version has replaced, counting batches up to `until`.

    Equal versions of different content: the higher content hash stands, whichever came first. A file without any
    version (it has no row that could say it) is lower than every other.
    """
    if source.delivery.mode is not DeliveryMode.REPLACE_FILE:
        return frozenset()
    taken = [file for file in known if file.batch <= until]
    standing: dict[str, KnownFile] = {}
    for file in taken:
        rival = standing.get(file.name)
        if rival is None or rank(file) > rank(rival):
            standing[file.name] = file
    stand = {file.file_id for file in standing.values()}
    return frozenset(file.file_id for file in taken if file.file_id not in stand)


def highest_version(versions: Iterable[str | None]) -> str | None:
    """The highest of the versions, None when there is none.

    >>> highest_version(["9", None, "10"])
    '10'
    """
    return max((version for version in versions if version is not None), key=version_order, default=None)


def rank(file: KnownFile) -> tuple[bool, tuple[bool, int, str], str, str]:
    """Of the files of one name the highest stands."""
    return file.version is not None, version_order(file.version or ""), file.content_hash, file.path


def _by_pattern(file: KnownFile, pattern: str) -> KnownFile:
    match = re.fullmatch(pattern, file.path.rsplit("/", 1)[-1])
    if match is None:
        return replace(file, name=file.path, version=None)
    return replace(file, name=match.groupdict().get("name") or file.path, version=match["version"])


def _versions(bronze: Scan, columns: Sequence[str], files: Sequence[KnownFile]) -> dict[str, str | None]:
    """The highest version of each file by its rows in bronze."""
    batches = {file.batch for file in files}
    holding = [file for file in bronze.files if may_hold(file, batches)]
    rows = read_scan(holding, bronze.columns)
    said = f"coalesce({', '.join(map(quote, columns))})"
    with connect() as connection:
        found = connection.execute(f"SELECT _file_id, list(DISTINCT {said}) FROM ({rows}) GROUP BY _file_id").fetchall()
    return {file_id: highest_version(versions) for file_id, versions in found}


def may_hold(file: DataFile, batches: set[int]) -> bool:
    """Whether a data file of bronze can have rows of one of these batches."""
    bounds = file.bounds.get("_batch")
    return bounds is None or any(int(str(bounds[0])) <= batch <= int(str(bounds[1])) for batch in batches)
