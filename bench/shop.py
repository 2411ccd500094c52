"""The simulated shop: the reference's own size and shape, the full model, one new day, nothing new, and ten times that.

Every run is held against the simulator's truth file before any time counts: rows of hubs, links and satellites, and
every metric for every store and day (sums and counts exactly, quotients to 1e-9).
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.figure import Figure, Outcome
from bench.process import Cost
from bench.process import run as run_process
from penstock.runtime.installation import Installation
from penstock.runtime.metric_comparison import compare

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "projects" / "commerce"
SIMULATOR = PROJECT / "simulator"
PENSTOCK = Path(sys.executable).parent / "penstock"

# What the reference loads: customers, products, and transactions with their items.
REFERENCE = ("customers", "products", "variants", "orders", "order_items", "stores", "fx_rates")
VAULT = ("hub_customer", "hub_product", "hub_order", "link_customer_order", "link_order_product")
SATELLITES = ("sat_customer", "sat_product", "sat_order")
DAYS, NEW_DAYS = 200, 3  # a day is 0.5 % of the rows
MILLION_ROWS = ("--orders", "36000", "--customers", "3600", "--products", "1800", "--days", "200", "--cut", "all")
ROUNDS = 3


class NotTheTruth(Exception):
    """A run did not give what the simulator counted, so its time says nothing."""


@dataclass
class Shop:
    """A simulated shop of a size, delivered bit by bit; what each run cost is kept by kind."""

    folder: Path
    scale: int = 1
    costs: dict[str, list[Cost]] = field(default_factory=dict)

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    @property
    def truth_file(self) -> Path:
        return self.folder / "truth.json"

    @property
    def truth(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads(self.truth_file.read_text())
        return found

    def deliver(self, *options: str) -> str:
        """Write files; what the simulator says of them."""
        size = {"orders": 100_000, "customers": 10_000, "products": 5_000}
        scaled = [word for name, value in size.items() for word in (f"--{name}", str(value * self.scale))]
        shape = ["--days", str(DAYS), "--history", str(DAYS - NEW_DAYS), "--truth", str(self.truth_file)]
        command = [sys.executable, str(SIMULATOR), str(self.inbox), *scaled, *shape, *options]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def run(self, kind: str, data: Path) -> Cost:
        command: list[str | Path] = [PENSTOCK, "run", "--project", PROJECT, "--data-dir", data, "--json"]
        cost = run_process(command, env=self.environment)
        self.costs.setdefault(kind, []).append(cost)
        print(f"  {kind:<42} {cost.seconds:6.2f} s  {cost.peak_mb:6.0f} MB", flush=True)
        return cost

    @property
    def environment(self) -> Mapping[str, str]:
        return {"COMMERCE_INBOX": str(self.inbox), "PENSTOCK_PROFILE": "reference"}

    def installation(self, data: Path) -> Installation:
        return Installation.at(PROJECT, data, environment={**os.environ, **self.environment})

    def status(self, data: Path) -> Mapping[str, int]:
        """Rows by table."""
        command: list[str | Path] = [PENSTOCK, "status", "--project", PROJECT, "--data-dir", data, "--json"]
        tables = json.loads(run_process(command, env=self.environment).output)["tables"]
        return {table["name"]: table["rows"] for table in tables}

    def require_vault(self, data: Path) -> None:
        """Rows of every hub, link and satellite are those that the simulator counted."""
        rows, counted = self.status(data), self.truth["vault"]
        wrong = [
            f"{name}: {rows.get(f'gold.{name}')} rows, {counted[name]} expected"
            for name in (*VAULT, *SATELLITES)
            if rows.get(f"gold.{name}") != counted[name]
        ]
        if wrong:
            raise NotTheTruth("; ".join(wrong))
        print("  the vault's counts are the truth", flush=True)

    def require_metrics(self, data: Path) -> int:
        """Every metric is what the simulator counted; how many values were compared."""
        compared = list(compare(self.installation(data), deliveries().expected(self.inbox)))
        wrong = [f"{one.metric}: {one.differing} of {one.values} values" for one in compared if not one.equal]
        if wrong or not compared:
            raise NotTheTruth("; ".join(wrong))
        values = sum(one.values for one in compared)
        print(f"  {len(compared)} metrics, {values:,} values are the truth", flush=True)
        return values


def deliveries() -> Any:
    """The simulator's own reading of its truth file."""
    from penstock.runtime.demo import outside

    return outside(PROJECT)


