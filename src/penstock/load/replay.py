"""Malformed lines read again as the source is declared now: what has become a row goes the usual road."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

import duckdb
import pyarrow as pa

from penstock.ingest.reading import parse_lines
from penstock.lake.change import TableChange
from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.lake.ledger import ledger_spec
from penstock.lake.table import Scan
from penstock.load.origin import Origin
from penstock.load.tables import arrow_schema, bronze_name, bronze_spec, quarantine_spec
from penstock.spec.project import Project
from penstock.spec.source import Source
from penstock.sql.connection import connect
from penstock.sql.names import literal
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
    columns = lake.spec(bronze_name(source.name))
    if columns is None:
        return Reread(source.name, 0, 0)
    scan = lake.scan_head(quarantine)
    with connect() as connection:
        rows = read_scan([file.path for file in scan.files], scan.columns)
        connection.execute(f"CREATE TEMP TABLE refused AS {rows}")
        tried = _number(connection, f"SELECT count(*) FROM refused WHERE {_of(source)}")
        batches = list(_parsed(connection, source))
        parsed = sum(rows.num_rows for _, rows in batches)
        if parsed == 0:
            return Reread(source.name, tried, 0)
        headers = [column.name for column in columns.columns if not column.name.startswith("_")]
        found = dict.fromkeys(headers) | dict.fromkeys(
            name for _, rows in batches for name in rows.column_names if name != "_line"
        )
        spec = bronze_spec(contract, source, tuple(found))
        bronze, ledger = lake.ensure(spec, lease=lease), lake.ensure(ledger_spec(source.name), lease=lease)
        batch = int(lake.position(bronze, source.name) or 0) + 1
        now = world.clock.now()
        with lake.stage(lease=lease, token=_token(source, batch, batches)) as commit:
            change = commit.table(bronze)
            for (file, file_id), rows in batches:
                origin = Origin(project.tenant, source.name, file, file_id, now, batch)
                change.append(origin.complete(rows, arrow_schema(spec)))
            _mark_replayed(connection, commit.table(quarantine), scan, batches)
            for moved in (change, commit.table(ledger)):
                moved.position(source.name, str(batch))
            facts = {"table": bronze.name, "batch": batch, "files": 0, "at": now.isoformat(), "accepted": parsed}
            commit.record("batch", f"{bronze.name}/{world.ids.new()}", facts)
            commit.apply()
    return Reread(source.name, tried, parsed)


def _of(source: Source) -> str:
    return f"{OPEN} AND _source = {literal(source.name)}"


def _parsed(connection: duckdb.DuckDBPyConnection, source: Source) -> Iterator[tuple[tuple[str, str], pa.Table]]:
    """The lines that are rows now, file by file: ((file, file id), rows with `_line`)."""
    files = connection.execute(
        f"SELECT _file, _file_id, row, list((_line, raw) ORDER BY _line) FROM refused WHERE {_of(source)}"
        " GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    for file, file_id, header, lines in files:
        rows = parse_lines(source, lines, json.loads(header or "[]")).rows
        if rows.num_rows:
            yield (file, file_id), rows


def _mark_replayed(
    connection: duckdb.DuckDBPyConnection,
    change: TableChange,
    scan: Scan,
    batches: list[tuple[tuple[str, str], pa.Table]],
) -> None:
    """Write quarantine anew, with the rows that were read marked `replayed`."""
    ids = pa.array([file_id for (_, file_id), rows in batches for _ in range(rows.num_rows)], pa.string())
    lines = pa.concat_arrays([chunk for _, rows in batches for chunk in rows["_line"].chunks])
    connection.register("read_again", pa.table({"_file_id": ids, "_line": lines}))
    connection.execute(
        f"UPDATE refused SET status = 'replayed' WHERE {OPEN} AND (_file_id, _line) IN (SELECT _file_id, _line FROM read_again)"
    )
    change.append(connection.sql("SELECT * FROM refused").to_arrow_reader(100_000))
    change.remove(scan.files)


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(query).fetchall()[0][0])


def _token(source: Source, batch: int, batches: list[tuple[tuple[str, str], pa.Table]]) -> str:
    parts = [f"{file_id} {rows['_line'].to_pylist()}" for (_, file_id), rows in batches]
    return sha256("\n".join([source.name, "replay", str(batch), *parts]).encode()).hexdigest()
