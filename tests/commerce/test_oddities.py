"""What is well-formed and yet wrong: the gate names each of it, row by row, as often as the truth counts it."""

from __future__ import annotations

from collections.abc import Mapping
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


def rows(found: list[Row], columns: list[str]) -> list[tuple[str, ...]]:
    return sorted(tuple(str(row[name]) for name in columns) for row in found)
