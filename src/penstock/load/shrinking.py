"""A snapshot that misses too many keys of the one before it is most likely broken, and is refused before it deletes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

import duckdb
import pyarrow as pa

from penstock.conform.batch import Conformer
from penstock.conform.columns import SYSTEM, VERSION, resolve
from penstock.errors import SourceError
from penstock.ingest.file import FoundFile, KnownFile
from penstock.lake.table import Scan
from penstock.load.ledger import may_hold
from penstock.spec.contract import Contract, Dedupe
from penstock.spec.source import DeliveryMode, Source
from penstock.sql.connection import connect
from penstock.sql.names import quote
from penstock.sql.scan import read_scan

Moment = date | datetime


@dataclass(frozen=True)
class _Part:
    """A file of a snapshot. `file` is None when it was taken before."""

    file_id: str
    path: str
    moment: Moment
    file: FoundFile | None = None


@dataclass
class Shrinking:
    """Watches over the keys of the files of one commit, as they are written; `columns` are those of bronze."""

    source: Source
    contract: Contract
    columns: Sequence[str]
    read: list[pa.Table] = field(default_factory=list)

    @classmethod
    def watch(cls, source: Source, contract: Contract, columns: Sequence[str]) -> Shrinking | None:
        """None where nothing can be deleted, or all may be."""
        delivery = source.delivery
        watched = delivery.mode is DeliveryMode.SNAPSHOT and delivery.max_deleted < 1
        return cls(source, contract, columns) if watched else None

    def note(self, rows: pa.Table) -> None:
        """Rows as bronze will have them."""
        self.read.append(rows.select([*self._named(), "_file_id"]))

    def refused(
        self, arrived: Sequence[FoundFile], known: Sequence[KnownFile], bronze: Scan
    ) -> tuple[FoundFile, SourceError] | None:
        """The first file, by moment, between which and its neighbours too many keys go; what was taken before stands."""
        with connect() as connection:
            new, standing = self._parts(connection, arrived, known)
            near = _neighbours(new, standing)
            self._gather(connection, bronze, [file for file in known if file.file_id in near])
            for part in sorted(new, key=lambda one: (one.moment, one.path)):
                own = [one for one in (*standing, part) if one.moment == part.moment]
                before = max((one.moment for one in standing if one.moment < part.moment), default=None)
                after = min((one.moment for one in standing if one.moment > part.moment), default=None)
                for first, second in ((_of(standing, before), own), (own, _of(standing, after))):
                    error = self._judged(connection, first, second, part)
                    if error is not None and part.file is not None:
                        return part.file, error
                standing.append(part)
        return None

    def _parts(
        self, connection: duckdb.DuckDBPyConnection, arrived: Sequence[FoundFile], known: Sequence[KnownFile]
    ) -> tuple[list[_Part], list[_Part]]:
        """New and standing files that say their moment."""
        files: list[FoundFile | KnownFile] = [*arrived, *known]
        moments = self._moments(connection, [file.version for file in files])
        parts = [
            _Part(file.file_id, file.path, moment, file if isinstance(file, FoundFile) else None)
            for file, moment in zip(files, moments, strict=True)
            if moment is not None
        ]
        return [part for part in parts if part.file is not None], [part for part in parts if part.file is None]

    def _moments(self, connection: duckdb.DuckDBPyConnection, versions: Sequence[str | None]) -> list[Moment | None]:
        """The versions as values of their column, read as conform reads them."""
        name, reading = self.contract.history or "", self.source.reading
        column = VERSION if self.source.delivery.version_from_name else dict(reading.mapping).get(name, name)
        alone = replace(
            self.contract,
            columns=(self.contract.column(name),),
            key=(),
            dedupe=Dedupe(),
            rules=(),
            references=(),
            partitions=(),
        )
        numbered = pa.table(
            {"_line": pa.array(range(len(versions)), pa.int64()), column: pa.array(versions, pa.string())}
        )
        connection.register("versions_listed", numbered)
        system = ", ".join("_line" if one == "_line" else f"NULL AS {one}" for one in SYSTEM)
        connection.execute(f"CREATE TEMP VIEW versions AS SELECT {system}, {quote(column)} FROM versions_listed")
        plan = Conformer(alone, reading, tenant="", pseudonym_key=b"").plan((*SYSTEM, column))
        found = connection.execute(f"SELECT {quote(name)} FROM ({plan.typed('versions')}) ORDER BY _line").fetchall()
        return [moment for (moment,) in found]

    def _gather(self, connection: duckdb.DuckDBPyConnection, bronze: Scan, known: Sequence[KnownFile]) -> None:
        """Make the table of the keys of every file that counts, as text."""
        sources = resolve(self.contract, self.source.reading, self.columns).sources
        keys = [f"coalesce({', '.join(map(quote, sources[name]))})" for name in self.contract.key if name in sources]
        key = f"[{', '.join(keys)}]"
        names = [column.name for column in bronze.columns]
        batches = {file.batch for file in known}
        scan = read_scan((file for file in bronze.files if may_hold(file, batches)), bronze.columns)
        missing = [f"CAST(NULL AS VARCHAR) AS {quote(name)}" for name in self._named() if name not in names]
        stored = f"SELECT {', '.join(['*', *missing])} FROM ({scan})"
        ids = pa.array([file.file_id for file in known], pa.string())
        connection.register("known_listed", pa.table({"_file_id": ids}))
        connection.register("read_listed", pa.concat_tables(self.read) if self.read else self._nothing())
        connection.execute(
            f"CREATE TEMP TABLE keys AS SELECT DISTINCT _file_id, {key} AS key FROM read_listed UNION"
            f" SELECT DISTINCT _file_id, {key} FROM ({stored}) SEMI JOIN known_listed USING (_file_id)"
        )

    def _judged(
        self, connection: duckdb.DuckDBPyConnection, first: Sequence[_Part], second: Sequence[_Part], part: _Part
    ) -> SourceError | None:
        before, after = ([one.file_id for one in parts] for parts in (first, second))
        if not before or not after:
            return None
        held = "SELECT DISTINCT key FROM keys WHERE list_contains(?, _file_id)"
        total, gone = connection.execute(
            f"SELECT count(*), count(*) FILTER (WHERE key NOT IN ({held})) FROM ({held})", [after, before]
        ).fetchall()[0]
        limit = self.source.delivery.max_deleted
        if gone <= limit * total or part.file is None:
            return None
        return SourceError(
            "The snapshot misses too many keys, which would all be deleted"
            if part in second
            else "Too many keys of the snapshot are missing from the one that follows it",
            where=str(part.file.absolute),
            expected=f"at most {limit:.4g} of the {total:,} keys of {first[0].path} missing from {second[0].path}",
            found=f"{gone:,} missing",
            remedy="Have it delivered again, or raise `delivery.max_deleted`. Nothing of it was taken.",
        )

    def _named(self) -> list[str]:
        sources = resolve(self.contract, self.source.reading, self.columns).sources
        return list(dict.fromkeys(column for name in self.contract.key for column in sources.get(name, ())))

    def _nothing(self) -> pa.Table:
        return pa.schema([(name, pa.string()) for name in (*self._named(), "_file_id")]).empty_table()


def _of(parts: Sequence[_Part], moment: Moment | None) -> list[_Part]:
    return [part for part in parts if part.moment == moment]


def _neighbours(new: Sequence[_Part], standing: Sequence[_Part]) -> set[str]:
    """The files taken before whose moments are next to, or the same as, one of the new."""
    moments: set[Moment] = set()
    for part in new:
        moments |= {max((one.moment for one in standing if one.moment < part.moment), default=part.moment)}
        moments |= {min((one.moment for one in standing if one.moment > part.moment), default=part.moment)}
        moments.add(part.moment)
    return {one.file_id for one in standing if one.moment in moments}
