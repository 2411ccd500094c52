"""The shop's metrics are the simulator's truth, by store and local day, every value and every gap; so is its vault."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from penstock.errors import UsageError
from penstock.metrics.answers import Answers
from penstock.metrics.metric import Metrics
from penstock.metrics.request import MetricRequest
from penstock.release.reader import Reader, open_reader
from penstock.runtime.installation import Installation
from penstock.runtime.metrics import read_metrics
from penstock.runtime.run import run
from penstock.runtime.served_release import serving_store
from penstock.runtime.watch import Unwatched
from penstock.serve.app import make_app
from penstock.serve.metrics import metric_routes
from penstock.serve.numbers import ReleasedNumbers
from penstock.serve.site import Current
from tests.commerce.hand_shop import begin
from tests.one_process import COMMERCE
from tests.serve.asgi_client import Client

# Long enough for refunds of deliveries that are thirty days old.
SMALL = ["--customers", "80", "--products", "20", "--orders", "400", "--days", "90", "--cut", "all"]
MONEY = ("gross_sales", "discounts", "cancellations", "returns", "net_sales", "cost_of_goods", "ad_spend")
COUNTS = ("orders", "new_customers", "human_sessions", "converted_sessions", "units_delivered", "units_refunded")
VAULT = (
    "hub_customer",
    "hub_product",
    "hub_order",
    "sat_customer",
    "sat_product",
    "sat_order",
    "link_customer_order",
    "link_order_product",
)
RATIOS = ("average_order_value", "gross_margin", "conversion_rate", "customer_acquisition_cost", "return_rate")


@dataclass(frozen=True)
class Shop:
    """A released shop: what it answers, and what is true."""

    answers: Answers
    metrics: Metrics
    truth: dict[str, Any]  # of its metrics
    vault: Mapping[str, tuple[int, int]]  # the rows of each of its tables, and how many it must have
    client: Client  # of the API
    rows: Mapping[str, int]  # of gold tables, by name

    def ask(self, metric: str, *by: str, grain: str | None = None) -> dict[tuple[Any, ...], Any]:
        """Value by period and dimensions."""
        rows = self.answers.query(MetricRequest(metric, by=by, grain=grain)).to_pylist()
        found = {tuple(row.values())[:-1]: row[metric] for row in rows}
        assert len(found) == len(rows)
        return found

    def days(self, metric: str) -> dict[tuple[str, str], Any]:
        """Value by store and day as the shop answers."""
        return {(store, str(day)[:10]): value for (day, store), value in self.ask(metric, "store", grain="day").items()}

    def true_days(self, metric: str) -> dict[tuple[str, str], Decimal]:
        days = self.truth[metric]["days"]
        return {(store, day): Decimal(value) for store, values in days.items() for day, value in values.items()}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, compiled: Path) -> Iterator[Shop]:
    """The shop after one run; tests only read."""
    place = tmp_path_factory.mktemp("metrics")
    inbox, truth = place / "inbox", place / "truth.json"
    simulator = [sys.executable, str(COMMERCE / "simulator"), str(inbox), "--truth", str(truth), *SMALL]
    subprocess.run(simulator, check=True, capture_output=True)
    begin(place / "data", compiled)
    installation = Installation.at(COMMERCE, place / "data", environment={"COMMERCE_INBOX": str(inbox)})
    report = run(installation, Unwatched())
    assert report.outcome == "released", report.verdict
    release, metrics = read_metrics(installation)
    known = json.loads(truth.read_text())
    with open_reader(installation.place.root, installation.world) as reader:
        yield Shop(
            Answers(reader.connection, metrics),
            metrics,
            known["metrics"],
            {table: (_count(reader, table), known["vault"][table]) for table in VAULT},
            _api(installation),
            {name: table.rows for name, table in release.gold.items()},
        )


def _count(reader: Reader, table: str) -> int:
    return int(reader.connection.execute(f"SELECT count(*) FROM gold.{table}").fetchall()[0][0])


def _api(installation: Installation) -> Client:
    current, root = Current(serving_store(installation)), installation.place.root
    numbers = ReleasedNumbers(root, installation.world)
    return Client(make_app(current, root, routers=[metric_routes(current, numbers)]))


@pytest.mark.parametrize("metric", MONEY + COUNTS)
def test_sums_and_counts_of_every_day_are_exact(shop: Shop, metric: str) -> None:
    true = shop.true_days(metric)
    assert any(true.values()), "nothing to compare"
    assert shop.days(metric) == true


@pytest.mark.parametrize("metric", RATIOS)
def test_ratios_of_every_day_are_the_same_to_nine_digits(shop: Shop, metric: str) -> None:
    true = shop.true_days(metric)
    found = {key: value for key, value in shop.days(metric).items() if value is not None}
    assert any(true.values()), "nothing to compare"
    assert found.keys() == true.keys()
    assert [key for key in true if not math.isclose(found[key], true[key], rel_tol=1e-9, abs_tol=1e-9)] == []


@pytest.mark.parametrize("metric", MONEY + COUNTS + RATIOS)
def test_the_value_of_a_store_over_all_time_is_true(shop: Shop, metric: str) -> None:
    true = {(store,): Decimal(value) for store, value in shop.truth[metric]["stores"].items()}
    found = shop.ask(metric, "store")
    if metric in RATIOS:
        assert found == {key: pytest.approx(float(value), rel=1e-9) for key, value in true.items()}
    else:
        assert found == true


@pytest.mark.parametrize(
    ("metric", "dimension"),
    [
        *((metric, by) for metric in ("gross_sales", "net_sales", "cost_of_goods") for by in ("channel", "country")),
        *((metric, "category") for metric in ("gross_sales", "net_sales", "cost_of_goods", "units_delivered")),
        ("orders", "channel"),
        ("orders", "country"),
        ("human_sessions", "country"),
        ("ad_spend", "channel"),
        ("new_customers", "channel"),
    ],
)
def test_the_parts_of_a_dimension_add_up_to_the_store(shop: Shop, metric: str, dimension: str) -> None:
    parts = shop.ask(metric, "store", dimension)
    sums: dict[tuple[str, ...], Decimal] = {}
    for (store, part), value in parts.items():
        assert part is not None
        sums[(store,)] = sums.get((store,), Decimal(0)) + value
    assert dimension == "country" or len(parts) > len(sums), "a simulated store sells within its country alone"
    assert sums == {(store,): Decimal(value) for store, value in shop.truth[metric]["stores"].items()}


@pytest.mark.parametrize("metric", ["gross_margin", "average_order_value", "conversion_rate", "return_rate"])
def test_a_ratio_can_be_cut_by_what_both_its_parts_have(shop: Shop, metric: str) -> None:
    names = {one.short for one in shop.metrics.metrics[metric].dimensions}
    assert {
        "gross_margin": {"store", "channel", "country", "category"},
        "average_order_value": {"store", "channel", "country"},
        "conversion_rate": {"store", "country", "device"},
        "return_rate": {"store", "category", "carrier"},
    }[metric] <= names


def test_what_is_no_product_is_in_no_category(shop: Shop) -> None:
    for metric in ("gross_sales", "net_sales", "cost_of_goods", "gross_profit"):
        assert "none" not in {category for category, _ in shop.ask(metric, "category", "base_currency")}


@pytest.mark.parametrize("metric", ["net_sales", "gross_margin", "average_order_value"])
def test_rows_tell_the_currency_that_their_store_has(shop: Shop, metric: str) -> None:
    assert shop.ask(metric, "base_currency") == shop.ask(metric, "store__base_currency")


def test_money_of_different_currencies_is_never_added_up(shop: Shop) -> None:
    of_money = {name for name, one in shop.metrics.metrics.items() if "currency" in one.unit} | {"gross_margin"}

    of_units = {name for name, one in shop.metrics.metrics.items() if one.unit_dimension is not None}
    assert of_units == of_money | {"cohort_size"}
    for name in of_money - {"lifetime_value_90", "lifetime_value_365"}:  # nobody is so old in this shop
        span = " within 30 days" if name == "cohort_profit" else ""
        with pytest.raises(UsageError, match=f"found EUR{span}, GBP{span}, USD{span}"):
            shop.ask(name, grain="year")


def test_horizons_of_cohorts_are_never_added_up(shop: Shop) -> None:
    units = {name: shop.metrics.metrics[name].unit_dimension for name in ("cohort_profit", "cohort_size")}
    assert units == {"cohort_profit": "cohort_value__profit_unit", "cohort_size": "cohort_value__horizon_days"}
    rows = shop.answers.query(MetricRequest("cohort_profit", by=("store", "profit_unit"))).to_pylist()
    assert rows
    assert all(row["profit_unit"].endswith(" within 30 days") for row in rows)  # no other is over in ninety days


@pytest.mark.parametrize(
    ("path", "table"),
    [("/customers", "vw_customer_360"), ("/products", "vw_product_analytics"), ("/orders", "vw_order_analytics")],
)
def test_the_api_lists_every_row_once(shop: Shop, path: str, table: str) -> None:
    page = shop.client.get(path, limit=1000).json
    keys = {next(iter(row.values())) for row in page["items"]}

    assert page["total"] == len(keys) == shop.rows[f"gold.{table}"] > 0
    assert shop.client.get(f"{path}/{min(keys)}").json in page["items"]


def test_the_orders_below_all_customers_are_those_that_name_one(shop: Shop) -> None:
    customers = [row["customer_hk"] for row in shop.client.get("/customers", limit=1000).json["items"]]
    orders = shop.client.get("/orders", limit=1000).json["items"]
    below = [order for key in customers for order in shop.client.get(f"/customers/{key}/orders").json["items"]]

    assert {order["order_hk"] for order in below} == {
        order["order_hk"] for order in orders if order["customer_hk"] in customers
    }
    assert len(below) > len(orders) / 2


def test_an_order_in_another_currency_says_which_currency_its_sums_are_in(shop: Shop) -> None:
    orders = shop.client.get("/orders", limit=1000).json["items"]

    found = {order["store_id"]: order["base_currency"] for order in orders}
    assert found == {"berlin": "EUR", "newyork": "USD", "london": "GBP"}
    assert any(order["currency"] != order["base_currency"] for order in orders)


@pytest.mark.parametrize("metric", MONEY + COUNTS)
def test_the_api_gives_metrics_with_all_their_digits(shop: Shop, metric: str) -> None:
    rows = shop.client.get(f"/metrics/{metric}", by="store").json["items"]

    assert {row["store"]: Decimal(row[metric]) for row in rows} == {
        store: Decimal(value) for store, value in shop.truth[metric]["stores"].items()
    }


def test_the_vault_holds_what_the_simulator_counts(shop: Shop) -> None:
    assert {table: held for table, (held, _) in shop.vault.items()} == {
        table: counted for table, (_, counted) in shop.vault.items()
    }
