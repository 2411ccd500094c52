"""What is well-formed and yet wrong: the gate names each of it, row by row, as often as the truth counts it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from simulator.drops import cut, write
from simulator.options import Options
from simulator.shop import simulate
from simulator.truth import oddities

from tests.commerce.hand_shop import Shop

ODD = Options(customers=40, products=20, orders=150, days=60, stores=4, odd=2, cut="all")
CHECKS = {
    "order_without_customer": "customers_of_orders_have_arrived",
    "refund_above_sale": "refunds_within_the_sale",
    "negative_stock": "stock_is_not_negative",
}
KEYS = ("store_id", "order_id", "variant_id", "location")  # that of stock, not the personal one of a payment
Row = Mapping[str, Any]


@pytest.fixture(scope="module")
def judged(
    tmp_path_factory: pytest.TempPathFactory, compiled: Path
) -> tuple[dict[str, Row], Mapping[str, list[dict[str, object]]]]:
    """What the gate said of a shop with oddities, by check; and what is odd, by kind."""
    made = simulate(ODD)
    shop = Shop.at(tmp_path_factory.mktemp("odd"), compiled)
    write(cut(made), shop.inbox)
    report = shop.run(expected=1)
    return {check["name"]: check for check in report["checks"]}, oddities(made)


@pytest.mark.parametrize("kind", CHECKS)
def test_a_warning_names_each_odd_row_and_says_what_to_do(judged: Any, kind: str) -> None:
    checks, odd = judged
    check, columns = checks[CHECKS[kind]], [name for name in odd[kind][0] if name in KEYS]

    assert (check["status"], check["message"]) == ("fail", f"{len(odd[kind])} rows break the rule")
    assert rows(check["sample"], columns) == rows(odd[kind], columns)[: len(check["sample"])]
    assert "eliver" in check["description"]


def test_amounts_without_a_rate_keep_gold_back(judged: Any) -> None:
    checks, odd = judged
    check = checks["amounts_have_a_rate"]

    assert (check["severity"], check["status"]) == ("error", "fail")
    assert {row["currency"] for row in check["sample"]} == {"XTS"}
    assert {row["first_order"] for row in check["sample"]} == {row["order_id"] for row in odd["currency_without_rate"]}


def test_what_cannot_be_counted_right_stops_the_release_until_it_is_mended(tmp_path: Path, compiled: Path) -> None:
    shop = Shop.at(tmp_path, compiled)
    shop.deliver_all()
    shop.deliver("orders", "berlin,o5,2024-03-11T09:00:00Z,,2024-03-11T09:00:00Z,paid,web,GBP,false,GB", name="more")
    shop.deliver("order_items", "berlin,o5,1,v1,p1,1,30.00", name="more")
    shop.deliver("refund_lines", "berlin,r5,1,o5,1,1,40.00,2024-03-12T10:00:00Z", name="more")
    shop.deliver("stores", "oslo,Oslo,Europe/Olso,NOK,true,2024-01-01T00:00:00Z", name="more")
    paid = "berlin,{0},,c1,m1,food,card,captured,1,5.00,{1},2024-03-11T09:00:00Z"
    shop.deliver("payments", paid.format("t8", "SEK"), paid.format("t9", "CHF"), name="more")

    refused = shop.run(expected=1)

    blocking = {
        check["name"] for check in refused["checks"] if (check["severity"], check["status"]) == ("error", "fail")
    }
    assert blocking == {"amounts_have_a_rate", "time_zones_exist"}
    assert "Europe/Olso" in refused["verdict"]
    (left_out,) = [check for check in refused["checks"] if check["name"] == "payments_of_merchants_have_a_rate"]
    assert [(row["date_key"], row["payments"], row["currency"]) for row in left_out["sample"]] == [
        ("2024-03-11", "2", "CHF, SEK")
    ]

    shop.deliver("stores", "oslo,Oslo,Europe/Oslo,NOK,true,2024-01-02T00:00:00Z", name="mended")
    refused = shop.run(expected=1)
    assert "amounts_have_a_rate" in refused["verdict"]
    assert all(named in refused["verdict"] for named in ("GBP", "2024-03-11", "first_order o5"))

    shop.deliver("fx_rates", "2024-03-11,GBP,EUR,1.20000000", name="more")
    assert shop.run()["outcome"] == "released"
    amounts = shop.rows("SELECT base_amount FROM gold.sales_ledger WHERE order_id = 'o5' ORDER BY base_amount")
    assert amounts == [(Decimal(-48),), (Decimal(36),)]
    # nobody paid, and yet nothing is owed: the refund exceeds the sale
    state = "SELECT expected_amount, payment_state FROM gold.order_reconciliation WHERE order_id = 'o5'"
    assert shop.rows(state) == [(Decimal(-10), "over-paid")]


def rows(found: list[Row], columns: list[str]) -> list[tuple[str, ...]]:
    return sorted(tuple(str(row[name]) for name in columns) for row in found)
