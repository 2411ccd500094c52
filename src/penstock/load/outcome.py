"""What one pass over pending rows decided: what enters silver, what leaves it, what quarantine says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import duckdb
import pyarrow as pa

from penstock.conform.columns import OPENED, ROW_HASH, SYSTEM, has_opened
from penstock.conform.counts import Counts
from penstock.lake.change import TableChange
from penstock.lake.records import SETTLED
from penstock.lake.table import DataFile, Scan
from penstock.load.conflicts import Contradiction
from penstock.load.leaving import Losing, losing
from penstock.load.near import spanned
from penstock.load.waiting import Waiting
from penstock.spec.contract import Contract
from penstock.sql.names import literal, quote
from penstock.sql.scan import read_scan

ARROW_ROWS = 100_000


@dataclass
class Outcome:
    """What one pass decided: relations of rows that enter silver, and the table `leaving` of those that go."""

    connection: duckdb.DuckDBPyConnection
    contract: Contract
    silver: Scan
    rebuild: bool
    waiting: Sequence[Waiting]
    decided: Counts
    inserted: tuple[str, ...]
    discarded: Mapping[str, int]

    @cached_property
    def replaced(self) -> int:
        """Rows that leave silver for better ones."""
        if self.rebuild:
            return self.silver.rows
        return self._number("SELECT count(*) FROM leaving")

    @cached_property
    def revived(self) -> int:
        """Entering rows that are not among the pending ones: earlier versions that stand again."""
        return self._number(f"SELECT count(*) FROM ({union(self.inserted)}) ANTI JOIN accepted USING (_file_id, _line)")

    def contradictions(self) -> tuple[Contradiction, ...]:
        """Files of versions of keys that differ from those which stand, where nothing but their content decides."""
        by_content = self.contract.dedupe.order_by in (None, self.contract.history)
        some = self.decided.superseded > 0 or (not self.rebuild and self.replaced > 0)
        if self.contract.history is None or not by_content or not some:
            return ()
        key = ", ".join(["_tenant", *map(quote, self.contract.identity)])
        names = f"{key}, _file, {ROW_HASH}"
        stands = f"SELECT {names} FROM ({union(self.inserted)}) UNION ALL SELECT {names} FROM stored"
        stands += " ANTI JOIN leaving USING (_file_id, _line)"
        found = self.connection.execute(
            f"SELECT holds._file, other._file, count(*)"
            f" FROM (SELECT {names} FROM accepted UNION ALL SELECT {names} FROM stored) AS other"
            f" JOIN ({stands}) AS holds USING ({key}) WHERE holds.{ROW_HASH} <> other.{ROW_HASH} GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        return tuple(Contradiction(*row) for row in found)

    def write(self, change: TableChange) -> int:
        """Append what enters silver and take out what leaves it; gives the rows that entered."""
        columns = ", ".join(quote(column.name) for column in self.silver.columns)
        spans = spanned(self.contract, self.silver.columns)
        written = change.append(self._reader(f"SELECT {self._entering} FROM ({union(self.inserted)})"), spans=spans)
        losing = self._losing()
        if losing.anew and not self.rebuild:
            kept = read_scan(losing.anew, self.silver.columns)
            stay = f"SELECT {columns} FROM ({kept}) ANTI JOIN leaving USING (_file_id, _line)"
            change.append(self._reader(stay), spans=spans)
        change.remove(losing.anew)
        if losing.thinned:
            paths = _texts(file.path for file in losing.thinned)
            places = f"SELECT _path AS file_path, _pos AS pos FROM leaving WHERE _path IN {paths}"
            change.take_out(self.connection.sql(places).to_arrow_table())
        return written

    @property
    def _entering(self) -> str:
        """The columns of silver; one that the contract has no more (hash or `_opened`, without a key) is empty."""
        made = {column.name for column in self.contract.columns} | set(SYSTEM)
        made |= {ROW_HASH} if self.contract.identity else set()
        made |= {OPENED} if has_opened(self.contract) else set()
        return ", ".join(
            quote(column.name) if column.name in made else f"CAST(NULL AS {column.duckdb_type}) AS {quote(column.name)}"
            for column in self.silver.columns
        )

    def write_rejected(self, change: TableChange, quarantine: Scan) -> int:
        """Append refused rows; gives how many.

        Open rows of files that a newer one has replaced, or of sources that are not declared any more, become
        `superseded`, as if they had never been judged; where all of a source is judged anew, lines of files that
        stand are open again. A rebuild judges all rows anew, so earlier verdicts of the contract go.
        """
        names = [quote(column.name) for column in quarantine.columns]
        if stale := self._stale(quarantine):
            change.property(SETTLED, str(self._number(f"SELECT count(*) FROM ({self._standing(quarantine)})")))
            columns = ", ".join(f"{self._status} AS status" if name == '"status"' else name for name in names)
            change.append(self._reader(f"SELECT {columns} FROM ({read_scan(stale, quarantine.columns)}) {self._kept}"))
            change.remove(stale)
        return change.append(self._reader(f"SELECT {', '.join(names)} FROM rejected"))

    @property
    def _kept(self) -> str:
        return "WHERE stage = 'parse'" if self.rebuild else ""

    def _standing(self, quarantine: Scan) -> str:
        """SELECT of the earlier rows that stay and are not open any more."""
        rows = read_scan(quarantine.files, quarantine.columns)
        return f"SELECT * FROM (SELECT {self._status} AS status FROM ({rows}) {self._kept}) WHERE status <> 'open'"

    def _stale(self, quarantine: Scan) -> list[DataFile]:
        """Data files of quarantine that have to be written anew."""
        if self.rebuild:
            return list(quarantine.files)
        if not any(part.replaced or part.since == 0 for part in self.waiting):
            return []
        rows = read_scan(quarantine.files, quarantine.columns, origin="_path")
        changing = f"SELECT DISTINCT _path FROM ({rows}) WHERE status IS DISTINCT FROM {self._status}"
        paths = {row[0] for row in self.connection.execute(changing).fetchall()}
        return [file for file in quarantine.files if file.path in paths]

    @property
    def _status(self) -> str:
        declared = _texts(part.source.name for part in self.waiting)
        anew = _texts(part.source.name for part in self.waiting if part.since == 0)
        gone = f"(_source NOT IN {declared} OR _file_id IN (SELECT _file_id FROM replaced_files))"
        back = f"(stage = 'parse' AND _source IN {anew} AND NOT {gone})"
        return (
            f"CASE WHEN status = 'open' AND {gone} THEN 'superseded'"
            f" WHEN status = 'superseded' AND {back} THEN 'open' ELSE status END"
        )

    def counts(self, *, accepted: int, quarantined: int) -> Counts:
        """All counts: what was written by the writers' own count, the rest as decided."""
        return self.decided + Counts(accepted=accepted - self.revived, quarantined=quarantined)

    def _losing(self) -> Losing:
        """Data files of silver with a row that leaves."""
        if self.rebuild:
            return Losing(anew=self.silver.files)
        return losing(self.connection, self.silver.files, "leaving")

    def _number(self, query: str) -> int:
        return int(self.connection.execute(query).fetchall()[0][0])

    def _reader(self, query: str) -> pa.RecordBatchReader:
        return self.connection.sql(query).to_arrow_reader(ARROW_ROWS)


def union(relations: Iterable[str]) -> str:
    """SELECT of all rows of relations with the same columns."""
    return " UNION ALL ".join(f"SELECT * FROM {quote(relation)}" for relation in relations)


def _texts(values: Iterable[str]) -> str:
    """A SQL list of texts; never empty, for `IN ()` is not SQL."""
    return f"({', '.join(literal(value) for value in ['', *sorted(values)])})"
