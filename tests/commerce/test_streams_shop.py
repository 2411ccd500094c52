"""The shop's orders, visits and stock in motion, held against plain sums over the rows that were sent."""

from __future__ import annotations

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


def told(rows: list[dict[str, Any]], length: str = "P1D") -> dict[tuple[date, str], Decimal | tuple[Decimal, int]]:
    """Each metric of each business day, of windows of this length: the rows of a day are added up."""
    latest = {
        tuple(row[name] for name in ("store_id", "metric", "part", "business_date", "window_start")): row
        for row in rows
        if row["window_length"] == length and row["numerator"]
    }
    found: dict[tuple[date, str], Any] = {}
    for row in latest.values():
        name = (row["business_date"], row["metric"])
        above, below = found.get(name, (Decimal(0), 0))
        found[name] = (above + row["numerator"], below + (row["denominator"] or 0))
    return {name: (above, below) if below else above for name, (above, below) in found.items()}


def test_orders_and_gross_sales_are_those_of_the_local_day_on_which_they_were_placed() -> None:
    late_evening = 86400 - 1800  # in Berlin the next day has begun
    rows = [
        line("o1", 1, "10.0000", at=60, quantity=2),
        line("o1", 2, "5.0000", at=60, discount_amount=Decimal("1.5000")),
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

    days = told(shop.rows("sales_metrics"))
    assert days == {
        (date(2020, 1, 1), "orders"): 3,
        (date(2020, 1, 1), "gross_sales"): 46,  # 20 dollars are 18
        (date(2020, 1, 1), "discounts"): Decimal("1.5"),
        (date(2020, 1, 1), "net_sales"): Decimal("44.5"),
        (date(2020, 1, 1), "average_order_value"): (Decimal("44.5"), 3),
        (date(2020, 1, 2), "orders"): 2,
        (date(2020, 1, 2), "gross_sales"): 8,
        (date(2020, 1, 2), "net_sales"): 8,
        (date(2020, 1, 2), "average_order_value"): (8, 2),
    }
    assert told(shop.rows("sales_metrics"), "PT1M") == days


def cancelled(number: int, *, line_no: int | None = None, quantity: int | None = None, order: str = "o1") -> Any:
    return {
        "store_id": "s",
        "event_id": f"e{number}",
        "order_id": order,
        "line_no": line_no,
        "event_type": "cancelled",
        "quantity": quantity,
        "occurred_at": START + timedelta(seconds=number),
    }


@pytest.mark.parametrize(
    ("events", "amount"),
    [
        ([cancelled(1, line_no=2)], "4.5"),
        ([cancelled(1, line_no=1, quantity=1)], "6.90003"),  # 10 less 2.3333, at 0.9
        ([cancelled(1, line_no=1, quantity=1), cancelled(2, line_no=1, quantity=9)], "20.69991"),  # 3 were ordered
        ([cancelled(1)], "25.19991"),
        ([cancelled(1, line_no=1, quantity=1), cancelled(2)], "25.19991"),
        ([cancelled(1), cancelled(2), cancelled(3, line_no=2)], "25.19991"),
        ([cancelled(1, line_no=2), cancelled(1, line_no=2)], "4.5"),  # came twice
        ([cancelled(1, line_no=2), cancelled(2, order="o2"), cancelled(3, order="new")], "4.5"),
    ],
)
def test_what_is_cancelled_is_taken_back_once_less_its_discount(events: list[Any], amount: str) -> None:
    shop = desk("cancellations_live")
    shop.lend(events, topic="order_events_live")
    shop.finish()

    assert told(shop.rows("cancellation_metrics")) == {
        (date(2020, 1, 1), "cancellations"): Decimal(amount),
        (date(2020, 1, 1), "net_sales"): -Decimal(amount),
    }


def told_of(order: str, **more: Any) -> dict[str, Any]:
    """What a row says of an order that no release knows: placed at half past eleven in the evening, in UTC."""
    placed = START - timedelta(minutes=30)  # in Berlin the day of the rate has begun
    return {"order_id": order, "order_currency": "USD", "order_placed_at": placed, "order_is_test": False, **more}


def test_a_cancellation_counts_by_what_it_tells_of_an_order_that_no_release_has() -> None:
    line = {"ordered_quantity": 3, "ordered_gross": Decimal("30.0000"), "ordered_discount": Decimal("7.0001")}
    whole = {"ordered_gross": Decimal("10.0000")}
    shop = desk("cancellations_live")
    shop.lend(
        [
            cancelled(1, line_no=1, quantity=1) | told_of("new", **line),
            cancelled(2, line_no=1, quantity=9) | told_of("new", **line),
            cancelled(3) | told_of("newer", **whole),
            cancelled(4) | told_of("a try", **whole, order_is_test=True),
            cancelled(5, line_no=2) | told_of("o1", **line),  # the release knows better
            cancelled(6, order="silent"),
        ],
        topic="order_events_live",
    )
    shop.finish()

    amount = Decimal("0.9") * (Decimal("22.9999") + 10 + 5)
    assert told(shop.rows("cancellation_metrics")) == {
        (date(2020, 1, 1), "cancellations"): amount,
        (date(2020, 1, 1), "net_sales"): -amount,
    }


def test_a_refund_counts_by_what_it_tells_of_an_order_that_no_release_has() -> None:
    shop = desk("returns_live")
    shop.lend([refund("r1", "new", "4.0000", at=60) | told_of("new")], topic="refunds_live")
    shop.finish()

    assert told(shop.rows("return_metrics"))[date(2020, 1, 1), "returns"] == Decimal("3.6")


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

    assert told(shop.rows("return_metrics")) == {
        (date(2020, 1, 1), "returns"): Decimal("3.6"),  # at the rate of the day on which the order was placed
        (date(2020, 1, 1), "net_sales"): Decimal("-3.6"),
    }


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
    rows = shop.rows("visitor_metrics")
    minutes = {
        row["window_start"]: (row["numerator"], row["denominator"])
        for row in rows
        if (row["metric"], row["window_length"]) == ("sessions_with_purchase", "PT1M")
    }
    users = {
        row["window_start"]: row["numerator"]
        for row in rows
        if (row["metric"], row["window_length"]) == ("active_users", "PT5M")
    }
    steps = {row["part"]: row["numerator"] for row in shop.rows("funnel_metrics")}

    assert visits == [("a", 3, 1), ("b", 1, 0), ("b", 1, 0)]
    assert steps == {"page_view": 2, "add_to_cart": 1, "purchase": 1}
    assert [both for _, both in sorted(minutes.items())][:3] == [(0, 1), (0, 1), (1, 2)]
    assert users[START - timedelta(minutes=2)] == 2
    assert told(rows) == {
        (date(2020, 1, 1), "active_users"): 2,
        (date(2020, 1, 1), "sessions_with_cart"): (1, 2),
        (date(2020, 1, 1), "sessions_with_purchase"): (1, 2),
    }


def test_a_session_of_people_converts_once_on_the_local_day_of_its_start() -> None:
    evening = 86400 - 1800  # in Berlin the next day has begun
    of_store = {"store_id": "s", "session_started_at": START + timedelta(seconds=evening)}
    looks = [
        look(1, "page_view", "a", at=60),
        look(2, "purchase", "a", at=120),
        look(3, "purchase", "a", at=180),
        look(4, "page_view", "b", at=130) | {"is_bot": False},
        look(5, "purchase", "c", at=140) | {"is_staff": True},
        look(6, "page_view", "d", at=150) | {"is_bot": True},
        look(7, "page_view", None, at=160),
        look(8, "page_view", "e", at=evening) | of_store,
        look(9, "purchase", "e", at=86400 + 30) | of_store,  # on another day in UTC
    ]
    shop = desk("visitors_live")
    shop.lend(looks, topic="customer_events")
    shop.finish()

    for length in ("P1D", "PT1M"):
        latest = {
            (row["store_id"], row["business_date"], row["part"], row["window_start"]): row
            for row in shop.rows("conversion_metrics")
            if row["window_length"] == length
        }
        found: dict[tuple[str, date], tuple[Decimal, int]] = {}
        for (store, day, _, _), row in latest.items():
            above, below = found.get((store, day), (Decimal(0), 0))
            found[store, day] = (above + row["numerator"], below + row["denominator"])
        assert found == {("all", date(2020, 1, 1)): (Decimal(1), 2), ("s", date(2020, 1, 2)): (Decimal(1), 1)}


@pytest.mark.parametrize(("last", "low"), [(-1, False), (-2, True)])
def test_stock_is_what_was_released_with_all_that_moved_and_low_at_the_reorder_point(last: int, low: bool) -> None:
    moved = [(1, "v1", 10), (2, "v1", -3), (2, "v1", -3), (3, "v1", last), (4, "gone", -9), (5, "new", 1)]
    rows = [
        {
            "store_id": "s",
            "movement_id": f"m{number}",
            "variant_id": variant,
            "location": "warehouse",
            "quantity": quantity,
            "reason": "shipment",
            "occurred_at": START + timedelta(seconds=number),
        }
        for number, variant, quantity in moved
    ]
    shop = desk("stock_live")
    shop.lend(rows, topic="inventory_changes")
    shop.finish()

    latest = {row["variant_id"]: row for row in shop.rows("live.low_stock")}

    assert {name: (row["moved"], row["on_hand"], row["needs_reorder"]) for name, row in latest.items()} == {
        "v1": (7 + last, 107 + last, low),
        "gone": (-9, 91, False),  # not sold any more
        "new": (1, 1, False),  # no release has it
    }
    seen = [(row["numerator"], row["denominator"]) for row in shop.rows("stock_metrics")]
    assert set(seen) == {(int(low), 3)}
