"""Kill -9 at any moment: an outside ledger finds every event once in topics and live tables."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from penstock.log.protocol import beginning
from penstock.runtime.event_log import open_log
from penstock.runtime.installation import Installation
from penstock.runtime.topology import declared_topic
from penstock.store.live_reader import open_live
from penstock.stream.outgoing import records
from tests.stream.lending import lending
from tests.stream.running_topology import Row, loan

WATCH = """\
  - name: watch
    input: loans_typed
    steps:
      - running: {key: [member], value: fee, count: earlier, mean: usual}
      - {name: days, window: {size: P1D, by: [member], aggregates: {loans: count, paid: sum(fee)}}}
    outputs:
      - {live: days, from: days, key: [member, window_start]}
      - {topic: scored, from: running, key: [member], columns: [loan, member, fee, earlier]}
      - {live: latest, from: running, key: [member], columns: [member, loan, earlier]}
"""
MEMBERS = 37


def produce(installation: Installation, rows: list[Row]) -> None:
    with open_log(installation) as log:
        spec = declared_topic(installation.project, "loans_typed")
        log.ensure(spec)
        producer = log.producer("desk", "loans_typed")
        for first in range(0, len(rows), 500):
            table = pa.Table.from_pylist(rows[first : first + 500], schema=spec.schema)
            batch = records(table, tenant="default", key=("member",), time="lent")
            producer.append(batch, sequence=producer.last_sequence + 1)
        producer.close()


def run_until_killed(root: Path, rounds: int) -> int:
    """How the process ended; it is killed after so many lines, at some moment of the next round."""
    program = Path(__file__).parent / "stream_program.py"
    process = subprocess.Popen([sys.executable, program, root, str(rounds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(rounds):
        if not process.stdout.readline():
            break
    process.kill()
    process.stdout.close()
    return process.wait()


def read(installation: Installation, topic: str) -> list[Row]:
    with open_log(installation) as log:
        reader = log.reader(beginning(log, topic))
        found = []
        while chunks := reader.poll(100_000, 0.0):
            found += [row for chunk in chunks for row in chunk.records.to_pylist()]
        reader.close()
        return found


@pytest.mark.parametrize("seed", [1])
def test_a_killed_stream_loses_doubles_and_alters_nothing(tmp_path: Path, seed: int) -> None:
    lending(tmp_path, WATCH)
    installation = Installation.at(tmp_path)
    choice = random.Random(seed)
    written = [
        loan(number, f"m{choice.randrange(MEMBERS)}", fee=f"{choice.randrange(100)}.00") for number in range(6000)
    ]
    produce(installation, written)

    ends = [run_until_killed(tmp_path, choice.randrange(1, 6)) for _ in range(3)]
    last = run_until_killed(tmp_path, 10_000)

    scored = read(installation, "scored")
    assert (ends[0], last) == (-9, 0)
    assert Counter(row["loan"] for row in scored) == Counter(row["loan"] for row in written)
    earlier: Counter[str] = Counter()
    for row in sorted(written, key=lambda one: int(one["loan"][1:])):
        expected = (row["member"], Decimal(row["fee"]), earlier[row["member"]])
        earlier[row["member"]] += 1
        row["expected"] = expected
    by_loan = {row["loan"]: (row["member"], row["fee"], row["earlier"]) for row in scored}
    assert by_loan == {row["loan"]: row["expected"] for row in written}
    live = open_live(installation.place.root / "live", "latest").rows(limit=1000)
    assert {row["member"]: row["earlier"] + 1 for row in live} == dict(earlier)
    days = open_live(installation.place.root / "live", "days").rows(limit=1000)
    assert {row["member"]: row["loans"] for row in days} == dict(earlier)
    assert sum(row["paid"] for row in days) == sum(int(row["fee"] * 100) for row in written)
