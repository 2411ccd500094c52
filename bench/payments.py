"""Payments of a million members by Zipf's law, the topic that they are appended to, and what must come of them.

What must come is computed by DuckDB from the generated rows themselves, with neither code nor data of ours between.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from penstock.log.protocol import Log, beginning
from penstock.runtime.event_log import open_log
from penstock.runtime.installation import Installation
from penstock.runtime.topology import declared_topic
from penstock.stream.outgoing import records

PROJECT = Path(__file__).parent / "projects" / "payments"
PENSTOCK = Path(sys.executable).parent / "penstock"
TOPIC, ODD = "payments_in", "odd_payments"
MEMBERS, EXPONENT = 1_000_000, 1.1
PER_SECOND = 10_000  # payments of one second of event time
BEGIN = 1_767_225_600_000_000  # 2026-01-01, microseconds
AT = pa.timestamp("us", tz="UTC")
ROWS = pa.schema([("payment", pa.int64()), ("member", pa.string()), ("amount", pa.decimal128(18, 2)), ("paid_at", AT)])
BATCH = 50_000
ODD_SHARE = 0.001
MINIMUM, THRESHOLD = 10, 3.0
TOLERANCE = 1e-9  # of scores, which are floats

EXPECTED = """
CREATE TEMP VIEW earlier AS
SELECT payment, member, cents, count(*) OVER before AS n, sum(cents) OVER before AS s, sum(cents * cents) OVER before AS q
FROM (SELECT *, CAST(amount * 100 AS HUGEINT) AS cents FROM rows)
WINDOW before AS (PARTITION BY member ORDER BY payment ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING);
CREATE TEMP TABLE expected_odd AS
SELECT * FROM (
    SELECT payment, n AS earlier, s / n / 100 AS usual,
        (cents - s / n) / sqrt(CAST(n * q - s * s AS DOUBLE) / (n * (n - 1))) AS score
    FROM earlier WHERE n >= $minimum AND n * q > s * s
) WHERE score > $threshold;
"""
WINDOWS = {"member_minutes": "minute", "member_days": "day"}


class ResultsDiffer(Exception):
    """What came out is not what must come, so no time counts."""


class Traffic:
    """The same payments in every run. `everybody` begins with one payment of each member."""

    def __init__(self, members: int = MEMBERS, *, everybody: bool = False) -> None:
        self._random = np.random.default_rng(7)
        self._number, self._everybody = 0, everybody
        self.members = pa.array([f"member-{number:08d}" for number in range(members)])
        weights = np.arange(1, members + 1, dtype=float) ** -EXPONENT
        self._cumulated = np.cumsum(weights) / weights.sum()
        self._places = self._random.permutation(members)

    def batch(self, count: int = BATCH, *, at: int | None = None) -> pa.Table:
        """The next payments, dated as they were made or all of them `at` (microseconds)."""
        numbers = np.arange(self._number, self._number + count)
        self._number += count
        drawn = np.searchsorted(self._cumulated, self._random.random(count))
        who = self._places[np.minimum(drawn, len(self._places) - 1)]
        if self._everybody:
            who = np.where(numbers < len(self._places), numbers, who)
        cents = self._random.integers(100, 100_000, count)
        cents = np.where(self._random.random(count) < ODD_SHARE, cents * 20, cents)
        cents = np.stack([cents, np.zeros(count, dtype=np.int64)], axis=1)
        amounts = pa.Array.from_buffers(
            ROWS.field("amount").type, count, [None, pa.py_buffer(np.ascontiguousarray(cents))]
        )
        micros = BEGIN + (numbers * 1e6 / PER_SECOND).astype(np.int64) if at is None else np.full(count, at)
        return pa.table(
            [pa.array(numbers), self.members.take(pa.array(who)), amounts, pa.array(micros).view(AT)], schema=ROWS
        )

    def batches(self, rows: int) -> Iterator[pa.Table]:
        for start in range(0, rows, BATCH):
            yield self.batch(min(BATCH, rows - start))


def fill(data: Path, rows: int, file: Path | None = None, *, everybody: bool = False, last: Sequence[str] = ()) -> None:
    """Append so many payments to the topic, those of the members `last` after all others, and write the same to a
    Parquet file."""
    installation = installed(data)
    installation.place.prepare()
    writer = None if file is None else pq.ParquetWriter(file, ROWS)
    with open_log(installation) as log:
        latest = [probes(last, at=BEGIN + rows * 1_000_000 // PER_SECOND)] if last else []
        for batch in chain(Traffic(everybody=everybody).batches(rows), latest):
            append(log, installation, batch)
            if writer is not None:
                writer.write_table(batch)
    if writer is not None:
        writer.close()


def append(log: Log, installation: Installation, rows: pa.Table) -> None:
    log.ensure(declared_topic(installation.project, TOPIC))
    with closing(log.producer("bench", TOPIC)) as producer:
        made = records(rows, tenant=installation.project.tenant, key=("member",), time="paid_at")
        producer.append(made, sequence=producer.last_sequence + 1)


def installed(data: Path) -> Installation:
    return Installation.at(PROJECT, data)


@dataclass(frozen=True)
class Expected:
    """What must come of the payments in a Parquet file."""

    connection: duckdb.DuckDBPyConnection

    @classmethod
    def of(cls, file: Path) -> Expected:
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE TEMP VIEW rows AS SELECT * FROM read_parquet('{file}')")
        return cls(connection)

    def check_odd(self, odd: pa.Table) -> int:
        """Hold what was found odd against what must be; how many that were. Columns payment, earlier, usual, score."""
        for statement in filter(str.strip, EXPECTED.split(";")):
            known = {"minimum": MINIMUM, "threshold": THRESHOLD}
            used = {name: value for name, value in known.items() if f"${name}" in statement}
            self.connection.execute(statement, used)
        self.connection.register("found", odd)
        wrong = self._number(
            "SELECT count(*) FROM expected_odd AS e FULL JOIN found AS f USING (payment)"
            f" WHERE (e.earlier IS DISTINCT FROM f.earlier OR abs(e.usual - f.usual) > {TOLERANCE} * e.usual"
            f" OR abs(e.score - f.score) > {TOLERANCE} * e.score)"
            f" AND coalesce(e.score, f.score) > {THRESHOLD * (1 + TOLERANCE)}"
        )
        if wrong or not odd.num_rows:
            raise ResultsDiffer(f"{wrong} of {odd.num_rows} odd payments")
        return int(odd.num_rows)

    def check_windows(self, name: str, found: pa.Table) -> int:
        """Every row of a table of windows (member, window_start, payments, paid); how many there are."""
        self.connection.register("windows", found)
        columns = "member, window_start, payments, paid"
        must = (
            f"SELECT member, date_trunc('{WINDOWS[name]}', paid_at) AS window_start, count(*) AS payments,"
            " sum(amount) AS paid FROM rows GROUP BY ALL"
        )
        for one, other in ((must, f"SELECT {columns} FROM windows"), (f"SELECT {columns} FROM windows", must)):
            wrong = self._number(f"SELECT count(*) FROM ({one} EXCEPT ALL {other})")
            if wrong:
                raise ResultsDiffer(f"{wrong} rows of {name}")
        return int(found.num_rows)

    def check_totals(self, name: str, totals: Mapping[str, int]) -> None:
        """Rows, payments and cents of a table of windows."""
        windows = self._number(
            f"SELECT count(*) FROM (SELECT DISTINCT member, date_trunc('{WINDOWS[name]}', paid_at) FROM rows)"
        )
        must = {
            "rows": windows,
            "payments": self._number("SELECT count(*) FROM rows"),
            "cents": self._number("SELECT CAST(sum(amount) * 100 AS BIGINT) FROM rows"),
        }
        if dict(totals) != must:
            raise ResultsDiffer(f"{name} has {dict(totals)}, not {must}")

    def _number(self, query: str) -> int:
        ((found,),) = self.connection.execute(query).fetchall()
        return int(found)


def odd_payments(data: Path) -> pa.Table:
    """What the topology found odd, from its topic."""
    with open_log(installed(data)) as log:
        at = beginning(log, ODD)
        with closing(log.reader(at)) as reader:
            found = []
            while chunks := reader.poll(500_000, 0.0):
                found += [chunk.records.select(["payment", "earlier", "usual", "score"]) for chunk in chunks]
    return pa.Table.from_batches(found)


def windows(data: Path, name: str) -> pa.Table:
    """A live table of windows, read with SQLite alone."""
    found = _asked(data, name, "SELECT member, window_start, payments, paid FROM rows")
    member, start, payments, paid = zip(*found, strict=True)
    cents = np.stack([np.array(paid, dtype=np.int64), np.zeros(len(paid), dtype=np.int64)], axis=1)
    sums = pa.Array.from_buffers(pa.decimal128(38, 2), len(paid), [None, pa.py_buffer(np.ascontiguousarray(cents))])
    columns = [pa.array(member), pa.array(start, pa.int64()).view(AT), pa.array(payments, pa.int64()), sums]
    return pa.table(columns, names=["member", "window_start", "payments", "paid"])


def totals(data: Path, name: str) -> dict[str, int]:
    ((rows, payments, cents),) = _asked(data, name, "SELECT count(*), sum(payments), sum(paid) FROM rows")
    return {"rows": rows, "payments": payments, "cents": cents}


def probes(members: Sequence[str], *, at: int) -> pa.Table:
    """One payment of each of these members, who pay for the only time, at `at` (microseconds)."""
    count = len(members)
    return pa.table([[-1] * count, members, [Decimal(1)] * count, pa.array(np.full(count, at)).view(AT)], schema=ROWS)


def with_probe(rows: pa.Table, member: str, *, at: int) -> pa.Table:
    """The rows and one of this member, all of them dated `at`."""
    whole = pa.concat_tables([rows, probes([member], at=at)])
    times = pa.array(np.full(whole.num_rows, at)).view(AT)
    return whole.set_column(ROWS.get_field_index("paid_at"), ROWS.field("paid_at"), times)


def has_paid(table: sqlite3.Connection, member: str) -> bool:
    """Whether a live table by member has a row of this one; found by key, so that looking costs nearly nothing."""
    return bool(table.execute("SELECT 1 FROM rows WHERE member = ? LIMIT 1", [member]).fetchall())


def opened(data: Path, name: str) -> sqlite3.Connection:
    """A live table for reading, by SQLite alone."""
    return sqlite3.connect(f"file:{data / 'live' / name}.live?mode=ro", uri=True)


def _asked(data: Path, name: str, query: str) -> list[tuple[Any, ...]]:
    with closing(opened(data, name)) as table:
        return table.execute(query).fetchall()
