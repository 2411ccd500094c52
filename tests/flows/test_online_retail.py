"""The real shop, from its 305 daily files to released gold, by the commands a user types."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.catalog.sql import SqlCatalog

from tests.flows.command import ROOT, Done, call

pytestmark = pytest.mark.real

PRODUCTS = "^[0-9]{5}[A-Za-z]*$"
MONTHS = {
    "2010-12": "748957.02",
    "2011-01": "560000.26",
    "2011-02": "498062.65",
    "2011-03": "683267.08",
    "2011-04": "493207.12",
    "2011-05": "723333.51",
    "2011-06": "691123.12",
    "2011-07": "681300.11",
    "2011-08": "682680.51",
    "2011-09": "1019687.62",
    "2011-10": "1070704.67",
    "2011-11": "1461756.25",
    "2011-12": "433668.01",
}


@dataclass(frozen=True)
class Shop:
    """The project as it is in the repository, run once into `data`."""

    data: Path
    files: Path
    report: dict[str, Any]

    @classmethod
    def run(cls, data: Path, files: Path) -> Shop:
        shop = cls(data, files, {})
        return cls(data, files, shop.call("run", "--json").expect(0).document)

    def call(self, *arguments: str) -> Done:
        place = ("--project", str(ROOT / "projects" / "online_retail"), "--data-dir", str(self.data))
        return call(*arguments, *place, environment={"PENSTOCK_ONLINE_RETAIL": str(self.files)})

    def query(self, sql: str) -> list[dict[str, Any]]:
        answer = self.call("query", sql, "--format", "json").expect(0)
        rows: list[dict[str, Any]] = json.loads(answer.output, parse_float=Decimal)
        return rows

    def one(self, expression: str, relation: str) -> Any:
        return self.query(f"SELECT {expression} AS found FROM {relation}")[0]["found"]


@pytest.fixture(scope="module")
def shop(online_retail: Path, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop.run(tmp_path_factory.mktemp("online_retail"), online_retail)


def test_every_line_of_every_file_is_in_bronze_silver_and_the_fact(shop: Shop) -> None:
    [lines] = shop.report["datasets"]
    assert (lines["files"], lines["rows_in"], lines["accepted"]) == (305, 541_909, 541_909)
    assert (lines["quarantined"], lines["duplicates"], lines["superseded"], lines["filtered"]) == (0, 0, 0, 0)
    for table in ("bronze.order_lines", "silver.order_lines", "gold.fact_sales"):
        assert shop.one("count(*)", table) == 541_909


def test_bronze_holds_the_strings_as_they_were_written(shop: Shop) -> None:
    first = shop.query("SELECT * FROM bronze.order_lines WHERE _file = '2010-12-01.csv' AND _line = 2")[0]
    line = (shop.files / "2010-12-01.csv").read_text(encoding="utf-8").splitlines()[1]
    assert ",".join(first[name] for name in list(first)[:8]) == line
    assert first["CustomerID"] == "17850.0"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("count(DISTINCT invoice_no)", 25_900),
        ("count(DISTINCT stock_code)", 4_070),
        ("count(DISTINCT customer_id)", 4_372),
        ("count(DISTINCT country)", 38),
        ("count(*) FILTER (customer_id IS NULL)", 135_080),
        ("sum(quantity * unit_price)", Decimal("9747747.934")),
        (f"sum(quantity * unit_price) FILTER (regexp_full_match(stock_code, '{PRODUCTS}'))", Decimal("9792310.43")),
    ],
)
def test_the_figures_of_the_shop_are_exact(shop: Shop, expression: str, expected: object) -> None:
    assert shop.one(expression, "silver.order_lines") == expected


def test_every_month_is_exact_to_the_penny(shop: Shop) -> None:
    rows = shop.query(
        "SELECT strftime(invoice_time, '%Y-%m') AS month, round(sum(quantity * unit_price), 2) AS value"
        " FROM silver.order_lines GROUP BY month ORDER BY month"
    )
    assert {row["month"]: row["value"] for row in rows} == {month: Decimal(value) for month, value in MONTHS.items()}


def test_the_fact_has_the_value_of_the_lines_and_guests_are_one_customer(shop: Shop) -> None:
    assert shop.one("sum(line_value)", "gold.fact_sales") == Decimal("9747747.934")
    assert shop.one("count(*)", "gold.dim_customer") == 4_373
    assert shop.one("count(*)", "gold.dim_product") == 4_070


def test_exact_duplicates_are_reported_and_kept(shop: Shop) -> None:
    check = next(check for check in shop.report["checks"] if check["name"] == "exact_duplicate_lines")
    repeated = (
        "(SELECT count(*) - 1 AS again FROM silver.order_lines"
        " GROUP BY invoice_no, stock_code, description, quantity, invoice_time, unit_price, customer_id, country)"
    )
    assert (check["severity"], check["status"]) == ("warn", "fail")
    assert shop.one("CAST(sum(again) AS BIGINT)", repeated) == 5_268


def test_status_counts_what_the_query_counts(shop: Shop) -> None:
    status = shop.call("status", "--json").expect(0).document
    rows = {table["name"]: table["rows"] for table in status["tables"]}
    assert (status["release"], rows["bronze.order_lines"], rows["ledger.order_lines"]) == (1, 541_909, 305)
    assert rows == {name: shop.one("count(*)", name) for name in rows if not name.startswith("ledger")} | {
        "ledger.order_lines": 305
    }


def test_stock_pyiceberg_reads_the_same_gold(shop: Shop) -> None:
    stock = SqlCatalog("penstock", uri=f"sqlite:///{shop.data / 'catalog.db'}", warehouse=str(shop.data / "lake"))
    fact = stock.load_table("gold.fact_sales").scan().to_arrow()
    stock.engine.dispose()
    assert fact.num_rows == 541_909
    assert sum(value for value in fact["line_value"].to_pylist() if value is not None) == Decimal("9747747.934")


def test_a_second_run_has_nothing_to_do(shop: Shop) -> None:
    again = shop.call("run", "--json").expect(0).document
    assert (again["outcome"], again["release"], again["datasets"]) == ("nothing new", 1, [])
    [run_again, first] = shop.call("history", "--json").expect(0).document["runs"]
    assert (run_again["outcome"], first["outcome"], first["rows_in"]) == ("nothing new", "released", 541_909)
