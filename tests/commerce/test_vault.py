"""The shop's vault: its tables hold as many rows as the simulator says there must be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from penstock.release.reader import open_reader
from penstock.runtime.installation import Installation
from penstock.runtime.run import run
from penstock.runtime.watch import Unwatched
from tests.commerce.hand_shop import begin

COMMERCE = Path(__file__).parents[2] / "projects" / "commerce"
SMALL = ["--customers", "60", "--products", "20", "--orders", "150", "--days", "30", "--cut", "all"]
TABLES = (
    "hub_customer",
    "hub_product",
    "hub_order",
    "sat_customer",
    "sat_product",
    "sat_order",
    "link_customer_order",
    "link_order_product",
)


def test_the_vault_holds_what_the_simulator_counts(tmp_path: Path, compiled: Path) -> None:
    inbox, truth = tmp_path / "inbox", tmp_path / "truth.json"
    simulator = [sys.executable, str(COMMERCE / "simulator"), str(inbox), "--truth", str(truth), *SMALL]
    subprocess.run(simulator, check=True, capture_output=True)
    begin(tmp_path / "data", compiled)
    installation = Installation.at(COMMERCE, tmp_path / "data", environment={"COMMERCE_INBOX": str(inbox)})
    report = run(installation, Unwatched())
    assert report.outcome == "released", report.verdict
    with open_reader(installation.place.root, installation.world) as reader:
        counted = {
            table: reader.connection.execute(f"SELECT count(*) FROM gold.{table}").fetchall()[0][0] for table in TABLES
        }
    expected = json.loads(truth.read_text())["vault"]
    assert counted == {table: expected[table] for table in TABLES}
