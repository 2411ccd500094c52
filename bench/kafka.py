"""The same road on Kafka, its broker on the same machine: what is read was committed, a round is one transaction."""

from __future__ import annotations

import os
import shutil
import sqlite3
import statistics
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa

from bench import kafka_peers, payments
from bench.figure import Figure
from bench.payments import WINDOWS, Expected
from bench.road import streaming, until
from penstock.runtime.event_log import KAFKA
from tests.scale.broker import Broker, fetch_jars, missing

RATE = "Kafka to z-score, windows, Kafka and live tables"
RATE_BAR = 60_000
ROWS = 4_880_000  # so many that no start counts; by then what is to be told of minutes that ended is told
MEMORY = ("-Xmx1g",)  # of the broker, which compiles its code as it does by default
LAST = [f"last-{number}" for number in range(16)]  # so many that every partition has some
SETTLED = 1.0  # seconds until what was committed can be read everywhere

__all__ = ["broker", "figures", "measure", "missing"]


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """The address of a broker with its data in `folder`, which commands and logs of this process use meanwhile."""
    fetch_jars()
    folder.mkdir(parents=True)
    found = Broker(folder, memory=MEMORY)
    found.format()
    try:
        found.start()
        with patch.dict(os.environ, {KAFKA: found.servers}):
            yield found.servers
    finally:
        found.stop()
        shutil.rmtree(folder)


@dataclass
class Rates:
    """Events a second: ours by round, and of each peer."""

    ours: list[float] = field(default_factory=list)
    peers: dict[str, float] = field(default_factory=dict)


def measure(folder: Path, *, rows: int, rounds: int) -> Rates:
    """Ours from the start of `penstock stream` until the live tables have all payments; the peers in the first round, over
    the same topic of the same broker."""
    rates = Rates()
    for turn in range(rounds):
        data, file = folder / f"road-{turn}", folder / f"payments-{turn}.parquet"
        with broker(folder / f"broker-{turn}") as servers:
            payments.fill(data, rows, file, last=LAST)
            count = rows + len(LAST)
            seconds = _seconds(data, count)
            time.sleep(SETTLED)
            odd = payments.odd_payments(data)
            rates.ours.append(count / seconds)
            print(f"  kafka  {rows:,} rows  {seconds:6.2f} s  {rates.ours[-1]:,.0f}/s", flush=True)
            _check(data, file, odd)
            for peer in kafka_peers.PEERS if turn == 0 else ():
                rates.peers[peer.name] = kafka_peers.measure(peer, servers, file, rows=count)
        shutil.rmtree(data)
    return rates


def _check(data: Path, file: Path, odd: pa.Table) -> None:
    expected = Expected.of(file)
    count = expected.check_odd(odd)
    found = {name: expected.check_windows(name, payments.windows(data, name)) for name in WINDOWS}
    print(f"  kafka  outputs are equal: {count} odd payments, {found}", flush=True)


def _seconds(data: Path, count: int) -> float:
    """Looks for single members first: to add up a table costs what is then not there for the stream."""
    begin = time.perf_counter()
    with streaming(data):
        for name in WINDOWS:
            until((data / "live" / f"{name}.live").exists, every=0.02)
            with closing(payments.opened(data, name)) as table:
                for member in LAST:
                    until(partial(_has_paid, table, member), every=0.02)
        for name in WINDOWS:  # of windows that have ended, some are told of in later rounds
            until(partial(_has_all, data, name, count), every=0.02)
        return time.perf_counter() - begin


def _has_paid(table: sqlite3.Connection, member: str) -> bool:
    try:
        return payments.has_paid(table, member)
    except sqlite3.OperationalError:  # the table is just being made
        return False


def _has_all(data: Path, name: str, count: int) -> bool:
    return payments.totals(data, name)["payments"] == count


def figures(rates: Rates) -> Iterator[Figure]:
    ours = statistics.median(rates.ours)
    yield Figure(RATE, ours, "events/s", RATE_BAR, higher_is_better=True)
    for peer in kafka_peers.PEERS:
        yield kafka_peers.figure(peer, rates.peers[peer.name], ours=ours)
