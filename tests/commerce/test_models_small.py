"""The models on a shop written by hand: every expected number was calculated on paper."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.compute as pc
import pytest
import yaml

from tests.commerce.hand_shop import COMMERCE, ROWS, Shop
from tests.commerce.live_history import agreement, lived, told_by_day
from tests.commerce.live_history import released as released_tables

Report = dict[str, Any]
NOTED = {
    "orders_unpaid": "fail",
    "orders_over_paid": "fail",
    "orders_paid_in_another_currency": "fail",
    "refunds_within_the_sale": "fail",
    "customers_of_orders_have_arrived": "fail",
    "stock_is_not_negative": "fail",
    "days_exist": "fail",
    "moments_have_passed": "pass",
    "amounts_have_a_rate": "pass",
    "differences_are_explained": "pass",
}


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory, compiled: Path) -> tuple[Shop, Report]:
    """Release 1 of the shop by hand, and what `run` said; tests only read."""
    shop = Shop.at(tmp_path_factory.mktemp("by-hand"), compiled)
    shop.deliver_all()
    return shop, shop.run()


@pytest.fixture
def shop(released: tuple[Shop, Report]) -> Shop:
    return released[0]


def numbers(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Decimals as plain numbers, so that 8.5 is written as it is on paper."""
    return [tuple(Decimal(x) if isinstance(x, int) and not isinstance(x, bool) else x for x in row) for row in rows]


def table(text: str) -> list[tuple[Any, ...]]:
    """Rows of a table in text; numbers are decimals, `-` is null."""
    return [tuple(_cell(cell) for cell in line.split()) for line in text.strip().splitlines()]


def _cell(cell: str) -> Any:
    if cell in ("-", "true", "false"):
        return {"-": None, "true": True, "false": False}[cell]
    return Decimal(cell) if cell.lstrip("-").replace(".", "", 1).isdigit() else cell


def test_the_ledger_has_a_row_for_every_line_and_event_at_the_day_of_that_event(shop: Shop) -> None:
    found = shop.rows(
        "SELECT order_id, line_no, entry_type, business_date, quantity, amount, base_amount, base_cost"
        " FROM gold.sales_ledger WHERE store_id = 'berlin' AND NOT is_test"
        " ORDER BY order_id, line_no, entry_type, occurred_at, source_id"
    )
    assert numbers(found) == table("""
        o1 1 cancellation 2024-03-11 -1 -8.5    -8.5    -5
        o1 1 discount     2024-03-11  0 -4      -4       0
        o1 1 discount     2024-03-11  0 -2      -2       0
        o1 1 restock      2024-03-31  0  0       0      -5
        o1 1 return       2024-04-01 -2 -17     -17      0
        o1 1 sale         2024-03-11  4  40      40     20
        o1 1 tax          2024-03-11  0  6.46    6.46    0
        o1 2 sale         2024-03-11  2  15      15      3.8
        o1 2 tax          2024-03-11  0  2.85    2.85    0
        o1 3 gift_card    2024-03-11  0  25      25      0
        o1 - shipping     2024-03-11  0  4.9     4.9     0
        o2 1 return       2024-03-12 -1 -25     -22.5    0
        o2 1 sale         2024-03-10  1  20      18      5
        o4 1 cancellation 2024-03-06 -1 -9.995  -9.995  -4
        o4 1 cancellation 2024-03-06 -1 -9.995  -9.995  -4
        o4 1 discount     2024-03-05  0 -0.01   -0.01    0
        o4 1 sale         2024-03-05  2  20      20      8
    """)


def test_equal_order_numbers_of_two_stores_are_two_orders_each_on_its_own_local_day(shop: Shop) -> None:
    found = shop.rows(
        "SELECT store_id, order_id, business_date, currency, amount, base_amount, base_cost FROM gold.sales_ledger"
        " WHERE entry_type = 'sale' AND store_id = 'newyork' ORDER BY order_id"
    )
    assert numbers(found) == table("""
        newyork o1 2024-03-09 EUR 36 39.6 18
        newyork o2 2024-03-10 USD 15 15    6
    """)


def test_test_orders_are_in_the_ledger_and_in_no_number(shop: Shop) -> None:
    assert shop.rows("SELECT count(*) FROM gold.sales_ledger WHERE is_test") == [(1,)]
    assert shop.rows("SELECT max(gross_sales) < 100 FROM gold.daily_revenue_by_category") == [(True,)]
    assert shop.rows("SELECT count(*) FROM gold.fct_purchases WHERE order_id = 'o3'") == [(0,)]


