"""One pass over pending bronze rows in DuckDB: what enters silver, what leaves it, what is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import count

import duckdb
import pyarrow as pa

from penstock.conform.batch import Conformed, Conformer
from penstock.conform.columns import pseudonym_domains
from penstock.conform.counts import Counts
from penstock.conform.dedupe import Merged, merge, recompute
from penstock.conform.fates import count_fates
from penstock.lake.change import TableChange
from penstock.lake.table import DataFile, Scan
from penstock.spec.contract import Contract
from penstock.spec.source import Source
from penstock.sql.names import literal, quote
from penstock.sql.scan import read_scan

ARROW_ROWS = 100_000


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
    def is_replaced(self) -> str:
        """SQL: the row belongs to a file that a higher version has replaced."""
        return f"(_file_id IN {_texts(self.replaced)})"

    def rows(self, since: int) -> str:
        """SELECT of the bronze rows after batch `since`, up to `until`."""
        files = [file.path for file in self.bronze.files if _overlaps(file, since, self.until)]
        scan = read_scan(files, self.bronze.columns)
        return f"SELECT * FROM ({scan}) WHERE _batch > {since} AND _batch <= {self.until}"


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
    numbers: Iterator[int] = field(default_factory=count)

    def conform(self, waiting: Sequence[Waiting]) -> Outcome:
        """Hold every pending row to the contract and decide what silver becomes."""
        counts = Counts()
        accepted: list[str] = []
        rejected: list[str] = []
        for number, part in enumerate(waiting):
            checked = self._check(f"incoming_{number}", part, since=part.since)
            counts += Counts(
                rows_in=self._number(f"SELECT count(*) FROM ({part.rows(part.since)})"),
                superseded=self._number(f"SELECT count(*) FROM ({part.rows(part.since)}) WHERE {part.is_replaced}"),
                filtered=checked.counts.filtered,
            )
            accepted.append(checked.accepted)
            rejected.append(checked.rejected)
        self._define("accepted", _union(accepted))
        self._define("rejected", _union(rejected))
        if self.contract.key:
            return self._merged(waiting, counts)
        self._make("leaving", f"SELECT _file_id, _line, _path FROM ({self._stored()}) WHERE {self._loses(waiting)}")
        return Outcome(self, counts, ("accepted",), _replaced(waiting))

    def _check(self, name: str, part: Waiting, *, since: int) -> Conformed:
        """Conform the rows after batch `since` that no newer file has replaced."""
        self._define(name, f"SELECT * FROM ({part.rows(since)}) WHERE NOT {part.is_replaced}")
        conformer = Conformer(
            self.contract,
            part.source.reading,
            tenant=self.tenant,
            pseudonym_key=self.pseudonym_key,
            domains=pseudonym_domains(self.contract, self.contracts),
        )
        return conformer.check(self.connection, name)

    def _merged(self, waiting: Sequence[Waiting], counts: Counts) -> Outcome:
        """One row per key: rows of keys that lose a replaced file are chosen anew from all that remains of them."""
        self._make("lost_keys", f"SELECT DISTINCT {self._keys} FROM ({self._stored()}) WHERE {self._loses(waiting)}")
        self._make("untouched", f"SELECT * FROM accepted ANTI JOIN lost_keys USING ({self._keys})")
        self._make("stored", f"SELECT * FROM ({self._stored()}) SEMI JOIN untouched USING ({self._keys})")
        merged = merge(self.connection, self.contract, "untouched", "stored", history=partial(self._history, waiting))
        self._make("leaving", _places("stored", merged.replaced))
        decided = counts + merged.counts
        inserted: tuple[str, ...] = (merged.insert,)
        if self._number("SELECT count(*) FROM lost_keys"):
            chosen, fates = self._chosen_anew(waiting)
            decided, inserted = decided + fates, (merged.insert, chosen.insert)
        return Outcome(self, replace(decided, rows_in=counts.rows_in, accepted=0), inserted, _replaced(waiting))

    def _chosen_anew(self, waiting: Sequence[Waiting]) -> tuple[Merged, Counts]:
        """The winners of keys that lost a version, and what became of the pending rows among theirs."""
        self._make("touched", f"SELECT * FROM accepted SEMI JOIN lost_keys USING ({self._keys})")
        self._make("losing", f"SELECT * FROM ({self._stored()}) SEMI JOIN lost_keys USING ({self._keys})")
        chosen = recompute(self.connection, self.contract, self._history(waiting, "lost_keys"), "losing")
        fates = count_fates(
            self.connection, self.contract, "touched", "losing", insert=chosen.insert, replaced=chosen.replaced
        )
        self.connection.execute(f"INSERT INTO leaving {_places('losing', chosen.replaced)}")
        return chosen, fates

    def _history(self, waiting: Sequence[Waiting], keys: str) -> str:
        """A table with every accepted version of `keys` in bronze, of all files that stand."""
        number = next(self.numbers)
        versions = [
            self._check(f"history_{number}_{index}", part, since=0).accepted for index, part in enumerate(waiting)
        ]
        name = f"versions_{number}"
        self._make(name, f"SELECT * FROM ({_union(versions)}) SEMI JOIN {quote(keys)} USING ({self._keys})")
        return name

    @property
    def _keys(self) -> str:
        return ", ".join(["_tenant", *map(quote, self.contract.key)])

    def _loses(self, waiting: Sequence[Waiting]) -> str:
        """SQL: a silver row belongs to a file that a higher version has replaced since silver took it."""
        sources = [part for part in waiting if part.newly_replaced and not self.rebuild]
        conditions = [_of_files(part, part.newly_replaced) for part in sources]
        return " OR ".join(conditions) or "FALSE"

    def _stored(self) -> str:
        """SELECT of silver as it is (nothing, when all of it is made anew), with the data file of each row."""
        files = () if self.rebuild else self.silver.files
        return read_scan([file.path for file in files], self.silver.columns, origin="_path")

    def _define(self, name: str, query: str) -> None:
        self.connection.execute(f"CREATE TEMP VIEW {quote(name)} AS {query}")

    def _make(self, name: str, query: str) -> None:
        self.connection.execute(f"CREATE TEMP TABLE {quote(name)} AS {query}")

    def _number(self, query: str) -> int:
        return int(self.connection.execute(query).fetchall()[0][0])


@dataclass
class Outcome:
    """What one pass decided: relations of rows that enter silver, and the table `leaving` of those that go."""

    work: Conforming
    decided: Counts
    inserted: tuple[str, ...]
    replaced_files: tuple[str, ...]  # SQL: a row belongs to a file that a newer one has replaced

    @property
    def replaced(self) -> int:
        """Rows that leave silver for better ones."""
        if self.work.rebuild:
            return sum(file.rows for file in self.work.silver.files)
        return self._number("SELECT count(*) FROM leaving")

    @cached_property
    def revived(self) -> int:
        """Entering rows that are not among the pending ones: earlier versions that stand again."""
        return self._number(
            f"SELECT count(*) FROM ({_union(self.inserted)}) ANTI JOIN accepted USING (_file_id, _line)"
        )

    def write(self, change: TableChange) -> int:
        """Append what enters silver and rewrite the data files that lose rows; gives the rows that entered."""
        columns = ", ".join(quote(column.name) for column in self.work.silver.columns)
        written = change.append(self._reader(f"SELECT {columns} FROM ({_union(self.inserted)})"))
        losing = self._losing()
        if losing and not self.work.rebuild:
            kept = read_scan([file.path for file in losing], self.work.silver.columns)
            change.append(self._reader(f"SELECT {columns} FROM ({kept}) ANTI JOIN leaving USING (_file_id, _line)"))
        change.remove(losing)
        return written

    def write_rejected(self, change: TableChange, quarantine: Scan) -> int:
        """Append refused rows; gives how many.

        Open rows of files that a newer one has replaced become `superseded`, as if they had never been judged. A
        rebuild judges all rows anew, so earlier verdicts of the contract go.
        """
        names = [quote(column.name) for column in quarantine.columns]
        if stale := self._stale(quarantine):
            paths = [file.path for file in stale]
            columns = ", ".join(f"{self._status} AS status" if name == '"status"' else name for name in names)
            kept = "WHERE stage = 'parse'" if self.work.rebuild else ""
            change.append(self._reader(f"SELECT {columns} FROM ({read_scan(paths, quarantine.columns)}) {kept}"))
            change.remove(stale)
        return change.append(self._reader(f"SELECT {', '.join(names)} FROM rejected"))

    def _stale(self, quarantine: Scan) -> list[DataFile]:
        """Data files of quarantine that have to be written anew."""
        if self.work.rebuild:
            return list(quarantine.files)
        rows = read_scan([file.path for file in quarantine.files], quarantine.columns, origin="_path")
        found = self.work.connection.execute(f"SELECT DISTINCT _path FROM ({rows}) WHERE {self._outdated}").fetchall()
        paths = {row[0] for row in found}
        return [file for file in quarantine.files if file.path in paths]

    @property
    def _outdated(self) -> str:
        return f"status = 'open' AND ({' OR '.join(self.replaced_files) or 'FALSE'})"

    @property
    def _status(self) -> str:
        return f"CASE WHEN {self._outdated} THEN 'superseded' ELSE status END"

    def counts(self, *, accepted: int, quarantined: int) -> Counts:
        """All counts: what was written by the writers' own count, the rest as decided."""
        return self.decided + Counts(accepted=accepted - self.revived, quarantined=quarantined)

    def _losing(self) -> list[DataFile]:
        """Data files of silver with a row that leaves."""
        if self.work.rebuild:
            return list(self.work.silver.files)
        paths = {row[0] for row in self.work.connection.execute("SELECT DISTINCT _path FROM leaving").fetchall()}
        return [file for file in self.work.silver.files if file.path in paths]

    def _number(self, query: str) -> int:
        return int(self.work.connection.execute(query).fetchall()[0][0])

    def _reader(self, query: str) -> pa.RecordBatchReader:
        return self.work.connection.sql(query).to_arrow_reader(ARROW_ROWS)


def _places(stored: str, goes: str) -> str:
    """SELECT of where the rows of `stored` are that `goes` names."""
    return f"SELECT _file_id, _line, _path FROM {quote(stored)} SEMI JOIN {quote(goes)} USING (_file_id, _line)"


def _replaced(waiting: Sequence[Waiting]) -> tuple[str, ...]:
    return tuple(_of_files(part, part.replaced) for part in waiting if part.replaced)


def _of_files(part: Waiting, files: Iterable[str]) -> str:
    return f"(_source = {literal(part.source.name)} AND _file_id IN {_texts(files)})"


def _union(relations: Iterable[str]) -> str:
    return " UNION ALL ".join(f"SELECT * FROM {quote(relation)}" for relation in relations)


def _texts(values: Iterable[str]) -> str:
    """A SQL list of texts; never empty, for `IN ()` is not SQL."""
    return f"({', '.join(literal(value) for value in ['', *sorted(values)])})"
