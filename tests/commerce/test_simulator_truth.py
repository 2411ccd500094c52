"""The truth file says what the files say: every metric is computed again, row by row, from what was written."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from simulator.dirt import soil
from simulator.drops import cut, write
from simulator.exact import as_text
from simulator.options import Options
from simulator.shop import Shop, simulate
from simulator.truth import truth

from tests.commerce.shop_oracle import DAILY, Oracle

TINY = Options(customers=40, products=20, orders=150, days=60, stores=4)
LONG = Options(customers=40, products=12, orders=350, days=460, stores=2, cut="all", seed=5)


def delivered(options: Options, inbox: Path) -> tuple[Shop, dict[str, Any]]:
    """Write a shop's files; gives it with its truth."""
    shop = simulate(options)
    files = soil(shop, cut(shop))
    write(files.drops, inbox)
    return shop, truth(shop, files)


def days(metric: dict[str, Any]) -> dict[tuple[str, date], str]:
    return {
        (store, date.fromisoformat(day)): value
        for store, found in metric["days"].items()
        for day, value in found.items()
    }


@pytest.fixture(scope="module")
def long_shop() -> Iterator[tuple[Oracle, dict[str, Any]]]:
    with tempfile.TemporaryDirectory() as folder:
        yield Oracle(Path(folder)), delivered(LONG, Path(folder))[1]["metrics"]


@settings(max_examples=6, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(
    seed=st.integers(0, 10**9),
    stores=st.integers(1, 8),
    currencies=st.integers(2, 6),
    odd=st.integers(0, 3),
    start=st.dates(date(2000, 1, 1), date(2100, 1, 1)),
)
def test_every_daily_metric_is_what_the_files_say(
    seed: int, stores: int, currencies: int, odd: int, start: date
) -> None:
    options = replace(TINY, seed=seed, stores=stores, currencies=currencies, odd=odd, start=start)
    with tempfile.TemporaryDirectory() as folder:
        _, known = delivered(options, Path(folder))
        oracle = Oracle(Path(folder))

        for name in DAILY:
            expected = {key: as_text(value) for key, value in oracle.by_day(name).items()}
            assert days(known["metrics"][name]) == expected, name


@pytest.mark.parametrize("horizon", [30, 90, 365])
def test_lifetime_value_is_that_of_the_cohorts_old_enough(
    long_shop: tuple[Oracle, dict[str, Any]], horizon: int
) -> None:
    oracle, metrics = long_shop
    found = metrics[f"lifetime_value_{horizon}"]["cohorts"]

    shown = {(store, month): value for store, months in found.items() for month, value in months.items()}

    assert shown == {cell: as_text(value) for cell, value in oracle.lifetime_value(horizon).items()}
    assert shown


def test_churn_is_that_of_every_month_end(long_shop: tuple[Oracle, dict[str, Any]]) -> None:
    oracle, metrics = long_shop
    found = metrics["churn_rate"]["month_ends"]

    for end in sorted({day for ends in found.values() for day in ends}):
        expected = {store: as_text(value) for store, value in oracle.churn(date.fromisoformat(end)).items()}
        assert {store: ends[end] for store, ends in found.items() if end in ends} == expected

    assert len(found["berlin"]) >= 9


def test_a_store_adds_up_its_days(long_shop: tuple[Oracle, dict[str, Any]]) -> None:
    _, metrics = long_shop

    for name in ("orders", "net_sales", "cost_of_goods", "human_sessions"):
        for store, values in metrics[name]["days"].items():
            assert Decimal(metrics[name]["stores"][store]) == sum(map(Decimal, values.values()))


def test_money_of_different_currencies_has_no_sum_over_stores() -> None:
    shop = simulate(TINY)
    one = simulate(replace(TINY, stores=1))

    several, single = (truth(each, soil(each, cut(each)))["metrics"] for each in (shop, one))

    assert several["net_sales"]["all"] is None
    assert several["orders"]["all"] is not None
    assert single["net_sales"]["all"] == single["net_sales"]["stores"]["berlin"]


def test_dirt_changes_no_metric(tmp_path: Path) -> None:
    clean, dirty = (delivered(replace(TINY, dirt=n), tmp_path / str(n))[1] for n in (0, 3))

    assert dirty["metrics"] == clean["metrics"]
    assert dirty["vault"] == clean["vault"]
    assert dirty["deliveries"] != clean["deliveries"]


def test_the_vault_has_one_row_for_each_key_the_files_name(tmp_path: Path) -> None:
    _, known = delivered(TINY, tmp_path)
    oracle = Oracle(tmp_path)
    keys: dict[str, Collection[object]] = {
        "hub_customer": {(row["store_id"], row["customer_id"]) for row in oracle.rows("customers")},
        "hub_product": {(row["store_id"], row["product_id"]) for row in oracle.rows("products")},
        "hub_variant": {(row["store_id"], row["variant_id"]) for row in oracle.rows("variants")},
        "hub_order": set(oracle.orders),
        "link_customer_order": {key for key, row in oracle.orders.items() if row["customer_id"] is not None},
        "link_order_product": {(key[:2], row["product_id"]) for key, row in oracle.lines.items()},
    }
    keys["sat_order"] = {(row["store_id"], row["order_id"], row["updated_at"]) for row in oracle.rows("orders")}

    assert {name: known["vault"][name] for name in keys} == {name: len(found) for name, found in keys.items()}


def test_what_is_well_formed_and_yet_wrong_is_named(tmp_path: Path) -> None:
    _, known = delivered(replace(TINY, odd=2), tmp_path)
    _, usual = delivered(TINY, tmp_path / "usual")
    oracle = Oracle(tmp_path)
    customers = {(row["store_id"], row["customer_id"]) for row in oracle.rows("customers")}
    strangers = {
        key
        for key, row in oracle.orders.items()
        if row["customer_id"] and (key[0], row["customer_id"]) not in customers
    }

    named = known["oddities"]

    assert {(row["store_id"], row["order_id"]) for row in named["order_without_customer"]} == strangers
    assert {oracle.orders[row["store_id"], row["order_id"]]["currency"] for row in named["currency_without_rate"]} == {
        "XTS"
    }
    assert {kind: len(rows) for kind, rows in named.items() if kind != "order_without_customer"} == {
        "currency_without_rate": 2,
        "refund_above_sale": 2,
        "negative_stock": 2,
    }
    assert set(map(len, usual["oddities"].values())) == {0}


def test_a_decimal_is_exact_until_its_eighteenth_digit() -> None:
    assert as_text(Fraction(-123_456_789, 10**10)) == "-0.0123456789"
    assert as_text(Fraction(2, 3)) == "0.666666666666666667"
    assert (as_text(0), as_text(100), as_text(Fraction(-1, 10**19))) == ("0", "100", "0")
