"""Metrics of the shop, by the commands a user types: they are what gold says, and stay with their release."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from penstock.lake.records import read_records
from penstock.serve.app import make_app
from penstock.serve.metrics import metric_routes
from penstock.serve.numbers import ReleasedNumbers
from penstock.serve.site import Current
from penstock.store.files import FileStore
from penstock.world import real_world
from tests.cli.test_help import imported, packages
from tests.flows.command import ROOT, Done, call
from tests.flows.library import Retail
from tests.serve.asgi_client import Client

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
FIRST_DAY = [
    "536365,85123A,LAMP,6,2010-12-01 08:26:00,2.555,17850,France",
    "536366,71053,TIN,2,2010-12-01 09:00:00,3.39,,France",
    "C536379,85123A,LAMP,-1,2010-12-01 09:41:00,2.555,17850,France",
    "536367,POST,POSTAGE,1,2010-12-01 10:00:00,18.00,13047,Norway",
]
LATER_DAY = ["536500,85123A,LAMP,3,2011-02-03 08:26:00,2.555,13047,Norway"]


@pytest.fixture(scope="module")
def released_shop(tmp_path_factory: pytest.TempPathFactory) -> Retail:
    shop = Retail.found(tmp_path_factory.mktemp("metrics") / "shop")
    shop.deliver("2010-12-01.csv", HEADER, *FIRST_DAY)
    shop.run()
    shop.deliver("2011-02-03.csv", HEADER, *LATER_DAY)
    shop.run()
    shop.save()
    return shop


@pytest.fixture
def shop(released_shop: Retail) -> Iterator[Retail]:
    yield released_shop
    released_shop.restore()


def ask(shop: Retail, *arguments: str) -> list[dict[str, Any]]:
    answer = shop.call("metrics", "query", *arguments, "--json").expect(0)
    rows: list[dict[str, Any]] = json.loads(answer.output, parse_float=Decimal)
    return rows


def test_every_metric_of_a_month_is_what_gold_says(shop: Retail) -> None:
    gold = shop.query("SELECT * FROM gold.monthly_revenue WHERE lines > 0 ORDER BY month")
    for metric in ("revenue", "invoices", "customers", "cancelled_value"):
        found = {row["month"]: row[metric] for row in ask(shop, metric, "--grain", "month")}
        assert found == {row["month"]: row[metric] for row in gold}


def test_a_metric_is_cut_filtered_and_bounded(shop: Retail) -> None:
    rows = ask(shop, "revenue", "--by", "country,is_product", "--to", "2010-12-31", "--where", "is_purchase")
    assert rows == [
        {"country": "France", "is_product": True, "revenue": Decimal("22.1100")},
        {"country": "Norway", "is_product": False, "revenue": Decimal("18.0000")},
    ]
    (average,) = ask(shop, "average_order_value", "--from", "2010-12-01", "--to", "2010-12-01")
    assert average == {"average_order_value": Decimal("13.37")}


def test_a_metric_is_explained_by_the_tables_it_reads_and_its_sql(shop: Retail) -> None:
    found = shop.call("explain", "revenue", "--json").expect(0).document
    assert (found["kind"], found["read_by"]) == ("metric", ["/metrics/revenue"])
    assert found["reads"]
    assert all(table.startswith("gold.") for table in found["reads"])
    assert "SELECT" in found["sql"]
    assert "Did you mean" in shop.call("explain", "gold.monthly_revenu").expect(2).err


def test_formats_are_those_of_every_query(shop: Retail) -> None:
    place = ("metrics", "query", "orders", "--grain", "month")
    assert shop.call(*place, "--format", "csv").expect(0).out.splitlines() == ["month,orders", "2010-12-01,3", "2011-02-01,1"]  # fmt: skip
    assert "2010-12-01       3" in shop.call(*place).expect(0).out
    assert "There is no such format" in shop.call(*place, "--format", "xml").expect(2).err


def test_an_older_release_is_asked_by_its_own_metrics_and_rows(shop: Retail) -> None:
    latest = ask(shop, "orders")
    assert (latest, ask(shop, "orders", "--release", "1")) == ([{"orders": 4}], [{"orders": 3}])
    (next(shop.data.glob("cache/warehouse-2.duckdb"))).unlink()
    assert ask(shop, "orders") == latest


def api(shop: Retail) -> Client:
    """What a worker of `penstock serve` answers from this data directory."""
    current = Current(FileStore(shop.data / "store"))
    numbers = ReleasedNumbers(shop.data, real_world())
    return Client(make_app(current, shop.data, routers=[metric_routes(current, numbers)]))


def test_the_api_answers_as_the_command_does(shop: Retail) -> None:
    rows = {name: ask(shop, name, "--grain", "month") for name in ("revenue", "invoices", "average_order_value")}
    cut = ask(shop, "revenue", "--by", "country,is_product", "--where", "is_purchase")
    client = api(shop)

    assert {name: client.get(f"/metrics/{name}", grain="month").json["items"] for name in rows} == rows
    assert client.get("/metrics/revenue?by=country&by=is_product&where=is_purchase").json["items"] == cut


def test_the_api_follows_releases_and_still_answers_older_ones(shop: Retail) -> None:
    client = api(shop)
    before = client.get("/metrics/orders")
    shop.deliver("2011-02-04.csv", HEADER, "536501,85123A,LAMP,3,2011-02-04 08:26:00,2.555,13047,Norway")
    shop.run()
    after = client.get("/metrics/orders", headers={"If-None-Match": before.headers["etag"]})

    assert [(one.json["release"], one.json["items"]) for one in (before, after)] == [(2, [{"orders": 4}]), (3, [{"orders": 5}])]  # fmt: skip
    older = [client.get("/metrics/orders", release=number).json["items"] for number in (1, 2, 3)]
    assert older == [[{"orders": 3}], [{"orders": 4}], [{"orders": 5}]]
    assert "There is no release 4. The latest is 3." in client.get("/metrics/orders", release=4).json["detail"]


def test_metrics_are_compiled_once_while_they_stay_the_same(shop: Retail) -> None:
    assert len(read_records(shop.data, "metrics")) == 1
    shop.edit("models/metrics/sales.yml", "label: Revenue", "label: Turnover")
    shop.run()
    assert len(read_records(shop.data, "metrics")) == 2
    labels = [shop.call("metrics", "show", "revenue", "--release", str(number)).out.split("(")[0] for number in (2, 3)]
    assert labels == ["revenue: Revenue ", "revenue: Turnover "]


def test_a_metric_that_does_not_fit_its_models_stops_the_release(shop: Retail) -> None:
    shop.edit("models/metrics/sales.yml", "expr: line_value", "expr: lime_value")
    done = shop.call("run").expect(2)
    assert "lime_value" in done.err
    assert "`revenue` does not fit the models" in done.err
    assert ask(shop, "orders") == [{"orders": 4}]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("unit: GBP, owner: Sales ledger", "unit: GBP", "The metric `revenue` lacks an owner"),
        ("numerator: order_value", "numerator: order_valve", "order_valve"),
        ("name: invoiced_on\n        type: time", "name: month\n        type: time", "Invalid name `month`"),
    ],
)
def test_what_is_wrong_with_a_metric_is_found_before_a_run(shop: Retail, old: str, new: str, said: str) -> None:
    shop.edit("models/metrics/sales.yml", old, new)
    assert said in shop.call("validate").expect(2).err


def test_what_the_page_on_metrics_types_works(shop: Retail) -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    typed = [shlex.split(line)[1:] for line in re.findall(r"^\$ (penstock .*)$", page, re.MULTILINE)]
    assert len(typed) >= 5
    for arguments in typed:
        shop.call(*arguments).expect(0)


def test_what_the_page_on_metrics_asks_over_http_is_answered_as_shown(shop: Retail) -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    client = api(shop)
    answers = [client.get(path) for path in re.findall(r"^\$ curl 'http://localhost:8000(.*)'$", page, re.MULTILINE)]
    (shown,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert [answer.status for answer in answers] == [200] * 5
    assert list(answers[2].json) == list(json.loads(shown))
    assert list(answers[2].json["items"][0]) == list(json.loads(shown)["items"][0])


def test_metrics_are_listed_and_shown_with_what_they_mean(shop: Retail) -> None:
    listed = shop.call("metrics", "list", "--json").expect(0).document
    assert {"revenue", "orders", "average_order_value", "customers", "cancelled_value"} <= {one["name"] for one in listed["metrics"]}  # fmt: skip
    assert "Average order value" in shop.call("metrics", "list").expect(0).out
    shown = shop.call("metrics", "show", "customers", "--json").expect(0).document
    assert (shown["release"], shown["unit"], shown["owner"], shown["final_after_days"]) == (2, "customers", "Sales ledger", 1)  # fmt: skip
    assert "Country the invoice went to." in shop.call("metrics", "show", "customers").expect(0).out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("query", "revnue"), "Did you mean revenue"),
        (("show", "revnue"), "Did you mean revenue"),
        (("query", "revenue", "--by", "contry"), "Did you mean country"),
        (("query", "revenue", "--from", "tomorrow"), "A day is written as"),
        (("query", "revenue", "--where", "1 = 1"), "The condition is not allowed here"),
        (("list", "--release", "9"), "There is no release 9"),
    ],
)
def test_a_wrong_question_is_answered_with_what_can_be_asked(
    shop: Retail, arguments: tuple[str, ...], said: str
) -> None:
    assert said in shop.call("metrics", *arguments).expect(2).err


def test_a_question_opens_no_lake_and_starts_no_dbt(shop: Retail) -> None:
    heavy = {"dbt", "metricflow", "pyiceberg", "sqlalchemy"}
    assert packages(imported(shop, "metrics", "query", "revenue", "--by", "country", *shop.place)) & heavy == set()
    light = packages(imported(shop, "metrics", "list", *shop.place))
    assert light & (heavy | {"duckdb", "pyarrow", "sqlglot"}) == set()


def test_a_project_without_metrics_says_so(library: Retail) -> None:
    assert "no metrics" in library.call("metrics", "list").expect(0).out
    assert "Metrics: none" in library.call("metrics", "query", "fees").expect(2).err


@pytest.mark.real
def test_the_real_shops_months_are_right_to_the_penny(online_retail: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> Done:
        place = ("--project", str(ROOT / "projects" / "online_retail"), "--data-dir", str(tmp_path))
        return call(*arguments, *place, environment={"PENSTOCK_ONLINE_RETAIL": str(online_retail)}).expect(0)

    run("run", "--json")
    columns = {"revenue": "revenue", "invoices": "invoices", "customers": "customers", "cancelled_value": "cancelled_value"}  # fmt: skip
    gold = json.loads(
        run("query", "SELECT * FROM gold.monthly_revenue", "--format", "json").output, parse_float=Decimal
    )
    for metric, column in columns.items():
        asked = run("metrics", "query", metric, "--grain", "month", "--json").output
        found = {row["month"]: row[metric] for row in json.loads(asked, parse_float=Decimal)}
        assert found == {row["month"]: row[column] for row in gold}
    (total,) = json.loads(run("metrics", "query", "revenue", "--json").output, parse_float=Decimal)
    assert total == {"revenue": Decimal("9747747.9340")}
    (products,) = json.loads(run("metrics", "query", "revenue", "--where", "is_product", "--json").output, parse_float=Decimal)  # fmt: skip
    assert products == {"revenue": Decimal("9792310.4300")}
