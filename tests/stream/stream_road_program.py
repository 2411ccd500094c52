"""Stops the whole road of a stream at chosen points of the disk, looks at what is left, goes on, and looks again.

    python -m tests.stream.stream_road_program FOLDER points
    python -m tests.stream.stream_road_program FOLDER try 17:kill 42:vanish

The road: loans are appended to the log, taken through a topology to topics and live tables, and landed in bronze, silver
and quarantine; twice, so that everything is both made and gone on with. A ledger beside it says which batches are meant
and which acknowledged. Each run and each look is a forked child. Every point prints one JSON object; the number 0 stops
nothing.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from contextlib import closing
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa

from penstock.log import volume
from penstock.log.embedded import EmbeddedLog
from penstock.runtime.event_log import open_log
from penstock.runtime.installation import Installation
from penstock.runtime.landing import land_topics
from penstock.runtime.replaying import replay_topologies
from penstock.runtime.stream import stream
from penstock.runtime.topology import declared_topic
from penstock.stream.outgoing import records
from penstock.stream.runner import Limits
from penstock.testing.disk import FaultyDisk, Mode, Point
from penstock.world import LocalDisk, real_world
from tests.flows.road_program import in_child, show, succeed
from tests.lake.plain_reader import read_tables
from tests.log.plain_log import rows_in
from tests.stream.lending import FOLLOWED, lending
from tests.stream.running_topology import Row, loan

BATCHES, ROWS, MEMBERS = 2, 12, 5
TOPIC, LEDGER = "loans_typed", "ledger"
LIMITS = Limits(rows=8, rounds_per_snapshot=2)
SEGMENTS = volume.Limits(segment_bytes=4000)


def rows_of(batch: int) -> list[Row]:
    """Every sixth has a fee that its contract forbids."""
    return [
        loan(number, f"m{number % MEMBERS}", fee="-1.00" if number % 6 == 3 else f"{number * 7}.25", at=number)
        for number in range(batch * ROWS, (batch + 1) * ROWS)
    ]


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    begin(folder / "first")
    work(folder / "first", LocalDisk())  # once here, so that no child has to import anything
    if sys.argv[2] == "points":
        show(points(folder / "points"))
    for text in sys.argv[3:]:
        number, mode = text.split(":")
        show(attempt(folder / f"{number}-{mode}", int(number), Mode(mode)))


def points(root: Path) -> list[dict[str, Any]]:
    """Every point of an undisturbed road, in order."""

    def listing() -> list[dict[str, Any]]:
        found: list[Point] = []
        work(root, FaultyDisk(seen=found.append))
        return [asdict(point) for point in found]

    begin(root)
    found: list[dict[str, Any]] = succeed(listing)
    return found


def attempt(root: Path, number: int, mode: Mode) -> dict[str, Any]:
    """Stop the road at a point: what is then there, what is there when it went on to its end, and how many live rows are
    others when the journal is taken again."""
    begin(root)
    _, status = in_child(lambda: work(root, FaultyDisk(stop_at=number or None, mode=mode)))
    stopped = succeed(lambda: seen(root))
    succeed(lambda: work(root, LocalDisk()))
    after = succeed(lambda: seen(root))
    replayed = succeed(lambda: [one.different for one in replay_topologies(Installation.at(root))])
    killed = status == -signal.SIGKILL
    return {
        "number": number,
        "mode": mode,
        "killed": killed,
        "stopped": stopped,
        "after": after,
        "replayed": replayed,
    }


def begin(root: Path) -> None:
    lending(root, FOLLOWED)


def work(root: Path, disk: LocalDisk) -> None:
    """All batches that the log does not have yet, each taken along the whole road."""
    installation = Installation.at(root, world=replace(real_world(), disk=disk))
    more = True
    with patch.object(EmbeddedLog, "open", partial(EmbeddedLog.open, limits=SEGMENTS)):
        while more:
            more = append(root, installation)
            stream(installation, until_idle=True, limits=LIMITS)
            land_topics(installation, [TOPIC], until_idle=True)


def append(root: Path, installation: Installation) -> bool:
    """Append the next batch, if there is one; whether there is another after it."""
    ledger = os.open(root / LEDGER, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with open_log(installation) as log:
        spec = declared_topic(installation.project, TOPIC)
        log.ensure(spec)
        producer = log.producer("desk", TOPIC)
        batch = producer.last_sequence + 1
        if batch < BATCHES:
            note(ledger, f"meant {batch}")
            table = pa.Table.from_pylist(rows_of(batch), schema=spec.schema)
            producer.append(records(table, tenant="default", key=("member",), time="lent"), sequence=batch)
            note(ledger, f"acknowledged {batch}")
        producer.close()
    os.close(ledger)
    return batch + 1 < BATCHES


def note(ledger: int, line: str) -> None:
    os.write(ledger, f"{line}\n".encode())
    os.fsync(ledger)


def seen(root: Path) -> dict[str, Any]:
    """What readers that share no code with the product find, each value as text."""
    data = root / ".penstock"
    tables = read_tables(data)
    topics = {name: rows_in(data / "log", name) for name in (TOPIC, "scored", "watch.rejected")}
    lake = {name: tables[name].rows if name in tables else [] for name in ("bronze.loans_typed", "silver.loans")}
    refused = tables["quarantine.loans"].rows if "quarantine.loans" in tables else []
    path = root / LEDGER
    return {
        "ledger": [line.split() for line in path.read_text().splitlines()] if path.exists() else [],
        "topic": texts(topics[TOPIC], "loan", "member", "fee", "lent"),
        "scored": texts(topics["scored"], "loan", "member", "fee", "lent", "earlier"),
        "rejected": texts(topics["watch.rejected"], "partition", "offset"),
        "bronze": texts(lake["bronze.loans_typed"], "loan", "member", "fee", "lent"),
        "silver": texts(lake["silver.loans"], "loan", "member", "fee", "lent"),
        "quarantined": len(refused),
        "latest": live(data / "live" / "latest.live", "loan, member, fee, lent, earlier"),
        "days": live(data / "live" / "days.live", "member, loans, paid"),
    }


def texts(rows: list[dict[str, Any]], *names: str) -> list[list[str]]:
    return [[str(row[name]) for name in names] for row in rows]


def live(path: Path, columns: str) -> list[list[Any]]:
    """The rows of a live table; none when it is not there or not yet made."""
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'rows'").fetchall():
            return []
        return [list(row) for row in connection.execute(f"SELECT {columns} FROM rows").fetchall()]


if __name__ == "__main__":
    main()
