"""Bytes that are no payments among those that are: how much slower the good ones become.

The same payments as JSON, once alone and once with poison of six kinds. Every good row must be in the live table, and every
poisoned one among the rejected ones with the bytes as they came, before a time counts.
"""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from bench import payments
from bench.figure import Figure
from bench.payments import ResultsDiffer, Traffic
from bench.process import run as run_process
from bench.road import command
from penstock.log.protocol import SYSTEM, beginning
from penstock.runtime.event_log import open_log
from penstock.runtime.topology import declared_topic
from penstock.stream.outgoing import record_key

TOPIC, TOPOLOGY, LIVE, REJECTED = "payments_text", "watch_text", "text_days_live", "watch_text.rejected"
ROWS, BAR = 500_000, 0.9
BATCH = 50_000
OFTEN, SELDOM = 100, 2  # poisoned rows of each kind in a batch, of small and of long ones
BATCHES_PER_LONGEST = 5
LONGEST = 10_000_000  # bytes
SMALL = (
    b'{"payment": 1, "member": "\xff\xfe", "amount": 1.00, "paid_at": "2026-01-01T00:00:00Z"}',  # no UTF-8
    b'{"payment": 1, "member": "member-1", "amount": 1.0',  # cut off
    b'{"payment": 1, "member": "member-1", "amount": 1e400, "paid_at": "2026-01-01T00:00:00Z"}',
    b'{"payment": 1, "payment": 2, "member": "member-1", "amount": 1.00, "paid_at": "2026-01-01T00:00:00Z"}',
)
DEEP = b"[" * 100_000 + b"]" * 100_000
AS_JSON = """
SELECT encode(CAST(to_json({
    'payment': payment, 'member': member, 'amount': CAST(amount AS VARCHAR),
    'paid_at': strftime(paid_at, '%Y-%m-%dT%H:%M:%S.%fZ')
}) AS VARCHAR)) AS value FROM rows
"""


@dataclass
class Filled:
    """A topic of text, and what is in it."""

    data: Path
    rows: int = 0
    cents: int = 0
    poison: dict[bytes, int] = field(default_factory=dict)  # how often, by bytes


@dataclass(frozen=True)
class Rates:
    """Good rows a second, by round."""

    alone: list[float]
    poisoned: list[float]

    @property
    def share(self) -> float:
        return statistics.median(self.poisoned) / statistics.median(self.alone)


def measure(folder: Path, *, rows: int, rounds: int) -> Rates:
    topics = [_fill(folder / name, rows, poisoned=name == "poisoned") for name in ("alone", "poisoned")]
    rates = Rates([], [])
    for _ in range(rounds):
        for topic, found in zip(topics, (rates.alone, rates.poisoned), strict=True):
            found.append(rows / _seconds(topic))
            print(f"  poison  {topic.data.name:<8} {found[-1]:,.0f} good rows/s", flush=True)
    return rates


def _seconds(topic: Filled) -> float:
    data = topic.data.with_name("run")
    shutil.copytree(topic.data, data)
    cost = run_process(command("stream", TOPOLOGY, "--until-idle", data=data))
    _check(topic, data)
    shutil.rmtree(data)
    return cost.seconds


def _check(topic: Filled, data: Path) -> None:
    totals = payments.totals(data, LIVE)
    if (totals["payments"], totals["cents"]) != (topic.rows, topic.cents):
        raise ResultsDiffer(f"the live table has {totals}, not {topic.rows} payments of {topic.cents}")
    with open_log(payments.installed(data)) as log, closing(log.reader(beginning(log, REJECTED))) as reader:
        rejected: dict[bytes, int] = {}
        while chunks := reader.poll(1000, 0.0):
            for chunk in chunks:
                for raw in chunk.records.column("raw").to_pylist():
                    rejected[raw] = rejected.get(raw, 0) + 1
    if rejected != topic.poison:
        raise ResultsDiffer(
            f"{sum(rejected.values())} rows were rejected, not {sum(topic.poison.values())} as they came"
        )


def _fill(data: Path, rows: int, *, poisoned: bool) -> Filled:
    installation = payments.installed(data)
    installation.place.prepare()
    filled = Filled(data)
    with open_log(installation) as log:
        log.ensure(declared_topic(installation.project, TOPIC))
        with closing(log.producer("bench", TOPIC)) as producer:
            for number, batch in enumerate(Traffic().batches(rows)):
                filled.rows += batch.num_rows
                filled.cents += int(100 * pc.sum(batch["amount"]).as_py())
                poison = list(_poison(number)) if poisoned else []
                for one in poison:
                    filled.poison[one] = filled.poison.get(one, 0) + 1
                made = records(batch, poison, tenant=installation.project.tenant)
                producer.append(made, sequence=producer.last_sequence + 1)
    return filled


def _poison(batch: int) -> Iterator[bytes]:
    for one in SMALL:
        yield from [one] * OFTEN
    yield from [DEEP] * SELDOM
    if batch % BATCHES_PER_LONGEST == 0:
        yield b'{"payment": 1, "member": "' + b"x" * LONGEST + b'"}'


def records(rows: pa.Table, poison: list[bytes], *, tenant: str) -> pa.RecordBatch:
    """The rows as JSON, with the poison among them, one after every so many."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        texts = connection.register("rows", rows).sql(AS_JSON).to_arrow_table()["value"].combine_chunks()
    keys = record_key(rows, ("member",), tenant=tenant).combine_chunks()
    values, owners = pa.concat_arrays([texts, pa.array(poison, texts.type)]), [keys, pa.nulls(len(poison), keys.type)]
    apart = rows.num_rows / max(1, len(poison))
    places = [*range(rows.num_rows), *(number * apart + 0.5 for number in range(len(poison)))]
    order = pc.sort_indices(pa.array(places, pa.float64()))
    columns = [pa.concat_arrays(owners), *(pa.nulls(len(places), one.type) for one in list(SYSTEM)[1:]), values]
    schema = pa.schema([*SYSTEM, ("value", pa.binary())])
    return pa.RecordBatch.from_arrays([one.take(order) for one in columns], schema=schema)


def figures(rates: Rates) -> Iterator[Figure]:
    name = "good rows with poison among them, against without"
    yield Figure(name, rates.share, "x", BAR, higher_is_better=True)
    yield Figure("log of JSON to windows, without poison", statistics.median(rates.alone), "events/s")
