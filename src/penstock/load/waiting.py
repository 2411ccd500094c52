"""What waits in bronze for one source of a dataset."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.lake.table import DataFile, Scan
from penstock.spec.source import Source
from penstock.sql.scan import read_scan


@dataclass(frozen=True)
class Waiting:
    """The bronze rows of one source with `since` < batch <= `until`.

    `replaced`: file ids that a higher version has replaced by now. `newly_replaced`: those of them whose rows
    silver may hold.
    """

    source: Source
    bronze: Scan
    since: int
    until: int
    replaced: frozenset[str]
    newly_replaced: frozenset[str]

    @property
    def pending(self) -> bool:
        return self.until > self.since

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.bronze.columns)

    @property
    def pending_rows(self) -> str:
        """SELECT of the bronze rows to be conformed."""
        return self.rows(self.since, self.until)

    def rows(self, since: int, until: int) -> str:
        """SELECT of the bronze rows after batch `since`, up to `until`."""
        files = [file.path for file in self.bronze.files if _overlaps(file, since, until)]
        scan = read_scan(files, self.bronze.columns)
        return f"SELECT * FROM ({scan}) WHERE _batch > {since} AND _batch <= {until}"


def _overlaps(file: DataFile, since: int, until: int) -> bool:
    bounds = file.bounds.get("_batch")
    if bounds is None:
        return True
    low, high = (int(str(bound)) for bound in bounds)
    return high > since and low <= until
