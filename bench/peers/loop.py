"""The same job as a tight Python loop over the same log, row by row, with the same promises: every row is held to its
contract, and what a round makes is durable in one transaction of SQLite with the position it was made from.

python -m bench.peers.loop DATA ROWS      takes so many rows and prints what it found, and in how many seconds
"""

from __future__ import annotations

import json
import math
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from bench.payments import MINIMUM, THRESHOLD, TOPIC, installed
from penstock.log.protocol import OFFSET, Chunk, beginning
from penstock.runtime.event_log import open_log
from penstock.stream.runner import Limits

MINUTE, DAY = 60_000_000, 86_400_000_000
LATENESS = 10_000_000
LARGEST = 10**18  # cents; the amount has 18 digits
ROUND = Limits().rows  # as many rows as ours takes when it is behind

TABLES = """
CREATE TABLE member_minutes (member, start, payments, paid, version, final, PRIMARY KEY (member, start)) WITHOUT ROWID;
CREATE TABLE member_days (member, start, payments, paid, version, final, PRIMARY KEY (member, start)) WITHOUT ROWID;
CREATE TABLE statistics (member PRIMARY KEY, count, mean, squares) WITHOUT ROWID;
CREATE TABLE odd (payment, member, amount, paid_at, earlier, usual, score);
CREATE TABLE rejected (partition, offset, reason);
CREATE TABLE late (partition, offset);
CREATE TABLE position (partition PRIMARY KEY, offset) WITHOUT ROWID;
"""
WINDOW = """
INSERT INTO {} VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
payments = excluded.payments, paid = excluded.paid, version = excluded.version, final = excluded.final
"""
STATISTICS = """
INSERT INTO statistics VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET
count = excluded.count, mean = excluded.mean, squares = excluded.squares
"""
POSITION = "INSERT INTO position VALUES (?, ?) ON CONFLICT DO UPDATE SET offset = excluded.offset"

Numbers = dict[str, list[int]]  # by member: payments, and what they sum to


class Windows:
    """Open windows of one length by start, told of when they changed and once more when they are final."""

    def __init__(self, db: sqlite3.Connection, table: str, size: int) -> None:
        self.size, self.open = size, dict[int, Numbers]()
        self.changed = set[tuple[str, int]]()
        self._db, self._upsert = db, WINDOW.format(table)

    def write(self, watermark: int) -> None:
        ended = [start for start in self.open if start + self.size <= watermark]
        self._db.executemany(self._upsert, self._provisional({*ended}))
        for start in ended:
            rows = self.open.pop(start).items()
            self._db.executemany(self._upsert, ((who, start, n, paid, n + 1, 1) for who, (n, paid) in rows))
        self.changed.clear()

    def _provisional(self, ended: set[int]) -> Iterator[tuple[Any, ...]]:
        for who, start in sorted(self.changed):  # neighbours in the file are written together
            if start not in ended:
                number, paid = self.open[start][who]
                yield who, start, number, paid, number, 0


class Job:
    """The state of the job in memory, and the file that it is written to."""

    def __init__(self, path: Path) -> None:
        self.db = db = sqlite3.connect(path, isolation_level=None)
        for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", *TABLES.split(";")):
            db.execute(statement)
        self.windows = (Windows(db, "member_minutes", MINUTE), Windows(db, "member_days", DAY))
        self.statistics: dict[str, tuple[int, float, float]] = {}
        self.latest: dict[int, int] = {}
        self.watermark = -1 << 62

    def round(self, chunks: list[Chunk]) -> None:
        """Take the rows and write what came of them, all or nothing."""
        odd: list[tuple[Any, ...]] = []
        rejected: list[tuple[int, int, str]] = []
        late: list[tuple[int, int]] = []
        seen: set[str] = set()
        for chunk in chunks:
            self._take(chunk, odd, rejected, late, seen)
        self.watermark = max(self.watermark, min(self.latest.values()) - LATENESS)
        execute, executemany, statistics = self.db.execute, self.db.executemany, self.statistics
        execute("BEGIN")
        for windows in self.windows:
            windows.write(self.watermark)
        executemany(STATISTICS, ((who, *statistics[who]) for who in sorted(seen)))
        executemany("INSERT INTO odd VALUES (?, ?, ?, ?, ?, ?, ?)", odd)
        executemany("INSERT INTO rejected VALUES (?, ?, ?)", rejected)
        executemany("INSERT INTO late VALUES (?, ?)", late)
        executemany(POSITION, [(chunk.partition, chunk.next) for chunk in chunks])
        execute("COMMIT")

    def _take(
        self,
        chunk: Chunk,
        odd: list[tuple[Any, ...]],
        rejected: list[tuple[int, int, str]],
        late: list[tuple[int, int]],
        seen: set[str],
    ) -> None:
        batch, partition = chunk.records, chunk.partition
        cents = pc.multiply(batch.column("amount"), Decimal(100)).cast("int64").to_pylist()
        times = batch.column("paid_at").cast("int64").to_pylist()
        columns = (batch.column(name).to_pylist() for name in (OFFSET, "payment", "member"))
        statistics, (minutes, days), watermark = self.statistics, self.windows, self.watermark
        by_minute, by_day, latest = minutes.open, days.open, self.latest.get(partition, -1 << 62)
        minute_changed, day_changed, sqrt = minutes.changed.add, days.changed.add, math.sqrt
        for offset, payment, member, amount, at in zip(*columns, cents, times, strict=True):
            if payment is None or member is None or amount is None or at is None:
                rejected.append((partition, offset, "required"))
                continue
            if amount < 0 or amount >= LARGEST:
                rejected.append((partition, offset, "minimum" if amount < 0 else "type"))
                continue
            if at > latest:
                latest = at
            count, mean, squares = statistics.get(member, (0, 0.0, 0.0))
            distance = amount - mean
            if count >= MINIMUM and squares > 0:
                score = distance / sqrt(squares / (count - 1))
                if score > THRESHOLD:
                    odd.append((payment, member, amount, at, count, mean, score))
            count += 1
            mean += distance / count
            statistics[member] = (count, mean, squares + distance * (amount - mean))
            seen.add(member)
            minute, day = at - at % MINUTE, at - at % DAY
            if minute + MINUTE <= watermark:
                late.append((partition, offset))
            else:
                window = by_minute.setdefault(minute, {}).setdefault(member, [0, 0])
                window[0] += 1
                window[1] += amount
                minute_changed((member, minute))
            if day + DAY <= watermark:
                late.append((partition, offset))
            else:
                window = by_day.setdefault(day, {}).setdefault(member, [0, 0])
                window[0] += 1
                window[1] += amount
                day_changed((member, day))
        self.latest[partition] = latest


def main(data: Path, rows: int) -> dict[str, float]:
    job, taken = Job(data / "loop.db"), 0
    begin = time.perf_counter()
    with open_log(installed(data)) as log, closing(log.reader(beginning(log, TOPIC))) as reader:
        while taken < rows and (chunks := reader.poll(ROUND, 0.0)):
            job.round(chunks)
            taken += sum(chunk.records.num_rows for chunk in chunks)
    seconds = time.perf_counter() - begin
    found = {
        name: job.db.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
        for name in ("odd", "rejected", "late", "member_minutes", "member_days")
    }
    (cents,) = job.db.execute("SELECT sum(paid) FROM member_days").fetchone()
    job.db.close()
    return {"rows": taken, "seconds": seconds, "cents": cents, **found}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
