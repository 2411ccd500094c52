"""What waits in bronze for one source of a dataset."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.conform.columns import VERSION
from penstock.ingest.file import KnownFile
from penstock.lake.table import DataFile, Scan
from penstock.spec.source import Source
from penstock.sql.scan import read_scan

FILE_VERSIONS = "file_versions"


@dataclass(frozen=True)
class Waiting:
    """The bronze rows of one source with `since` < batch <= `until`.

    `replaced`: file ids that a higher version has replaced by now. `newly_replaced`: those of them whose rows
    silver may hold. `files`: those of the ledger, as the delivery is declared now.
    """

    source: Source
    bronze: Scan
    since: int
    until: int
    replaced: frozenset[str]
    newly_replaced: frozenset[str]
    files: tuple[KnownFile, ...]
    ledger: Scan

    @property
    def pending(self) -> bool:
        return self.until > self.since

    @property
    def columns(self) -> tuple[str, ...]:
        version = (VERSION,) if self.names_version else ()
        return (*(column.name for column in self.bronze.columns), *version)

    @property
    def pending_rows(self) -> str:
        """SELECT of the bronze rows to be conformed."""
        return self.rows(self.since, self.until)

    def rows(self, since: int, until: int) -> str:
        """SELECT of the bronze rows after batch `since`, up to `until`, with the version in the name of their file where
        it counts: `file_versions` is the relation of these."""
        files = [file for file in self.bronze.files if _overlaps(file, since, until)]
        scan = read_scan(files, self.bronze.columns)
        rows = f"SELECT * FROM ({scan}) WHERE _batch > {since} AND _batch <= {until}"
        return f"SELECT * FROM ({rows}) LEFT JOIN {FILE_VERSIONS} USING (_file_id)" if self.names_version else rows

    @property
    def names_version(self) -> bool:
        return self.source.delivery.version_from_name


def _overlaps(file: DataFile, since: int, until: int) -> bool:
    bounds = file.bounds.get("_batch")
    if bounds is None:
        return True
    low, high = (int(str(bound)) for bound in bounds)
    return high > since and low <= until
