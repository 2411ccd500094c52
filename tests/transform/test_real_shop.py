"""The real shop's 305 daily files, and the figures its gold must give to the penny."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from penstock.transform import warehouse
from penstock.transform.result import Build, ModelStatus
from tests.transform.small_shop import Line, Silver, Site

pytestmark = pytest.mark.real

MONTHS = """
    2010-12 748957.02   2011-01 560000.26   2011-02 498062.65   2011-03 683267.08   2011-04 493207.12
    2011-05 723333.51   2011-06 691123.12   2011-07 681300.11   2011-08 682680.51   2011-09 1019687.62
    2011-10 1070704.67  2011-11 1461756.25  2011-12 433668.01
"""


def lines_of(path: Path) -> Iterator[Line]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        for number, (invoice, code, text, quantity, time, price, customer, country) in enumerate(rows, 2):
            yield Line(
                invoice_no=invoice,
                stock_code=code,
                description=text or None,
                quantity=int(quantity),
                invoice_time=datetime.fromisoformat(time).replace(tzinfo=UTC),
                unit_price=Decimal(price),
                customer_id=int(float(customer)) if customer else None,
                country=country,
                file=path.name,
                line=number,
            )


@pytest.fixture(scope="module")
def built(online_retail: Path, building_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Gold of all days but one, then of the last day on top of it."""
    folder = tmp_path_factory.mktemp("real")
    silver, site = Silver(folder / "silver"), Site(building_cache, folder)
    *days, last_day = sorted(online_retail.glob("*.csv"))
    silver.add([line for day in days for line in lines_of(day)])
    base = site.release(site.build(silver.everything()))
    file = silver.add(list(lines_of(last_day)))
    build = site.build(silver.since(1, [file]), base=base)
    return replace(build, database=site.release(build))


def ask(build: Build, sql: str) -> list[tuple[object, ...]]:
    with warehouse.opened(build.database, read_only=True) as connection:
        connection.execute("USE warehouse")
        return connection.execute(sql).fetchall()


def test_the_last_day_is_appended_and_all_tests_pass(built: Build) -> None:
    fact = next(model for model in built.gold if model.name == "fact_sales")
    assert (fact.status, fact.rows, fact.new_rows) == (ModelStatus.APPENDED, 541_909, 1_632)
    assert built.failed_tests == ()


def test_invoices_codes_customers_and_countries_are_counted(built: Build) -> None:
    counts = "count(*), count(distinct invoice_no), count(distinct product_key), count(distinct country)"
    assert ask(built, f"select {counts} from gold.fact_sales") == [(541_909, 25_900, 4_070, 38)]
    assert ask(built, "select count(*) filter (not is_guest), count(*) from gold.dim_customer") == [(4_372, 4_373)]
    assert ask(built, "select count(*) from gold.dim_product") == [(4_070,)]
    assert ask(built, "select count(*) from gold.fact_sales where customer_key = -1") == [(135_080,)]


def test_all_lines_and_the_products_alone_are_worth_what_they_are_worth(built: Build) -> None:
    assert ask(built, "select sum(line_value), sum(product_value) from gold.fact_sales") == [
        (Decimal("9747747.934"), Decimal("9792310.43"))
    ]


def test_every_month_is_right_to_the_penny(built: Build) -> None:
    words = MONTHS.split()
    expected = [(month, Decimal(revenue)) for month, revenue in zip(words[::2], words[1::2], strict=True)]
    found = ask(built, "select strftime(month, '%Y-%m'), round(revenue, 2) from gold.monthly_revenue order by month")
    assert found == expected


def test_the_last_month_is_not_complete_so_its_cohort_cells_are_null(built: Build) -> None:
    assert ask(built, "select month from gold.monthly_revenue where not is_complete") == [
        (datetime(2011, 12, 1, tzinfo=UTC).date(),)
    ]
    nulls = "select count(*) filter (active_customers is null), count(*) filter (not is_complete) from gold.cohorts"
    assert ask(built, nulls) == [(13, 13)]
