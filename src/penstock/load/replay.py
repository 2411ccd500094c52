"""Malformed lines read again as the source is declared now: what has become a row goes the usual road."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256

import duckdb
import pyarrow as pa

from penstock.conform.counts import Counts
from penstock.errors import SourceError
from penstock.ingest.batch import LINE
from penstock.ingest.column import column_names
from penstock.ingest.reading import parse_lines
from penstock.lake.change import TableChange
from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.lake.ledger import ledger_spec
from penstock.lake.records import SETTLED
from penstock.lake.table import Scan
from penstock.load.conservation import check_conserved
from penstock.load.header import check_frozen, renamed, source_columns, spelled
from penstock.load.origin import Origin
from penstock.load.tables import arrow_schema, bronze_name, bronze_spec, quarantine_spec
from penstock.spec.contract import Contract
from penstock.spec.project import Project
from penstock.spec.source import Source
from penstock.sql.connection import connect
from penstock.sql.names import literal, quote
from penstock.sql.scan import read_scan
from penstock.world import World

OPEN = "stage = 'parse' AND status = 'open'"


@dataclass(frozen=True)
class Reread:
    """Lines of one source that were tried: `parsed` are rows of bronze now, the others stay as they are."""

    source: str
    tried: int
    parsed: int


def reread(lake: Lake, project: Project, source: Source, *, lease: Lease, world: World) -> Reread:
    """Read the open malformed lines of `source` again; rows, positions and quarantine move in one commit."""
    contract = project.contracts[source.dataset]
    quarantine = lake.ensure(quarantine_spec(contract.dataset), lease=lease)
    before = lake.spec(bronze_name(source.name))
    if before is None:
        return Reread(source.name, 0, 0)
    scan = lake.scan_head(quarantine)
    with connect() as connection:
        rows = read_scan(scan.files, scan.columns, origin="_path")
        connection.execute(f"CREATE TEMP TABLE refused AS SELECT * FROM ({rows}) WHERE {_of(source)}")
        tried = _number(connection, "SELECT count(*) FROM refused")
        files = list(_parsed(connection, contract, source))
        parsed = sum(file.rows.num_rows for file in files)
        if parsed == 0:
            return Reread(source.name, tried, 0)
        names = [name for file in files for name in file.rows.column_names if name != LINE]
        spec = bronze_spec(contract, source, spelled(source_columns(before), names), before=before)
        bronze, ledger = lake.ensure(spec, lease=lease), lake.ensure(ledger_spec(source.name), lease=lease)
        batch = int(lake.position(bronze, source.name) or 0) + 1
        now = world.clock.now()
        with lake.stage(lease=lease, token=_token(source, batch, files)) as commit:
            change = commit.table(bronze)
            schema = arrow_schema(spec)
            written = 0
            for file in files:
                origin = Origin(project.tenant, source.name, file.path, file.file_id, now, batch)
                written += change.append(origin.complete(renamed(file.rows, schema.names), schema))
            _mark_replayed(connection, commit.table(quarantine), scan, files)
            for moved in (change, commit.table(ledger)):
                moved.position(source.name, str(batch))
            counts = Counts(parsed, accepted=written)
            check_conserved(counts, where=bronze.name)
            change.summary("counts", json.dumps(asdict(counts)))
            facts = {"table": bronze.name, "batch": batch, "files": 0, "at": now.isoformat()}
            commit.record("batch", f"{bronze.name}/{world.ids.new()}", facts | asdict(counts))
            commit.apply()
    return Reread(source.name, tried, parsed)


@dataclass(frozen=True)
class _Parsed:
    """Lines of one file that are rows now: its columns as strings, with `_line`."""

    path: str
    file_id: str
    rows: pa.Table


def _of(source: Source) -> str:
    return f"{OPEN} AND raw IS NOT NULL AND _source = {literal(source.name)}"


def _parsed(connection: duckdb.DuckDBPyConnection, contract: Contract, source: Source) -> Iterator[_Parsed]:
    """What has become rows, file by file; columns that a frozen contract does not name are refused as ever."""
    files = connection.execute(
        "SELECT _file, _file_id, row, list((_line, raw) ORDER BY _line) FROM refused GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    for path, file_id, header, lines in files:
        rows = parse_lines(source, lines, _columns(source, header)).rows
        try:
            check_frozen(contract, source, [name for name in rows.column_names if name != LINE], where=path)
        except SourceError:
            continue
        if rows.num_rows:
            yield _Parsed(path, file_id, rows)


def _columns(source: Source, header: str | None) -> tuple[str, ...]:
    """The columns of a file: as declared now where it has no header, else as its header named them."""
    if not source.csv.header and source.csv.columns is not None:
        return column_names(source.csv.columns)
    return tuple(json.loads(header or "[]"))


def _mark_replayed(
    connection: duckdb.DuckDBPyConnection, change: TableChange, scan: Scan, files: Sequence[_Parsed]
) -> None:
    """Write the data files of quarantine anew that hold a line which was read, with that line marked `replayed`."""
    ids = pa.array([file.file_id for file in files for _ in range(file.rows.num_rows)], pa.string())
    lines = pa.chunked_array([chunk for file in files for chunk in file.rows[LINE].chunks], pa.int64())
    connection.register("lines_read", pa.table({"_file_id": ids, "_line": lines}))
    connection.execute("CREATE TEMP TABLE read_again AS SELECT * FROM lines_read")
    places = "SELECT DISTINCT _path FROM refused SEMI JOIN read_again USING (_file_id, _line)"
    paths = {row[0] for row in connection.execute(places).fetchall()}
    losing = [file for file in scan.files if file.path in paths]
    again = f"{OPEN} AND (_file_id, _line) IN (SELECT _file_id, _line FROM read_again)"
    status = f"CASE WHEN {again} THEN 'replayed' ELSE status END AS status"
    columns = ", ".join(status if column.name == "status" else quote(column.name) for column in scan.columns)
    query = f"SELECT {columns} FROM ({read_scan(losing, scan.columns)})"
    change.append(connection.sql(query).to_arrow_reader(100_000))
    change.remove(losing)
    everything = read_scan(scan.files, scan.columns)
    settled = _number(connection, f"SELECT count(*) FROM ({everything}) WHERE status <> 'open' OR ({again})")
    change.property(SETTLED, str(settled))


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(query).fetchall()[0][0])


def _token(source: Source, batch: int, files: Sequence[_Parsed]) -> str:
    parts = [f"{file.file_id} {file.rows[LINE].to_pylist()}" for file in files]
    return sha256("\n".join([source.name, "replay", str(batch), *parts]).encode()).hexdigest()