def run(folder: Path) -> Outcome:
    reference, full = Shop(folder / "reference"), Shop(folder / "full")
    cost = run_process([sys.executable, SIMULATOR, folder / "million", *MILLION_ROWS])
    made = cost.output.strip().replace(f"{folder}/", "")
    print(f"  {made}", flush=True)
    reference.deliver()
    for extra in sorted(reference.inbox.iterdir()):
        if extra.name not in REFERENCE:
            shutil.rmtree(extra)
    for turn in range(ROUNDS):
        data = folder / f"reference-{turn}"
        reference.run("reference's shape, from empty", data)
        reference.require_vault(data)
    full.deliver("--last-due", str(DAYS - NEW_DAYS - 1))
    for turn in range(ROUNDS):
        data = folder / f"full-{turn}"
        full.run("full model, from empty", data)
    rows = sum(count for name, count in full.status(data).items() if name.startswith("bronze."))
    _days(full, data)
    for _ in range(ROUNDS):
        full.run("nothing new", data)
    values = full.require_metrics(data)
    full.require_vault(data)
    command = ("metrics", "query", "net_sales", "--by", "store", "--grain", "month", "--json")
    shutil.rmtree(folder / "full-0")
    large = Shop(folder / "large", scale=10)
    large.deliver("--last-due", str(DAYS - NEW_DAYS - 1))
    big = folder / "large-0"
    large.run("ten times, from empty", big)
    _days(large, big)
    large.require_vault(big)
    asked = [
        run_process([PENSTOCK, *command, "-p", PROJECT, "--data-dir", big], env=large.environment)
        for _ in range(ROUNDS)
    ]
    ledger = large.status(big)["gold.sales_ledger"]
    return Outcome(
        figures=[*_figures(full, reference, large, rows), *_asked(asked, ledger)],
        runs={
            f"{kind}, {unit}": [getattr(cost, attribute) for cost in costs]
            for shop in (reference, full, large)
            for kind, costs in shop.costs.items()
            for unit, attribute in (("s", "seconds"), ("MB", "peak_mb"))
        },
        notes=[
            "Times are wall clock of whole commands, start of Python included; median of three.",
            "Ten times the size: one run from empty, and the median of three days.",
            f"The reference's shape: only {', '.join(REFERENCE)} are delivered; the whole project runs over them.",
            f"Every metric was compared with the truth first: {values:,} values.",
            f"Simulator: {made} ({cost.seconds:.1f} s with the start of Python).",
        ],
    )


def _days(shop: Shop, data: Path) -> None:
    for day in range(DAYS - NEW_DAYS, DAYS):
        shop.deliver("--day", str(day))
        shop.run("one new day" if shop.scale == 1 else "one new day at ten times the size", data)


def _figures(full: Shop, reference: Shop, large: Shop, rows: int) -> Sequence[Figure]:
    def median(shop: Shop, kind: str) -> float:
        return statistics.median(cost.seconds for cost in shop.costs[kind])

    def peak(*shops: Shop) -> float:
        return max(cost.peak_mb for shop in shops for costs in shop.costs.values() for cost in costs)

    day, large_day = median(full, "one new day"), median(large, "one new day at ten times the size")
    return [
        Figure(
            "reference's shape, empty to released gold", median(reference, "reference's shape, from empty"), "s", 15
        ),
        Figure(f"full model, {rows:,} rows, empty to released gold", median(full, "full model, from empty"), "s", 40),
        Figure("one new day (0.5 % of the rows)", day, "s", 8),
        Figure("nothing new", median(full, "nothing new"), "s", 2),
        Figure("one new day at ten times the size", large_day, "s"),
        Figure("one new day at ten times the size, to the reference's", large_day / day, "x", 2),
        Figure("ten times the size, empty to released gold", median(large, "ten times, from empty"), "s"),
        Figure("peak memory", peak(reference, full), "MB", 1500),
        Figure("peak memory at ten times the size", peak(large), "MB", 3000),
    ]


def _asked(asked: Sequence[Cost], ledger: int) -> Sequence[Figure]:
    seconds = statistics.median(cost.seconds for cost in asked)
    return [Figure(f"metric as a command, {ledger:,} ledger rows", seconds, "s", 1)]
