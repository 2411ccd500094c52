"""The shop's payments in motion, held against a plain list of earlier payments."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from penstock.spec.loading import load_project
from tests.commerce.looked_up import TABLES
from tests.stream.running_topology import Desk

ROOT = Path(__file__).parents[2]
START = datetime(2020, 1, 1, tzinfo=UTC)
MONEY = pa.decimal128(18, 4)


def payment(
    number: int, user: str, amount: str, *, at: int, currency: str = "EUR", status: str = "captured"
) -> dict[str, Any]:
    return {
        "store_id": "s",
        "payment_id": f"p{number}",
        "user_id": user,
        "merchant_id": f"m{number % 3}",
        "payment_method": "card",
        "status": status,
        "amount": Decimal(amount),
        "currency": currency,
        "occurred_at": START + timedelta(seconds=at),
    }


@pytest.fixture
def till() -> Desk:
    return Desk(load_project(ROOT / "projects" / "commerce", environment={}), "payments_live", tables=TABLES)


def test_a_payment_is_scored_against_the_earlier_ones_of_its_user(till: Desk) -> None:
    amounts = [f"{10 + (7 * number) % 11}.5000" for number in range(40)]
    amounts[33] = "900.0000"
    payments = [payment(number, f"u{number % 2}", amount, at=number) for number, amount in enumerate(amounts)]
    till.lend(payments, topic="transactions")
    till.finish()

    earlier: dict[str, list[float]] = defaultdict(list)
    expected = {}
    for one in payments:
        before = earlier[one["user_id"]]
        mean = math.fsum(before) / len(before) if before else None
        spread = (
            math.sqrt(math.fsum((x - mean) ** 2 for x in before) / (len(before) - 1))
            if mean is not None and len(before) >= 10
            else None
        )
        score = None if mean is None or spread is None else (float(one["amount"]) - mean) / spread
        expected[one["payment_id"]] = (len(before), mean, score)
        before.append(float(one["amount"]))

    found = {row["payment_id"]: row for row in till.rows("transactions_enriched")}
    assert found.keys() == expected.keys()
    for name, (count, mean, score) in expected.items():
        row = found[name]
        assert row["user_txn_count"] == count
        assert row["user_running_mean"] == pytest.approx(mean)
        assert row["z_score"] == pytest.approx(score)
        assert row["is_anomaly"] == (score is not None and score > 3)
    assert [row["payment_id"] for row in till.rows("anomalies")] == ["p33"]
    assert [row["payment_id"] for row in till.rows("live.recent_anomalies")] == ["p33"]
    (suspect,) = till.rows("live.suspect_payments")
    weighed = -4 + 0.9 * min(found["p33"]["z_score"], 20) + 1.0  # after midnight, not the first
    assert (suspect["payment_id"], suspect["odds"]) == ("p33", pytest.approx(1 / (1 + math.exp(-weighed))))


def test_an_amount_is_in_base_currency_and_a_user_has_region_and_segment(till: Desk) -> None:
    payments = [payment(1, "u0", "100.0000", at=0, currency="USD"), payment(2, "u1", "30.0000", at=1)]
    till.lend(payments, topic="transactions")
    till.finish()

    rows = till.rows("transactions_enriched")

    assert [(row["base_amount"], row["amount_category"]) for row in rows] == [
        (Decimal("90.0000"), "medium"),
        (Decimal("30.0000"), "medium"),
    ]
    assert [(row["region"], row["segment"]) for row in rows] == [("north", "gold"), (None, None)]


def test_days_of_users_and_merchants_sum_captured_payments_once(till: Desk) -> None:
    once = payment(1, "u0", "10.0000", at=0)
    rows = [once, once, payment(2, "u0", "5.0000", at=60), payment(3, "u0", "99.0000", at=61, status="failed")]
    till.lend(rows, topic="transactions")
    till.finish()

    users = {row["user_id"]: row for row in till.rows("live.user_days")}
    merchants = {row["merchant_id"]: row for row in till.rows("live.merchant_days")}

    assert (users["u0"]["payments"], users["u0"]["spent"]) == (2, Decimal("15.0000"))
    assert {name: (row["taken"], row["payers"]) for name, row in merchants.items()} == {
        "m1": (Decimal("10.0000"), 1),
        "m2": (Decimal("5.0000"), 1),
    }


def test_a_topology_that_looks_tables_up_may_begin_with_nothing(till: Desk) -> None:
    with till.running() as runner:
        till.clock.sleep(3600)

        assert runner.turn() is None


def event(name: str, user: str, *, at: int) -> dict[str, Any]:
    return {"event_id": name, "user_id": user, "event_type": "view", "occurred_at": START + timedelta(seconds=at)}


def test_a_payment_stands_beside_the_nearest_event_of_its_user(till: Desk) -> None:
    till.lend([payment(1, "u0", "10.0000", at=4000), payment(2, "u1", "5.0000", at=4000)], topic="transactions")
    till.lend([event("early", "u0", at=3000)], topic="customer_events")
    till.finish()
    till.lend(
        [event("b", "u0", at=4500), event("a", "u0", at=4500), event("far", "u1", at=9000)], topic="customer_events"
    )
    till.finish()

    latest = {row["payment_id"]: row for row in till.rows("live.real_time_enriched_dataset")}

    assert {name: row["event_id"] for name, row in latest.items()} == {"p1": "a", "p2": None}
    assert latest["p1"]["version"] > 1


def test_what_is_served_live_stands_where_the_shop_promises_it() -> None:
    project = load_project(ROOT / "projects" / "commerce", environment={})

    served = {one.path: one.table for one in project.live}

    assert served == {
        "/users/{id}/trends": "user_days",
        "/anomalies": "recent_anomalies",
        "/merchants/top": "merchant_days",
        "/real_time_metrics": "real_time_metrics",
        "/stock": "low_stock",
    }
    assert {one.table for one in project.measures} == {"real_time_metrics"}
