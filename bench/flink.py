"""Apache Flink on the same road: the same payments from CSV files, the same statistics and windows, into a blackhole.

It is given less to do: no log, no quarantine, no live table, nothing durable. Only the time of its job counts, not the
start of the JVM. What it writes into files for fewer rows must be what must come before any time counts.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from bench import payments
from bench.figure import Figure
from bench.payments import ROWS, WINDOWS, Expected, Traffic
from bench.peers.environment import locked, versions_of
from bench.process import run as run_process

NAME = "Apache Flink 2.3, files into a blackhole"
JOB = Path(__file__).parent / "peers" / "flink_sql.py"
BAR = 3
CHECKED, TIMED = 200_000, 5_000_000  # rows
HEAP = {"JVM_ARGS": "-Xmx4g"}
BLACKHOLE = "-"


@dataclass(frozen=True)
class Flink:
    rates: list[float]
    versions: Mapping[str, str]


def measure(folder: Path, *, rows: int, rounds: int) -> Flink:
    """Rates of so many runs, after the outputs of a smaller one were compared."""
    python = locked("flink")
    _check(python, folder / "checked", min(rows, CHECKED))
    timed, count = folder / "timed", min(rows, TIMED)
    _write(timed, count)
    rates = []
    for _ in range(rounds):
        rates.append(1000 * count / _run(python, timed / "files", BLACKHOLE))
        print(f"  flink  {count:,} rows  {count / rates[-1]:6.2f} s  {rates[-1]:,.0f}/s", flush=True)
    shutil.rmtree(timed)
    return Flink(rates, versions_of(python, ["apache-flink"]))


def _write(folder: Path, rows: int) -> Path:
    """The payments as a Parquet file, and as two CSV files, each with all payments of its members in their order."""
    (files := folder / "files").mkdir(parents=True)
    whole = folder / "payments.parquet"
    with pq.ParquetWriter(whole, ROWS) as writer:
        for batch in Traffic().batches(rows):
            writer.write_table(batch)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for number in (0, 1):
            connection.execute(
                "COPY (SELECT payment, member, amount, strftime(paid_at, '%Y-%m-%d %H:%M:%S.%g')"
                f" FROM read_parquet('{whole}') WHERE hash(member) % 2 = {number} ORDER BY payment)"
                f" TO '{files}/{number}.csv' (HEADER false)"
            )
    return whole


def _run(python: Path, source: Path, target: Path | str) -> float:
    """Milliseconds of the job."""
    output = run_process([python, JOB, source, target], env=HEAP).output
    return float(json.loads(output.strip().splitlines()[-1])["milliseconds"])


def _check(python: Path, folder: Path, rows: int) -> None:
    expected = Expected.of(_write(folder, rows))
    written = folder / "written"
    _run(python, folder / "files", written)
    odd = expected.check_odd(_read(written / payments.ODD, ["payment", "earlier", "usual", "score"]))
    found = {name: expected.check_windows(name, _windows(written / name)) for name in WINDOWS}
    print(f"  flink  outputs are equal: {odd} odd payments, {found}", flush=True)
    shutil.rmtree(folder)


def _windows(folder: Path) -> pa.Table:
    columns = (
        "member, window_start AT TIME ZONE 'UTC' AS window_start, payments, CAST(cents / 100 AS DECIMAL(38, 2)) AS paid"
    )
    return _read(folder, ["member", "window_start", "payments", "cents"], columns)


def _read(folder: Path, names: list[str], columns: str = "*") -> pa.Table:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        query = f"SELECT {columns} FROM read_csv('{folder}/part-*', header = false, names = $names)"
        return connection.sql(query, params={"names": names}).to_arrow_table()


def figure(flink: Flink, *, ours: float) -> Figure:
    """The better of its runs counts."""
    return Figure("the road, against Flink", ours / max(flink.rates), "x", BAR, NAME, 1, higher_is_better=True)
