"""The shop's orders, visits and stock in motion, held against plain sums over the rows that were sent."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from penstock.spec.loading import load_project
from tests.commerce.looked_up import TABLES
from tests.stream.running_topology import Desk

ROOT = Path(__file__).parents[2]
START = datetime(2020, 1, 1, tzinfo=UTC)
PROJECT = load_project(ROOT / "projects" / "commerce", environment={})


def desk(topology: str) -> Desk:
    made = Desk(PROJECT, topology, tables=TABLES)
    made.clock.sleep(3 * 86400)
    return made


def line(order: str, number: int, price: str, *, at: int, quantity: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "store_id": "s",
        "order_id": order,
        "line_no": number,
        "variant_id": "v1",
        "product_id": "p",
        "quantity": quantity,
        "list_price": Decimal(price),
        "currency": "EUR",
        "is_test": False,
        "placed_at": START + timedelta(seconds=at),
        **more,
    }


def by_day(rows: list[dict[str, Any]]) -> dict[tuple[date, str], tuple[int, Decimal, Decimal]]:
    """Orders, amount and gross sales of each local day and currency: the parts of a day are added up."""
    found: dict[tuple[date, str], tuple[int, Decimal, Decimal]] = defaultdict(lambda: (0, Decimal(0), Decimal(0)))
    for row in {(row["business_date"], row["currency"], row["window_start"]): row for row in rows}.values():
        orders, amount, gross = found[row["business_date"], row["currency"]]
        sums = (orders + row["orders"], amount + row["amount"], gross + row["gross_sales"])
        found[row["business_date"], row["currency"]] = sums
    return dict(found)


def test_orders_and_gross_sales_are_those_of_the_local_day_on_which_they_were_placed() -> None:
    late_evening = 86400 - 1800  # in Berlin the next day has begun
    rows = [
        line("o1", 1, "10.0000", at=60, quantity=2),
        line("o1", 2, "5.0000", at=60),
        line("o1", 1, "10.0000", at=60, quantity=2),  # came twice
        line("o2", 1, "99.0000", at=70, is_test=True),
        line("o3", 1, "20.0000", at=80, currency="USD"),
        line("o4", 1, "7.0000", at=late_evening),
        line("o5", 1, "1.0000", at=86400 + 60),
        line("o6", 1, "3.0000", at=90),  # late, within the lateness
    ]
    shop = desk("sales_live")
    shop.lend(rows, topic="order_lines_live")
    shop.finish()

    assert by_day(shop.rows("live.order_days")) == {
        (date(2020, 1, 1), "EUR"): (2, Decimal("28.0000"), Decimal("28.000000")),
        (date(2020, 1, 1), "USD"): (1, Decimal("20.0000"), Decimal("18.000000")),
        (date(2020, 1, 2), "EUR"): (2, Decimal("8.0000"), Decimal("8.000000")),
    }
    assert by_day(shop.rows("live.order_minutes")) == by_day(shop.rows("live.order_days"))


def refund(name: str, order: str, amount: str, *, at: int) -> dict[str, Any]:
    return {
        "store_id": "s",
        "refund_id": name,
        "line_no": 1,
        "order_id": order,
        "order_line_no": 1,
        "quantity": 1,
        "amount": Decimal(amount),
        "refunded_at": START + timedelta(seconds=at),
    }


def test_what_is_given_back_counts_once_on_its_own_day_and_not_for_tests_or_unknown_orders() -> None:
    once = refund("r1", "o1", "4.0000", at=60)
    shop = desk("returns_live")
    shop.lend(
        [once, once, refund("r2", "o2", "9.0000", at=61), refund("r3", "new", "8.0000", at=62)], topic="refunds_live"
    )
    shop.finish()

    latest = shop.rows("live.return_days")[-1]

    assert (latest["business_date"], latest["refunds"], latest["amount"]) == (date(2020, 1, 1), 1, Decimal("4.0000"))


def look(number: int, kind: str, session: str | None, *, at: int, user: str | None = "u") -> dict[str, Any]:
    occurred = START + timedelta(seconds=at)
    return {
        "event_id": f"e{number}",
        "user_id": user,
        "event_type": kind,
        "session_id": session,
        "occurred_at": occurred,
    }


def test_visits_users_and_steps_of_the_funnel_are_counted_as_they_happen() -> None:
    looks = [
        look(1, "page_view", "a", at=0),
        look(1, "page_view", "a", at=0),  # came twice
        look(2, "add_to_cart", "a", at=60),
        look(3, "purchase", "a", at=120),
        look(4, "page_view", "b", at=130, user="w"),
        look(5, "page_view", "b", at=130 + 1800, user="w"),  # half an hour later: another visit
    ]
    shop = desk("visitors_live")
    shop.lend(looks, topic="customer_events")
    shop.finish()

    standing = {}
    for row in shop.rows("live.sessions"):
        standing[row["session_id"], row["window_start"]] = row
    visits = sorted((row["session_id"], row["events"], row["purchases"]) for row in standing.values())
    funnel = {row["event_type"]: (row["sessions"], row["users"]) for row in shop.rows("live.funnel")}
    minutes = {row["window_start"]: row for row in shop.rows("live.conversion_minutes")}
    users = {row["window_start"]: row["users"] for row in shop.rows("live.active_users")}

    assert visits == [("a", 3, 1), ("b", 1, 0), ("b", 1, 0)]
    assert funnel == {"page_view": (2, 2), "add_to_cart": (1, 1), "purchase": (1, 1)}
    assert [(row["sessions"], row["buying_sessions"]) for _, row in sorted(minutes.items())][:3] == [
        (1, 0),
        (1, 0),
        (2, 1),
    ]
    assert users[START - timedelta(minutes=2)] == 2


@pytest.mark.parametrize(("last", "low"), [(-1, False), (-2, True)])
def test_stock_is_the_sum_of_its_movements_and_low_at_the_reorder_point(last: int, low: bool) -> None:
    moved = [(1, 10), (2, -3), (2, -3), (3, last)]
    rows = [
        {
            "store_id": "s",
            "movement_id": f"m{number}",
            "variant_id": "v1",
            "location": "warehouse",
            "quantity": quantity,
            "reason": "shipment",
            "occurred_at": START + timedelta(seconds=number),
        }
        for number, quantity in moved
    ]
    shop = desk("stock_live")
    shop.lend(rows, topic="inventory_changes")
    shop.finish()

    latest = shop.rows("live.low_stock")[-1]

    assert (latest["moved"], latest["needs_reorder"], latest["sku"]) == (7 + last, low, "S1")