def test_the_business_vault_is_a_schema_of_its_own(shop: Shop) -> None:
    for view in ("vw_customer_360", "vw_product_analytics", "vw_order_analytics"):
        rows = shop.rows(f"SELECT * FROM business_vault.{view} ORDER BY ALL")
        assert rows == shop.rows(f"SELECT * FROM gold.{view} ORDER BY ALL") != []


def test_revenue_of_a_day_is_the_sum_of_what_happened_on_it(shop: Shop) -> None:
    found = shop.rows(
        "SELECT date_key, country, net_sales, cost FROM gold.daily_revenue_by_country"
        " WHERE store_id = 'berlin' ORDER BY date_key"
    )
    assert numbers(found) == table("""
        2024-03-05 DE  19.99  8
        2024-03-06 DE -19.99 -8
        2024-03-10 AT  18     5
        2024-03-11 DE  40.5  18.8
        2024-03-12 AT -22.5   0
        2024-03-31 DE   0    -5
        2024-04-01 DE -17     0
    """)
    found = shop.rows(
        "SELECT category, quantity, gross_sales, discounts, cancellations, returns, net_sales, cost, gross_profit"
        " FROM gold.daily_revenue_by_category WHERE date_key = '2024-03-11' ORDER BY category"
    )
    assert numbers(found) == table("""
        Books    2 15 0 0   0 15   3.8 11.2
        Lighting 3 40 6 8.5 0 25.5 15  10.5
    """)


def test_a_line_keeps_its_day_and_bears_what_became_of_it(shop: Shop) -> None:
    found = shop.rows(
        "SELECT order_id, date_key, ordered_quantity, cancelled_quantity, refunded_quantity, restocked_quantity,"
        " quantity, revenue, cost, profit FROM gold.fact_sales"
        " WHERE store_id = 'berlin' AND line_no = 1 AND NOT is_test ORDER BY order_id"
    )
    assert numbers(found) == table("""
        o1 2024-03-11 4 1 2 1  1  8.5 10 -1.5
        o2 2024-03-10 1 0 1 0  0 -4.5  5 -9.5
        o4 2024-03-05 2 2 0 0  0  0    0  0
    """)


def test_a_dimension_has_a_version_for_every_change_and_members_for_the_guest_and_the_unknown(shop: Shop) -> None:
    found = shop.rows(
        "SELECT customer_id, version, valid_from, valid_to, is_member, person_id FROM gold.dim_customer"
        " WHERE customer_id IS NOT NULL ORDER BY ALL"
    )
    assert [(row[0], row[1], row[2][:10], row[3] and row[3][:10], *row[4:]) for row in found] == [
        ("c1", 1, "2024-01-01", "2024-03-10", False, "someone"),
        ("c1", 2, "2024-03-10", None, True, "someone"),
        ("c2", 1, "2024-03-08", None, False, "someone"),
    ]
    purchases = shop.rows(
        "SELECT store_id, order_id, is_guest, is_member, customer_key IN ('guest', 'unknown')"
        " FROM gold.fct_purchases WHERE line_no = 1 ORDER BY ALL"
    )
    assert purchases == table("""
        berlin  o1 false true  false
        berlin  o2 true  false true
        berlin  o4 false false false
        newyork o1 false false true
        newyork o2 false false true
    """)


def test_a_purchase_knows_the_first_payment_that_was_captured(shop: Shop) -> None:
    found = shop.rows(
        "SELECT order_id, line_no, amount, base_amount, is_paid, payment_method, failed_payments"
        " FROM gold.fct_purchases WHERE order_id IN ('o1', 'o2') AND store_id = 'berlin' ORDER BY 1, 2"
    )
    assert numbers(found) == table("""
        o1 1 34 34 true wallet 1
        o1 2 15 15 true wallet 1
        o2 1 20 18 true card   0
    """)


def test_ledger_and_payments_are_held_against_each_other_and_differences_have_names(shop: Shop) -> None:
    found = shop.rows(
        "SELECT store_id, order_id, expected_amount, received_amount, replace(payment_state, ' ', '_'),"
        " replace(refund_state, ' ', '_') FROM gold.order_reconciliation ORDER BY 1, 2"
    )
    assert numbers(found) == table("""
        berlin  o1 62.71 62.71 settled   matched
        berlin  o2 -5    20    other_currency more_than_the_sale
        berlin  o4  0     0    settled   matched
        newyork o1 36     0    unpaid    matched
        newyork o2 15    30    over-paid matched
    """)


