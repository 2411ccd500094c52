"""The outside world of this project: a shop's history arrives, then one more day with some dirt.

`penstock demo` calls the two deliveries, asks the questions, holds the metrics against `expected`, and then lets the shop
run (`live`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

VARIABLE = "COMMERCE_INBOX"
TRUTH = "truth.json"
SIZE = "PENSTOCK_DEMO_ORDERS"
"""The environment's variable for another number of orders; customers and products follow."""

ORDERS, DAYS, DAILY, FAULTS = 100_000, 730, 10, 2
"""100,000 orders in two years; the last ten days come as daily files, with two faults of each kind."""

SUMS = ("gross_sales", "discounts", "cancellations", "returns", "net_sales", "cost_of_goods", "ad_spend")
COUNTS = ("orders", "new_customers", "human_sessions", "converted_sessions", "units_delivered", "units_refunded")
RATIOS = ("average_order_value", "gross_margin", "conversion_rate", "customer_acquisition_cost", "return_rate")

BEST = """
SELECT category, base_currency AS currency, round(sum(net_sales), 2) AS net_sales,
  round(sum(gross_profit), 2) AS gross_profit
FROM gold.product_profitability GROUP BY ALL ORDER BY net_sales DESC LIMIT 6
"""
DIFFERENCES = """
SELECT payment_state, refund_state, currency, count(*) AS orders, sum(difference) AS difference
FROM gold.order_reconciliation WHERE payment_state <> 'settled' OR refund_state <> 'matched'
GROUP BY ALL ORDER BY orders DESC LIMIT 6
"""
REFUSED = """
SELECT _file AS file, _line AS line, array_to_string(codes, ', ') AS broken_rules
FROM quarantine.payments UNION ALL
SELECT _file, _line, array_to_string(codes, ', ') FROM quarantine.shipping_charges
ORDER BY file, line LIMIT 10
"""
QUESTIONS = (
    ("What do we earn with?", BEST),
    ("Where do orders and payments disagree?", DIFFERENCES),
    ("What was refused, and why?", REFUSED),
)
NEXT = (
    ("metrics", "query", "net_sales", "--by", "store", "--grain", "month"),
    ("query", "SELECT * FROM gold.vw_customer_360 LIMIT 5"),
    ("quarantine", "list"),
    ("explain", "gold.sales_ledger"),
    ("status",),
)

RATE = 1_000
"""Events a second, once the shop is live."""

FIGURES = (
    (
        "real_time_metrics",
        "window_start desc",
        ("store_id", "metric", "part", "window_length", "window_start", "numerator", "denominator", "currency"),
    ),
    ("merchant_days", "taken desc", ("store_id", "merchant_id", "payments", "taken", "payers")),
    ("recent_anomalies", "occurred_at desc", ("store_id", "user_id", "base_amount", "z_score")),
)
"""Live tables to watch: in which order, and which columns of the first rows."""

LIVE_NEXT = (
    ("topics", "tail", "transactions"),
    ("stream", "rows", "merchant_days", "--order", "taken desc"),
)


def first_delivery(inbox: Path) -> str:
    """Everything but the last day; says what it is."""
    told = _simulate(inbox, "--truth", str(inbox.parent / TRUTH), "--last-due", str(DAYS - 2))
    return f"two years of a simulated shop but for the last day ({told})"


def second_delivery(inbox: Path) -> str:
    """The last day, with what was late and what is broken; says what it is."""
    told = _simulate(inbox, "--first-due", str(DAYS - 1))
    return f"the last day, with late files, corrections and broken lines ({told})"


def expected(inbox: Path) -> Iterator[tuple[str, str, str, bool, dict[tuple[str, str], Decimal]]]:
    """(metric, dimension, grain, whether exactly, value by member and first day of the period), as the simulator
    itself counted them."""
    truth: dict[str, Any] = json.loads((inbox.parent / TRUTH).read_text(encoding="utf-8"))["metrics"]
    for metric in (*SUMS, *COUNTS, *RATIOS):
        yield metric, "store", "day", metric not in RATIOS, _by_day(truth[metric]["days"])
    for days in (30, 90, 365):
        cohorts = truth[f"lifetime_value_{days}"]["cohorts"]
        by_month = {store: {f"{month}-01": value for month, value in of.items()} for store, of in cohorts.items()}
        yield f"lifetime_value_{days}", "store", "month", False, _by_day(by_month)
    yield "churn_rate", "store", "day", False, _by_day(truth["churn_rate"]["month_ends"])


def _by_day(stores: dict[str, dict[str, str]]) -> dict[tuple[str, str], Decimal]:
    return {(store, day): Decimal(value) for store, days in stores.items() for day, value in days.items()}


def live(project: Path, data: Path) -> list[str]:
    """The command that goes on where the deliveries end: what happens in the shop now, to the project's topics."""
    where = ["--project", str(project), "--data-dir", str(data)]
    return [sys.executable, str(Path(__file__).parent), "live", *where, *_named({**_shop(), "rate": RATE, "dirt": 1})]


def _shop() -> dict[str, int]:
    orders = int(os.environ.get(SIZE, ORDERS))
    return {"orders": orders, "customers": max(orders // 10, 60), "products": max(orders // 20, 30), "days": DAYS}


def _named(options: dict[str, int]) -> list[str]:
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]


def _simulate(inbox: Path, *options: str) -> str:
    shape = {**_shop(), "history": DAYS - DAILY, "dirt": FAULTS}
    command = [sys.executable, str(Path(__file__).parent), str(inbox), *_named(shape), *options]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip().split(", ")[1].split(" written")[0]  # the rows told are those of the whole shop
