"""A paced load: how long after it was due a payment is in the live table, and whether the lag grows.

Batches are appended by another process when their time has come, whatever became of those before. In each is one payment
of a member who pays once, so that the live table tells when the batch is there. A latency counts from the moment at which
the batch was due: appending, the sync of the disk, and every wait behind a stall are in it.

python -m bench.latency DATA RATE SECONDS      appends; prints when it begins, and at the end what it did
"""

from __future__ import annotations

import gc
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from bench import payments
from bench.figure import Figure
from bench.machine import percentile
from bench.payments import TOPIC, ResultsDiffer, Traffic
from bench.road import streaming, until
from penstock.log.protocol import Log
from penstock.runtime.event_log import open_log
from penstock.runtime.installation import Installation
from penstock.runtime.topology import declared_topic
from penstock.runtime.topology_state import read_states
from penstock.stream.outgoing import records

RATES = (10_000, 50_000)
PER_SECOND = 200  # batches
LEAD_IN = 2  # seconds of load that do not count: the first rounds of a process
P99_BAR, P999_BAR, GROWTH_BAR = 50.0, 100.0, 10.0
LOOK = 0.001  # seconds between two looks into the live table
PATIENCE = 120.0


@dataclass(frozen=True)
class Latencies:
    """Milliseconds of each batch, in the order in which they were due."""

    rate: int
    visible: Sequence[float]  # from due to visible
    durable: Sequence[float]  # from due to durable

    @property
    def growth(self) -> float:
        """By how much the median of the last quarter is above that of the first."""
        quarter = len(self.visible) // 4
        return statistics.median(self.visible[-quarter:]) - statistics.median(self.visible[:quarter])

    @property
    def after_durable(self) -> list[float]:
        """From durable to visible: what the stream itself makes rows wait."""
        return [seen - accepted for seen, accepted in zip(self.visible, self.durable, strict=True)]

    @property
    def by_tenths(self) -> list[float]:
        return [statistics.median(one) for one in np.array_split(np.array(self.visible), 10)]


def measure(folder: Path, *, rate: int, seconds: int) -> Latencies:
    """Run the topology under this load and hold the live tables against what was appended."""
    data = folder / f"paced-{rate}"
    installation = payments.installed(data)
    installation.place.prepare()
    with open_log(installation) as log:
        log.ensure(declared_topic(installation.project, TOPIC))
    with streaming(data):
        until(lambda: any(read_states(installation)))
        begin, visible, told = _followed(data, rate, seconds)
        found = payments.totals(data, "member_days")
    if (found["payments"], found["cents"]) != (told["payments"], told["cents"]):
        raise ResultsDiffer(f"the live table has {found}, appended were {told}")
    due = begin + np.arange(len(visible)) / PER_SECOND
    counted = slice(LEAD_IN * PER_SECOND, None)
    made = Latencies(
        rate,
        (1000 * (np.array(visible) - due))[counted].tolist(),
        (1000 * (np.array(told["durable"]) - due))[counted].tolist(),
    )
    print(f"  latency  {rate:,}/s  p99 {percentile(list(made.visible), 99):.1f} ms", flush=True)
    shutil.rmtree(data)
    return made


def _followed(data: Path, rate: int, seconds: int) -> tuple[float, list[float], dict[str, Any]]:
    """When the load began, when each batch was seen, and what the appending process told at its end."""
    words = [sys.executable, "-m", "bench.latency", str(data), str(rate), str(seconds + LEAD_IN)]
    process = subprocess.Popen(words, cwd=Path(__file__).resolve().parent.parent, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        begin = float(process.stdout.readline())
        visible = list(_seen(data, begin, (seconds + LEAD_IN) * PER_SECOND))
        return begin, visible, json.loads(process.stdout.readline())


def _seen(data: Path, begin: float, count: int) -> Iterator[float]:
    """When each batch was first found in the live table, by the monotonic clock."""
    with closing(payments.opened(data, "member_minutes")) as table:
        for number in range(count):
            due = begin + number / PER_SECOND
            while not payments.has_paid(table, _probe(number)):
                if time.monotonic() > due + PATIENCE:
                    raise TimeoutError(f"batch {number} is not visible after {PATIENCE:g} seconds")
                time.sleep(max(LOOK, due - time.monotonic()))
            yield time.monotonic()


def _probe(number: int) -> str:
    return f"probe-{number:08d}"


def append(log: Log, installation: Installation, *, rate: int, seconds: int) -> dict[str, object]:
    """Append at this pace; when each batch was durable, and what was paid in all."""
    size, count = rate // PER_SECOND, seconds * PER_SECOND
    rows = Traffic().batch((size - 1) * count)
    durable = []
    with closing(log.producer("bench", TOPIC)) as producer:
        begin = time.monotonic() + 0.2
        print(begin, flush=True)
        for number in range(count):
            at = begin + number / PER_SECOND
            time.sleep(max(0.0, at - time.monotonic()))
            part, now = rows.slice(number * (size - 1), size - 1), int(time.time() * 1e6)
            batch = payments.with_probe(part, _probe(number), at=now)
            made = records(batch, tenant=installation.project.tenant, key=("member",), time="paid_at")
            producer.append(made, sequence=producer.last_sequence + 1)
            durable.append(time.monotonic())
    cents = int(100 * (pc.sum(rows["amount"]).as_py() + count))
    return {"durable": durable, "payments": size * count, "cents": cents}


def figures(found: Latencies) -> Iterator[Figure]:
    visible, pace = list(found.visible), f"at {found.rate:,}/s"
    yield Figure(f"due to visible {pace}, p99", percentile(visible, 99), "ms", P99_BAR)
    yield Figure(f"due to visible {pace}, p99.9", percentile(visible, 99.9), "ms", P999_BAR)
    yield Figure(f"due to visible {pace}, median", percentile(visible, 50), "ms")
    yield Figure(f"due to durable {pace}, p99", percentile(list(found.durable), 99), "ms")
    for rank, bar in ((99, P99_BAR), (99.9, P999_BAR)):
        yield Figure(f"durable to visible {pace}, p{rank}", percentile(found.after_durable, rank), "ms", bar)
    yield Figure(f"lag {pace}, last quarter less first", found.growth, "ms", GROWTH_BAR)


if __name__ == "__main__":
    gc.disable()
    place = payments.installed(Path(sys.argv[1]))
    with open_log(place) as opened:
        print(json.dumps(append(opened, place, rate=int(sys.argv[2]), seconds=int(sys.argv[3]))))