def test_the_gate_names_what_is_wrong_with_the_input_and_releases_all_the_same(released: tuple[Shop, Report]) -> None:
    _, report = released
    assert report["outcome"] == "released"
    assert {check["name"]: check["status"] for check in report["checks"] if check["name"] in NOTED} == NOTED


def test_live_metrics_agree_with_gold_on_every_closed_day_and_a_difference_is_told(shop: Shop, tmp_path: Path) -> None:
    gold = released_tables(shop.folder / "data")
    lived(tmp_path, gold)

    found = agreement(gold, tmp_path)
    assert (found.status, found.sample) == ("pass", ())

    without = {name: rows.filter(pc.field("order_id") != "o1") for name, rows in gold.items()}
    assert agreement(without, tmp_path).value == "8"
    days = sorted((str(day), *row) for (store, day, *row) in told_by_day(tmp_path) if store == "berlin")
    assert numbers(days) == table("""
        2024-03-05 average_order_value 19.99  1
        2024-03-05 discounts           0.01   -
        2024-03-05 gross_sales         20     -
        2024-03-05 net_sales           19.99  -
        2024-03-05 orders              1      -
        2024-03-06 cancellations       19.99  -
        2024-03-06 net_sales           -19.99 -
        2024-03-10 average_order_value 18     1
        2024-03-10 gross_sales         18     -
        2024-03-10 net_sales           18     -
        2024-03-10 orders              1      -
        2024-03-11 average_order_value 49     1
        2024-03-11 cancellations       8.5    -
        2024-03-11 discounts           6      -
        2024-03-11 gross_sales         55     -
        2024-03-11 net_sales           40.5   -
        2024-03-11 orders              1      -
        2024-03-12 net_sales           -22.5  -
        2024-03-12 returns             22.5   -
        2024-04-01 net_sales           -17    -
        2024-04-01 returns             17     -
    """)


def test_the_queries_of_the_project_page_answer(shop: Shop) -> None:
    page = (COMMERCE / "README.md").read_text(encoding="utf-8")
    queries = [line.split('"')[1] for line in page.splitlines() if line.startswith('    penstock query "')]
    assert len(queries) == 2
    assert all(shop.rows(query) for query in queries)


def test_a_new_customer_counts_once_for_the_last_touch_that_is_not_direct(shop: Shop) -> None:
    found = shop.rows("SELECT * EXCLUDE (is_final) FROM gold.acquisition_cost ORDER BY store_id, date_key")
    assert numbers(found) == table("""
        apia    2011-12-30 email  WST  1   0  -
        berlin  2024-03-11 email  EUR 39.5 1 39.5
        newyork 2024-03-09 direct USD  0   1  0
    """)


def test_lifetime_value_counts_a_person_with_all_accounts_and_waits_for_its_days(shop: Shop) -> None:
    found = shop.rows(
        "SELECT store_id, cohort_month, horizon_days, cohort_size, lifetime_value FROM gold.lifetime_value ORDER BY ALL"
    )
    assert numbers(found) == table("""
        berlin  2024-03-01 30  1 9.7
        berlin  2024-03-01 90  1 -
        berlin  2024-03-01 365 1 -
        newyork 2024-03-01 30  1 30.6
        newyork 2024-03-01 90  1 -
        newyork 2024-03-01 365 1 -
    """)


def test_cells_of_a_cohort_are_null_until_their_month_is_over(shop: Shop) -> None:
    found = shop.rows(
        "SELECT months_since, cohort_size, active_persons, orders, net_sales FROM gold.cohorts"
        " WHERE store_id = 'berlin' ORDER BY months_since"
    )
    assert numbers(found) == table("""
        0 1 1 2 40.5
        1 1 0 0 -17
        2 1 - - -
    """)


def test_rfm_knows_persons_with_an_order_that_stands_and_no_guest(shop: Shop) -> None:
    found = shop.rows(
        "SELECT store_id, person_id, as_of_date, recency_days, frequency, monetary_value FROM gold.rfm_segments"
        " ORDER BY store_id"
    )
    assert numbers(found) == table("""
        berlin  someone 2024-05-20 70 1 23.5
        newyork c9      2024-05-20 71 2 54.6
    """)


