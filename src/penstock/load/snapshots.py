"""Which keys every snapshot held: what `silver.<dataset>_snapshots` says, from which deletions are derived.

A refused row whose key could be read is a sighting too, for the key was there. Where it could not be read, nobody
knows which key was there: the moment of its file is not whole, and says nothing of keys it misses, until the row is
mended. All of it is a function of what bronze and quarantine hold, so the order of arrival decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import pyarrow as pa

from penstock.conform.batch import Conformer
from penstock.conform.columns import SYSTEM, VERSION
from penstock.lake.change import TableChange
from penstock.lake.table import Scan
from penstock.load.waiting import FILE_VERSIONS, Waiting
from penstock.spec.contract import Contract
from penstock.sql.names import literal, quote
from penstock.sql.scan import read_scan

ARROW_ROWS = 100_000
_SIGHTED, _MARKERS, _REFUSED, _BLIND, _HELD = "sighted", "markers", "refused_rows", "blind_files", "held_moments"


@dataclass
class Snapshots:
    """The sightings of one pass, and those that were there before: `stored`, or none where all is made anew."""

    connection: duckdb.DuckDBPyConnection
    contract: Contract
    stored: Scan
    part: Waiting
    anew: bool

    @property
    def moment(self) -> str:
        return quote(self.contract.history or "")

    def sight(self, conformer: Conformer, every: str) -> None:
        """Note the keys of the pending rows (`every`: typed, the refused ones too), and the files themselves."""
        identity = [quote(name) for name in self.contract.identity]
        known = " AND ".join(f"{name} IS NOT NULL" for name in identity)
        system = ", ".join(SYSTEM)
        rows = f"SELECT {', '.join(identity)}, {system} FROM {quote(every)} WHERE {known}"
        absent = [f"CAST(NULL AS {self._type(name)}) AS {quote(name)}" for name in self.contract.key]
        marks = self._markers(conformer)
        marked = f"SELECT {', '.join([*absent, self.moment])}, {system} FROM ({marks}) WHERE {self.moment} IS NOT NULL"
        self.connection.execute(f"CREATE TEMP TABLE {_SIGHTED} AS {rows} UNION ALL {marked}")

    def _markers(self, conformer: Conformer) -> str:
        """SELECT of a typed row for each pending file, line 0, of which only the version is known."""
        part = self.part
        found = conformer.plan(part.columns).resolution.sources.get(self.contract.history or "", (VERSION,))
        ledger = read_scan(part.ledger.files, part.ledger.columns)
        query = (
            f"SELECT {literal(conformer.tenant)} AS _tenant, {literal(part.source.name)} AS _source, path AS _file,"
            f" CAST(0 AS BIGINT) AS _line, file_id AS _file_id, ingested_at AS _ingested_at, batch AS _batch,"
            f" v.{VERSION} AS {quote(found[0])} FROM ({ledger}) AS l"
            f" JOIN {FILE_VERSIONS} AS v ON l.file_id = v._file_id"
            f" WHERE batch > {part.since} AND batch <= {part.until}"
        )
        self.connection.execute(f"CREATE TEMP VIEW {_MARKERS} AS {query}")
        return conformer.plan((*SYSTEM, found[0])).typed(_MARKERS)

    def write(self, change: TableChange, quarantine: Scan) -> tuple[str, ...]:
        """Append the sightings, and write those anew whose moment became whole, or is no longer; the moments of the
        source that are not whole."""
        self._judge(quarantine)
        columns = [column.name for column in self.stored.columns]
        whole = f"{self.moment} NOT IN (SELECT moment FROM {_HELD})"
        listed = ", ".join(f"{whole} AS is_whole" if name == "is_whole" else quote(name) for name in columns)
        change.append(self._reader(f"SELECT {listed} FROM {_SIGHTED}"))
        stale = list(self.stored.files)
        if not self.anew:
            changed = f"SELECT DISTINCT _path FROM ({self._before}) WHERE is_whole IS DISTINCT FROM ({whole})"
            paths = {row[0] for row in self.connection.execute(changed).fetchall()}
            stale = [file for file in self.stored.files if file.path in paths]
            kept = read_scan(stale, self.stored.columns)
            if stale:
                change.append(self._reader(f"SELECT {listed} FROM ({kept})"))
        change.remove(stale)
        moments = self.connection.execute(f"SELECT CAST(moment AS VARCHAR) FROM {_HELD} ORDER BY moment").fetchall()
        return tuple(moment for (moment,) in moments)

    def _judge(self, quarantine: Scan) -> None:
        """Make the tables of files with a refused row whose key is not known, and of the moments they belong to."""
        mine = f"_source = {literal(self.part.source.name)}"
        status = "stage = 'parse' AND status <> 'replayed'" if self.anew else "status = 'open'"
        refused = read_scan(quarantine.files, quarantine.columns)
        places = f"SELECT _file_id, _line FROM ({refused}) WHERE {mine} AND {status}"
        self._make(_REFUSED, f"{places} UNION ALL SELECT _file_id, _line FROM rejected")
        sightings = f"SELECT {self.moment} AS moment, _file_id, _line FROM {_SIGHTED}"
        if self._has_rows(_REFUSED):
            mine = f"_file_id IN (SELECT _file_id FROM {_REFUSED})"
            sightings += f" UNION ALL SELECT {self.moment}, _file_id, _line FROM ({self._before}) WHERE {mine}"
        self._make("sightings", sightings)
        self._make(_BLIND, f"SELECT DISTINCT _file_id FROM {_REFUSED} ANTI JOIN sightings USING (_file_id, _line)")
        self._make(_HELD, f"SELECT DISTINCT moment FROM sightings SEMI JOIN {_BLIND} USING (_file_id)")

    @property
    def _before(self) -> str:
        files = () if self.anew else self.stored.files
        return read_scan(files, self.stored.columns, origin="_path")

    def _type(self, name: str) -> str:
        return next(column.duckdb_type for column in self.stored.columns if column.name == name)

    def _make(self, name: str, query: str) -> None:
        self.connection.execute(f"CREATE TEMP TABLE {name} AS {query}")

    def _has_rows(self, name: str) -> bool:
        return bool(self.connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0])

    def _reader(self, query: str) -> pa.RecordBatchReader:
        return self.connection.sql(query).to_arrow_reader(ARROW_ROWS)
