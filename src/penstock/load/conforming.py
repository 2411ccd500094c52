"""One pass over pending bronze rows in DuckDB."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count

import duckdb
import pyarrow as pa

from penstock.conform.batch import Conformed, Conformer
from penstock.conform.columns import SYSTEM, VERSION, has_opened, pseudonym_domains
from penstock.conform.counts import Counts
from penstock.conform.dedupe import Merged, merge, recompute
from penstock.conform.fates import count_fates
from penstock.lake.table import DataFile, Scan
from penstock.load.leaving import LEAVING, placed
from penstock.load.near import near
from penstock.load.outcome import Outcome, union
from penstock.load.snapshots import Snapshots
from penstock.load.waiting import FILE_VERSIONS, Waiting
from penstock.spec.contract import Contract
from penstock.spec.source import Reading
from penstock.sql.names import quote
from penstock.sql.scan import read_scan

_REPLACED = "replaced_files USING (_file_id)"
_NEWLY_REPLACED = "(SELECT _file_id FROM replaced_files WHERE newly) USING (_file_id)"


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
    snapshots: Scan | None = None
    sightings: Snapshots | None = None
    numbers: Iterator[int] = field(default_factory=count)

    def conform(self, waiting: Sequence[Waiting]) -> Outcome:
        """Hold every pending row to the contract and decide what silver becomes."""
        self._note_replaced(waiting)
        self._note_versions(waiting)
        checked = [self._pending(number, part) for number, part in enumerate(waiting)] or [self._nothing()]
        if self.snapshots is not None and waiting:
            (part,), (one,) = waiting, checked  # nothing else feeds a dataset of snapshots
            anew = self.rebuild or part.since == 0
            self.sightings = Snapshots(self.connection, self.contract, self.snapshots, part, anew)
            self.sightings.sight(self._conformer(part.source.reading), one.every)
        counts = Counts()
        for part, one in zip(waiting, checked, strict=False):
            counts += Counts(
                rows_in=self._number(f"SELECT count(*) FROM ({part.pending_rows})"),
                superseded=self._superseded(part),
                filtered=one.counts.filtered,
            )
        self._define("accepted", union(one.accepted for one in checked))
        self._define("rejected", union(one.rejected for one in checked))
        discarded = _sum(one.discarded for one in checked)
        if self.contract.identity:
            return self._merged(waiting, counts, discarded)
        self._make("leaving", f"SELECT {LEAVING} FROM ({self._losers})")
        return self._outcome(waiting, counts, ("accepted",), discarded)

    def _note_replaced(self, waiting: Sequence[Waiting]) -> None:
        """Make the table of all files that a higher version has replaced; `newly`: silver may hold their rows."""
        ids = [(file_id, part) for part in waiting for file_id in sorted(part.replaced)]
        newly = [file_id in part.newly_replaced and not self.rebuild for file_id, part in ids]
        table = pa.table(
            {
                "_file_id": pa.array([file_id for file_id, _ in ids], pa.string()),
                "newly": pa.array(newly, pa.bool_()),
            }
        )
        self._list("replaced_files", "_file_id VARCHAR, newly BOOLEAN", table)

    def _note_versions(self, waiting: Sequence[Waiting]) -> None:
        """Make the table of the versions that files say as a whole."""
        files = [file for part in waiting if part.source.delivery.version for file in part.files]
        table = pa.table(
            {
                "_file_id": pa.array([file.file_id for file in files], pa.string()),
                VERSION: pa.array([file.version for file in files], pa.string()),
            }
        )
        self._list(FILE_VERSIONS, f"_file_id VARCHAR, {VERSION} VARCHAR", table)

    def _pending(self, number: int, part: Waiting) -> Conformed:
        """Conform the pending rows that no newer file has replaced."""
        name = f"incoming_{number}"
        self._define(name, f"SELECT * FROM ({part.pending_rows}) ANTI JOIN {_REPLACED}")
        return self._conformer(part.source.reading).check(self.connection, name)

    def _nothing(self) -> Conformed:
        """What a dataset without any source has."""
        system = [column for column in self.silver.columns if column.name in SYSTEM]
        self._define("incoming", read_scan([], system))
        return self._conformer(Reading()).check(self.connection, "incoming")

    def _conformer(self, reading: Reading) -> Conformer:
        return Conformer(
            self.contract,
            reading,
            tenant=self.tenant,
            pseudonym_key=self.pseudonym_key,
            domains=pseudonym_domains(self.contract, self.contracts),
        )

    def _merged(self, waiting: Sequence[Waiting], counts: Counts, discarded: Mapping[str, int]) -> Outcome:
        """One row per key: rows of keys that lose a replaced file are chosen anew from all that remains of them."""
        lost = self._lose(waiting)
        self._define("untouched", "FROM accepted" + (f" ANTI JOIN lost_keys USING ({self._keys})" if lost else ""))
        self._make("stored", self._stored_with("untouched"))
        merged = merge(self.connection, self.contract, "untouched", "stored", history=partial(self._history, waiting))
        self._make("leaving", _places("stored", merged.replaced))
        decided = counts + merged.counts
        inserted: tuple[str, ...] = (merged.insert,)
        if lost:
            chosen, fates = self._chosen_anew(waiting)
            decided, inserted = decided + fates, (merged.insert, chosen.insert)
        return self._outcome(waiting, replace(decided, rows_in=counts.rows_in, accepted=0), inserted, discarded)

    def _lose(self, waiting: Sequence[Waiting]) -> int:
        """Make the table of the keys that lose a version, where there can be any; gives their number."""
        if self.rebuild or not any(part.newly_replaced for part in waiting):
            return 0
        self._make("lost_keys", " UNION ".join([f"SELECT {self._keys} FROM ({self._losers})", *self._lost(waiting)]))
        return self._number("SELECT count(*) FROM lost_keys")

    def _superseded(self, part: Waiting) -> int:
        """The pending rows of files that a higher version has replaced."""
        if not part.replaced:
            return 0
        return self._number(f"SELECT count(*) FROM ({part.pending_rows}) SEMI JOIN {_REPLACED}")

    def _lost(self, waiting: Sequence[Waiting]) -> Iterator[str]:
        """SELECTs of the keys that lose a version which silver does not hold, but which may have opened its window."""
        if not has_opened(self.contract):
            return
        for part in waiting:
            if part.newly_replaced:
                name = f"lost_{next(self.numbers)}"
                rows = f"SELECT * FROM ({part.rows(0, part.since)}) SEMI JOIN {_NEWLY_REPLACED}"
                self._make(name, rows)
                accepted = self._conformer(part.source.reading).check(self.connection, name).accepted
                yield f"SELECT {self._keys} FROM {quote(accepted)}"

    def _chosen_anew(self, waiting: Sequence[Waiting]) -> tuple[Merged, Counts]:
        """The winners of keys that lost a version, and what became of the pending rows among theirs."""
        self._make("touched", f"SELECT * FROM accepted SEMI JOIN lost_keys USING ({self._keys})")
        self._make("losing", self._stored_with("lost_keys"))
        chosen = recompute(self.connection, self.contract, self._history(waiting, "lost_keys"), "losing")
        fates = count_fates(
            self.connection, self.contract, "touched", "losing", insert=chosen.insert, replaced=chosen.replaced
        )
        self.connection.execute(f"INSERT INTO leaving {_places('losing', chosen.replaced)}")
        return chosen, fates

    def _history(self, waiting: Sequence[Waiting], keys: str) -> str:
        """A table with every accepted version of `keys` in bronze, of all files that stand."""
        number = next(self.numbers)
        versions = [self._versions(f"history_{number}_{index}", part, keys) for index, part in enumerate(waiting)]
        name = f"versions_{number}"
        self._make(name, f"SELECT * FROM ({union(versions)}) SEMI JOIN {quote(keys)} USING ({self._keys})")
        return name

    def _versions(self, name: str, part: Waiting, keys: str) -> str:
        """The accepted rows of one source: bronze is read for its keys first, then the few rows that have them."""
        conformer = self._conformer(part.source.reading)
        everything = f"{name}_all"
        self._define(everything, f"SELECT * FROM ({part.rows(0, part.until)}) ANTI JOIN {_REPLACED}")
        typed = conformer.plan(part.columns).typed(everything)
        places = f"SELECT _file_id, _line FROM ({typed}) SEMI JOIN {quote(keys)} USING ({self._keys})"
        self._make(name, f"SELECT * FROM {quote(everything)} SEMI JOIN ({places}) USING (_file_id, _line)")
        return conformer.check(self.connection, name).accepted

    def _outcome(
        self, waiting: Sequence[Waiting], decided: Counts, inserted: tuple[str, ...], discarded: Mapping[str, int]
    ) -> Outcome:
        return Outcome(self.connection, self.contract, self.silver, self.rebuild, waiting, decided, inserted, discarded)

    @property
    def _keys(self) -> str:
        return ", ".join(["_tenant", *map(quote, self.contract.identity)])

    @property
    def _losers(self) -> str:
        """SELECT of silver's rows of files that a higher version has replaced since silver took them."""
        return f"SELECT * FROM ({placed(self._files, self.silver.columns)}) SEMI JOIN {_NEWLY_REPLACED}"

    def _stored_with(self, keys: str) -> str:
        """SELECT of silver's rows that have one of the `keys`, with the data file of each: the footers of files tell
        which may have one, and the columns of the key alone which of these do, so that most are not read."""
        same = f"SEMI JOIN {quote(keys)} USING ({self._keys})"
        of_key = [column for column in self.silver.columns if column.name in ("_tenant", *self.contract.identity)]
        files = near(self.connection, self.contract, self._files, self.silver.columns, keys)
        places = f"SELECT DISTINCT _path FROM ({read_scan(files, of_key, origin='_path')}) {same}"
        paths = {path for (path,) in self.connection.execute(places).fetchall()}
        files = [file for file in files if file.path in paths]
        return f"SELECT * FROM ({placed(files, self.silver.columns)}) {same}"

    @property
    def _files(self) -> Sequence[DataFile]:
        """Those of silver as it is: none, when all of it is made anew."""
        return () if self.rebuild else self.silver.files

    def _define(self, name: str, query: str) -> None:
        self.connection.execute(f"CREATE TEMP VIEW {quote(name)} AS {query}")

    def _make(self, name: str, query: str) -> None:
        self.connection.execute(f"CREATE TEMP TABLE {quote(name)} AS {query}")

    def _list(self, name: str, columns: str, rows: pa.Table) -> None:
        """Make a table of values from Python, of which there are mostly none."""
        self.connection.execute(f"CREATE TEMP TABLE {quote(name)} ({columns})")
        if rows.num_rows:
            self.connection.register("listed", rows)
            self.connection.execute(f"INSERT INTO {quote(name)} BY NAME SELECT * FROM listed")
            self.connection.unregister("listed")

    def _number(self, query: str) -> int:
        return int(self.connection.execute(query).fetchall()[0][0])


def _places(stored: str, goes: str) -> str:
    """SELECT of where the rows of `stored` are that `goes` names."""
    return f"SELECT {LEAVING} FROM {quote(stored)} SEMI JOIN {quote(goes)} USING (_file_id, _line)"


def _sum(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return dict(sorted(total.items()))