def test_a_snapshot_says_what_was_known_at_its_day(shop: Shop) -> None:
    found = shop.rows(
        "SELECT as_of_date, is_latest, orders, net_sales, gross_profit FROM gold.customer_snapshots"
        " WHERE store_id = 'berlin' ORDER BY as_of_date"
    )
    assert numbers(found) == table("""
        2024-03-31 false 1 40.5 26.7
        2024-04-30 false 1 23.5  9.7
        2024-05-20 true  1 23.5  9.7
    """)


def test_visits_convert_by_orders_that_are_no_test_and_machines_do_not_visit(shop: Shop) -> None:
    found = shop.rows(
        "SELECT date_key, sessions, converted_sessions, placed, paid, shipped, delivered, cancelled, refunded"
        " FROM gold.order_funnel WHERE store_id = 'berlin' ORDER BY date_key"
    )
    assert numbers(found) == table("""
        2024-03-01 1 0 0 0 0 0 0 0
        2024-03-05 0 0 1 0 0 0 1 0
        2024-03-10 1 1 1 1 0 0 0 1
        2024-03-11 1 0 1 1 1 0 0 1
    """)


def test_refunds_go_to_the_parts_of_a_line_in_the_order_in_which_they_arrived(shop: Shop) -> None:
    found = shop.rows(
        "SELECT shipment_id, date_key, units_delivered, units_refunded, is_final FROM gold.fact_deliveries ORDER BY 1"
    )
    assert numbers(found) == table("""
        s1 2024-03-12 1 1 true
        s2 2024-03-13 2 1 true
    """)


def test_payments_of_merchants_and_users_are_sums_of_what_was_captured_by_local_day(shop: Shop) -> None:
    merchants = shop.rows("SELECT date_key, merchant_id, payments, revenue FROM gold.daily_merchant_revenue ORDER BY 1")
    assert numbers(merchants) == table("""
        2024-03-10 m1 1  9
        2024-03-11 m1 1 50
    """)
    spenders = shop.rows(
        "SELECT date_key, position, user_id, spend FROM gold.top_spenders WHERE store_id = 'berlin' ORDER BY 1, 2"
    )
    assert numbers(spenders) == table("""
        2024-03-10 1 g  25
        2024-03-10 2 c1  9
        2024-03-11 1 c1 138.21
    """)


def test_transactions_have_a_region_and_a_category_of_their_amount(shop: Shop) -> None:
    found = shop.rows(
        "SELECT store_id, transaction_id, region, base_amount, amount_category"
        " FROM gold.unified_customer_transactions ORDER BY 1, 2"
    )
    assert numbers(found) == table("""
        berlin  o1 North   49    low
        berlin  o2 unknown 18    low
        berlin  o4 South   19.99 low
        newyork o1 unknown 39.6  low
        newyork o2 unknown 15    low
    """)


def test_stock_is_the_sum_of_movements_and_is_bought_in_at_its_reorder_point(shop: Shop) -> None:
    levels = shop.rows(
        "SELECT store_id, variant_id, location, on_hand, is_negative FROM gold.stock_levels ORDER BY ALL"
    )
    assert numbers(levels) == table("""
        berlin  v1 shop       2 false
        berlin  v1 warehouse -1 true
        newyork v1 shop       6 false
    """)
    points = shop.rows(
        "SELECT store_id, variant_id, on_hand, delivered_on_hand, shipped_30_days, reorder_point, needs_reorder"
        " FROM gold.reorder_points ORDER BY 1, 2"
    )
    assert numbers(points) == table("""
        berlin  v1 1 1 4 2 true
        berlin  v2 0 0 0 - false
        newyork v1 6 6 0 5 false
    """)


def test_a_product_earns_from_members_and_from_others(shop: Shop) -> None:
    found = shop.rows(
        "SELECT store_id, product_id, is_member, orders, net_sales, cost, gross_profit"
        " FROM gold.product_profitability ORDER BY 1, 2, 3"
    )
    assert numbers(found) == table("""
        berlin  p1 false 2 -4.5  5   -9.5
        berlin  p1 true  1  8.5 10   -1.5
        berlin  p2 true  1 15    3.8 11.2
        newyork p1 false 2 54.6 24   30.6
    """)


