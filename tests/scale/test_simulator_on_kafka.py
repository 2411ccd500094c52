"""The live shop appends to Kafka as it does to the log of the data directory: each event once, also after a restart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.scale.broker import Broker

COMMERCE = Path(__file__).parent.parent.parent / "projects" / "commerce"
SHOP = ("--orders", "1000", "--customers", "200", "--products", "60", "--days", "60")


def call(broker: Broker, *command: str | Path) -> str:
    environment = {**os.environ, "PENSTOCK_KAFKA": broker.servers}
    return subprocess.run([*map(str, command)], env=environment, capture_output=True, text=True, check=True).stdout


def test_a_simulator_that_comes_again_goes_on_in_the_topics_of_a_broker(tmp_path: Path, broker: Broker) -> None:
    where = ("--project", COMMERCE, "--data-dir", tmp_path)
    live = (sys.executable, COMMERCE / "simulator", "live", *where, *SHOP)

    call(broker, *live, "--rate", "0", "--events", "5000")
    call(broker, *live, "--rate", "2000", "--events", "2000")

    told = [json.loads(line) for line in (tmp_path / "simulator" / "live.jsonl").read_text().splitlines()]
    truth = {topic: sum(one["rows"][topic] for one in told if "batch" in one) for topic in told[-1]["rows"]}
    penstock = Path(sys.executable).parent / "penstock"
    orders = json.loads(call(broker, penstock, "topics", "peek", "order_lines_live", "--limit", "5000", *where))
    payments = json.loads(call(broker, penstock, "topics", "peek", "transactions", "--limit", "5000", *where))
    assert sum(truth.values()) == 7_000
    assert (len(orders), len(payments)) == (truth["order_lines_live"], truth["transactions"])
    assert len({row["payment_id"] for row in payments}) == len(payments)
