"""One pass over pending bronze rows in DuckDB: what enters silver, what leaves it, what is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from penstock.conform.batch import Conformer
from penstock.conform.columns import pseudonym_domains
from penstock.conform.counts import Counts
from penstock.lake.change import TableChange
from penstock.lake.table import DataFile, Scan
from penstock.load.tables import arrow_schema, quarantine_spec
from penstock.spec.contract import Contract
from penstock.spec.source import Source
from penstock.sql.names import literal, quote
from penstock.sql.scan import read_scan

ARROW_ROWS = 100_000
ROW = "_source, _file_id, _line"  # the identity of a row in silver


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

    def files(self, since: int, until: int) -> list[str]:
        """Data files that may hold rows of these batches."""
        return [file.path for file in self.bronze.files if _overlaps(file, since, until)]

    def rows(self, since: int, until: int) -> str:
        """SELECT of the bronze rows of these batches."""
        scan = read_scan(self.files(since, until), self.bronze.columns)
        return f"SELECT * FROM ({scan}) WHERE _batch > {since} AND _batch <= {until}"


def _overlaps(file: DataFile, since: int, until: int) -> bool:
    bounds = file.bounds.get("_batch")
    if bounds is None:
        return True
    low, high = (int(str(bound)) for bound in bounds)
    return high > since and low <= until


@dataclass
class Conforming:
    """Relations of one connection, made step by step; nothing is written before `write`."""

    connection: duckdb.DuckDBPyConnection
    contract: Contract
    contracts: Mapping[str, Contract]
    tenant: str
    pseudonym_key: bytes
    silver: Scan
    rebuild: bool

    def conform(self, waiting: Sequence[Waiting]) -> Outcome:
        """Hold every pending row to the contract and decide what silver becomes."""
        domains = pseudonym_domains(self.contract, self.contracts)
        counts = Counts()
        accepted: list[str] = []
        rejected: list[str] = []
        for number, part in enumerate(waiting):
            incoming = f"incoming_{number}"
            counts += Counts(rows_in=self._incoming(incoming, part), superseded=self._superseded(part))
            conformer = Conformer(
                self.contract,
                part.source.reading,
                tenant=self.tenant,
                pseudonym_key=self.pseudonym_key,
                domains=domains,
            )
            checked = conformer.check(self.connection, incoming)
            counts += Counts(filtered=checked.counts.filtered)
            accepted.append(checked.accepted)
            rejected.append(checked.rejected)
        self._union("accepted", accepted)
        self._union("rejected", rejected)
        self._removed(waiting)
        return Outcome(self, counts)

    def _incoming(self, name: str, part: Waiting) -> int:
        """Make the view of pending rows of standing files; gives the number of all pending rows."""
        replaced = _texts(part.replaced)
        self.connection.execute(
            f"CREATE TEMP VIEW {quote(name)} AS SELECT * FROM ({part.rows(part.since, part.until)})"
            f" WHERE _file_id NOT IN {replaced}"
        )
        return self._number(f"SELECT count(*) FROM ({part.rows(part.since, part.until)})")

    def _superseded(self, part: Waiting) -> int:
        if not part.replaced:
            return 0
        rows = part.rows(part.since, part.until)
        return self._number(f"SELECT count(*) FROM ({rows}) WHERE _file_id IN {_texts(part.replaced)}")

    def _union(self, name: str, relations: Sequence[str]) -> None:
        union = " UNION ALL ".join(f"SELECT * FROM {quote(relation)}" for relation in relations)
        self.connection.execute(f"CREATE TEMP VIEW {quote(name)} AS {union}")

    def _removed(self, waiting: Sequence[Waiting]) -> None:
        """Silver rows of files that a higher version replaces, with the data file that holds them."""
        conditions = [
            f"(_source = {literal(part.source.name)} AND _file_id IN {_texts(part.newly_replaced)})"
            for part in waiting
            if part.newly_replaced
        ]
        condition = "FALSE" if self.rebuild else " OR ".join(conditions) or "FALSE"
        self.connection.execute(
            f"CREATE TEMP TABLE removed AS SELECT * FROM ({self.silver_rows(origin='_path')}) WHERE {condition}"
        )

    def silver_rows(self, *, files: Iterable[str] | None = None, origin: str | None = None) -> str:
        """SELECT of silver as it is, of some of its data files, or with the file that holds each row."""
        paths = [file.path for file in self.silver.files] if files is None else list(files)
        return read_scan(paths, self.silver.columns, origin=origin)

    def _number(self, query: str) -> int:
        return int(self.connection.execute(query).fetchall()[0][0])


@dataclass
class Outcome:
    """What one pass decided. Counts are complete once it was written."""

    work: Conforming
    decided: Counts
    inserted: str = "accepted"
    revived: int = 0

    @property
    def replaced(self) -> int:
        """Rows that leave silver for better ones."""
        if self.work.rebuild:
            return sum(file.rows for file in self.work.silver.files)
        return self._number("SELECT count(*) FROM removed")

    def write(self, change: TableChange) -> int:
        """Append what enters silver and rewrite the data files that lose rows; gives the rows that entered."""
        columns = ", ".join(quote(column.name) for column in self.work.silver.columns)
        written = change.append(self._reader(f"SELECT {columns} FROM {self.inserted}"))
        losing = self._losing()
        if losing and not self.work.rebuild:
            kept = self.work.silver_rows(files=[file.path for file in losing])
            change.append(self._reader(f"SELECT {columns} FROM ({kept}) ANTI JOIN removed USING ({ROW})"))
        change.remove(losing)
        return written

    def write_rejected(self, change: TableChange, quarantine: Scan) -> int:
        """Append refused rows; a rebuild judges all rows anew, so earlier verdicts of the contract go."""
        if self.work.rebuild:
            kept = read_scan([file.path for file in quarantine.files], quarantine.columns)
            change.append(self._reader(f"SELECT * FROM ({kept}) WHERE stage = 'parse'"))
            change.remove(quarantine.files)
        names = ", ".join(quote(field.name) for field in QUARANTINE_SCHEMA)
        return change.append(self._reader(f"SELECT {names} FROM rejected"))

    def counts(self, *, accepted: int, quarantined: int) -> Counts:
        """All counts: what was written by the writers' own count, the rest as decided."""
        return self.decided + Counts(accepted=accepted - self.revived, quarantined=quarantined)

    def _losing(self) -> list[DataFile]:
        """Data files of silver with a row that leaves."""
        if self.work.rebuild:
            return list(self.work.silver.files)
        paths = {row[0] for row in self.work.connection.execute("SELECT DISTINCT _path FROM removed").fetchall()}
        return [file for file in self.work.silver.files if file.path in paths]

    def _reader(self, query: str) -> pa.RecordBatchReader:
        return self.work.connection.execute(query).to_arrow_reader(ARROW_ROWS)

    def _number(self, query: str) -> int:
        return int(self.work.connection.execute(query).fetchall()[0][0])


QUARANTINE_SCHEMA = arrow_schema(quarantine_spec("any"))


def _texts(values: Iterable[str]) -> str:
    """A SQL list of texts; never empty, for `IN ()` is not SQL."""
    return f"({', '.join(literal(value) for value in ['', *sorted(values)])})"