def test_a_row_dated_after_its_arrival_is_named_and_makes_nothing_look_older(
    shop: Shop, tmp_path: Path, compiled: Path
) -> None:
    mistaken = Shop.at(tmp_path, compiled)
    mistaken.deliver_all()
    mistaken.deliver(
        "orders", "berlin,o6,2999-01-01T09:00:00Z,c1,2024-03-11T09:00:00Z,paid,web,EUR,true,DE", name="far"
    )

    report = mistaken.run()

    (check,) = [check for check in report["checks"] if check["name"] == "moments_have_passed"]
    assert (check["status"], [row["file"] for row in check["sample"]]) == ("fail", ["orders-far.v1.csv"])
    for model in ("dim_date", "cohorts", "lifetime_value", "churn", "customer_snapshots", "stock_levels"):
        everything = f"SELECT * FROM gold.{model} ORDER BY ALL"
        assert mistaken.rows(everything) == shop.rows(everything), model


LATE = ("stores", "customers", "products", "product_costs", "orders", "order_items", "fx_rates", "identity_edges")
WAITING = ("sales_ledger", "fact_sales", "fct_purchases", "fact_orders", "dim_customer", "acquisition_cost", "cohorts")


def test_what_arrives_before_the_thing_it_is_about_waits_for_it(shop: Shop, tmp_path: Path, compiled: Path) -> None:
    late = Shop.at(tmp_path, compiled)
    late.deliver_text(*(dataset for dataset in ROWS if dataset not in (*LATE, "ad_spend")))
    late.deliver_rest()
    assert late.run()["outcome"] == "released"
    assert late.rows("SELECT count(*) FROM gold.sales_ledger") == [(0,)]

    late.deliver_text(*LATE, "ad_spend")
    assert late.run()["outcome"] == "released"
    for model in WAITING:
        everything = f"SELECT * FROM gold.{model} ORDER BY ALL"
        assert late.rows(everything) == shop.rows(everything), model


def test_every_model_is_tested_every_column_described_and_no_money_is_a_float(shop: Shop) -> None:
    folders = [COMMERCE / "models" / folder for folder in ("staging", "ledger", "star", "marts")]
    ours = {path.stem for folder in folders for path in folder.glob("*.sql")}
    declared = [yaml.safe_load(path.read_text())["models"] for folder in folders for path in folder.glob("*.yml")]
    described = {
        (model["name"], column["name"])
        for models in declared
        for model in models
        if model["data_tests"] and model["description"]
        for column in model["columns"]
        if column["description"]
    }
    with duckdb.connect(str(shop.folder / "data" / "cache" / "warehouse-1.duckdb"), read_only=True) as warehouse:
        found = warehouse.execute("SELECT table_name, column_name, data_type FROM duckdb_columns()").fetchall()
    columns = {(table, column): type for table, column, type in found if table in ours}
    assert set(columns) == described
    assert [name for name, type in columns.items() if type in ("DOUBLE", "FLOAT")] == [("churn", "churn_rate")]


def test_an_empty_inbox_and_plain_files_alone_make_a_release(tmp_path: Path, compiled: Path) -> None:
    shop = Shop.at(tmp_path, compiled)
    shop.inbox.mkdir()
    shop.run()
    (shop.inbox / "transactions.csv").write_text(
        "transaction_id,customer_id,product_id,quantity,amount,region,timestamp\n"
        "t1,c1,p1,2,39.98,North,2024-01-02 10:00:00\nt2,,,,500.00,,2024-01-03 23:59:59\n"
    )
    (shop.inbox / "customers.csv").write_text("customer_id,name,region,created_at\nc1,Ada,South,2024-01-01T10:00:00Z\n")
    (shop.inbox / "products.csv").write_text("product_id,product_name,category,price\np1,Lamp,Living,19.99\n")
    assert shop.run()["outcome"] == "released"
    found = shop.rows(
        "SELECT store_id, transaction_id, date_key, region, base_currency, base_amount, amount_category"
        " FROM gold.unified_customer_transactions ORDER BY 2"
    )
    assert numbers(found) == table("""
        default t1 2024-01-02 North   USD  39.98 low
        default t2 2024-01-03 unknown USD 500    high
    """)
    found = shop.rows("SELECT category, quantity, net_sales FROM gold.daily_revenue_by_category ORDER BY date_key")
    assert numbers(found) == table("""
        Living  2  39.98
        unknown 1 500
    """)
