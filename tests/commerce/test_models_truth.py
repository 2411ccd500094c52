"""The models on a simulated shop: what they say is what the simulator knows, to the last digit."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from simulator.dirt import soil
from simulator.drops import cut, write
from simulator.options import Options
from simulator.shop import simulate
from simulator.truth import truth

from tests.commerce.hand_shop import Shop

SMALL = Options(customers=150, products=40, orders=900, days=430, stores=4, seed=3, dirt=3, cut="month")
LEDGER = "FROM gold.sales_ledger WHERE NOT is_test GROUP BY store_id, business_date"
ADDITIVE = {
    "gross_sales": f"SELECT store_id, business_date, sum(base_amount) FILTER (entry_type = 'sale') {LEDGER}",
    "discounts": f"SELECT store_id, business_date, -sum(base_amount) FILTER (entry_type = 'discount') {LEDGER}",
    "cancellations": f"SELECT store_id, business_date, -sum(base_amount) FILTER (entry_type = 'cancellation') {LEDGER}",
    "returns": f"SELECT store_id, business_date, -sum(base_amount) FILTER (entry_type = 'return') {LEDGER}",
    "net_sales": f"SELECT store_id, business_date, sum(base_amount) FILTER (is_net_sales) {LEDGER}",
    "cost_of_goods": f"SELECT store_id, business_date, sum(base_cost) {LEDGER}",
    "orders": "SELECT store_id, date_key, sum(placed) FROM gold.order_funnel GROUP BY ALL",
    "ad_spend": "SELECT store_id, date_key, sum(ad_spend) FROM gold.acquisition_cost GROUP BY ALL",
    "new_customers": "SELECT store_id, date_key, sum(new_customers) FROM gold.acquisition_cost GROUP BY ALL",
    "human_sessions": "SELECT store_id, date_key, sum(sessions) FROM gold.order_funnel GROUP BY ALL",
    "converted_sessions": "SELECT store_id, date_key, sum(converted_sessions) FROM gold.order_funnel GROUP BY ALL",
    "units_delivered": "SELECT store_id, date_key, sum(units_delivered) FROM gold.fact_deliveries"
    " WHERE is_final GROUP BY ALL",
    "units_refunded": "SELECT store_id, date_key, sum(units_refunded) FROM gold.fact_deliveries"
    " WHERE is_final GROUP BY ALL",
}
Known = Mapping[str, Any]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory, compiled: Path) -> tuple[Shop, Known]:
    """A dirty shop of four stores, run once, and the truth about it."""
    made = simulate(SMALL)
    delivered = soil(made, cut(made))
    shop = Shop.at(tmp_path_factory.mktemp("simulated"), compiled)
    write(delivered.drops, shop.inbox)
    assert shop.run()["outcome"] == "released"
    metrics = truth(made, delivered)["metrics"]
    assert isinstance(metrics, dict)
    return shop, metrics


def by_day(rows: list[tuple[Any, ...]]) -> dict[tuple[str, str], Fraction]:
    """What is not zero."""
    return {(store, day): Fraction(value) for store, day, value in rows if value}


@pytest.mark.parametrize("metric", ADDITIVE)
def test_what_is_added_up_by_store_and_local_day_is_exactly_the_truth(
    simulated: tuple[Shop, Known], metric: str
) -> None:
    shop, metrics = simulated
    days = metrics[metric]["days"]
    expected = by_day([(store, day, Decimal(value)) for store, of in days.items() for day, value in of.items()])
    assert expected
    assert by_day(shop.rows(ADDITIVE[metric])) == expected


@pytest.mark.parametrize("days", [30, 90, 365])
def test_lifetime_values_are_the_truth_for_every_cohort_old_enough(simulated: tuple[Shop, Known], days: int) -> None:
    shop, metrics = simulated
    known = metrics[f"lifetime_value_{days}"]
    rows = shop.rows(
        "SELECT store_id, strftime(cohort_month, '%Y-%m'), cohort_size, lifetime_value FROM gold.lifetime_value"
        f" WHERE is_complete AND horizon_days = {days}"
    )
    assert {(store, month): size for store, month, size, _ in rows} == {
        (store, month): size for store, of in known["sizes"].items() for month, size in of.items()
    }
    for store, month, _, value in rows:
        assert abs(Decimal(value) - Decimal(known["cohorts"][store][month])) < Decimal("1.1e-9")


def test_churn_is_the_truth_at_the_end_of_every_month(simulated: tuple[Shop, Known]) -> None:
    shop, metrics = simulated
    rows = shop.rows("SELECT store_id, as_of_date, churn_rate FROM gold.churn WHERE churn_rate IS NOT NULL")
    expected = {
        (store, day): float(value)
        for store, of in metrics["churn_rate"]["month_ends"].items()
        for day, value in of.items()
    }
    assert expected
    assert {(store, day): float(value) for store, day, value in rows} == pytest.approx(expected, rel=1e-12)
