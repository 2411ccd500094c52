"""Whatever is delivered when, gold is the one that a build of everything from nothing gives."""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from simulator.dirt import soil
from simulator.drops import cut, write
from simulator.options import Options
from simulator.shop import simulate

from penstock.load import leaving
from penstock.transform.content import Content
from tests.commerce.contents import said
from tests.commerce.hand_shop import ROWS, SESSIONS, Shop

SHOP = Options(customers=50, products=20, orders=260, days=100, stores=3, seed=8, dirt=2, cut="month")
WITHOUT_WHICH_NO_GATE = ("stores", "fx_rates")


@pytest.mark.parametrize(("parts", "seed"), [(3, 1), pytest.param(5, 2, marks=pytest.mark.faults)])
def test_files_in_any_order_over_several_releases_make_the_gold_of_one(
    tmp_path: Path, compiled: Path, parts: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaving, "SMALL", 8)  # of files of silver that stay rows leave, too
    made = simulate(SHOP)
    drops = list(soil(made, cut(made)).drops)
    whole, grown = Shop.at(tmp_path / "whole", compiled), Shop.at(tmp_path / "grown", compiled)
    write(drops, whole.inbox)
    whole.run()
    first = [drop for drop in drops if drop.table.name in WITHOUT_WHICH_NO_GATE]
    others = [drop for drop in drops if drop.table.name not in WITHOUT_WHICH_NO_GATE]
    random.Random(seed).shuffle(others)
    for part in range(parts):
        write([*first, *others[part::parts]], grown.inbox)
        assert grown.run()["release"] == part + 1
        first = []
    assert list((grown.folder / "data" / "lake" / "silver").rglob("*-deletes.parquet"))
    assert said(grown) == said(whole)


def whole(grown: Shop, folder: Path, compiled: Path) -> Mapping[str, Content]:
    """The contents that one build of all that was delivered gives."""
    shop = Shop.at(folder, compiled)
    shutil.copytree(grown.inbox, shop.inbox)
    shop.run()
    return said(shop)


def test_payments_and_sessions_follow_what_comes_goes_and_changes_of_them_and_of_their_orders(
    tmp_path: Path, compiled: Path
) -> None:
    grown = Shop.at(tmp_path / "grown", compiled)
    grown.deliver_all()
    late, early = ROWS["orders"][-1], ROWS["orders"][:-1]
    grown.deliver("orders", *early)
    # Paid in pounds on another day than its order is placed, whose rate is still to come.
    pounds = "berlin,t9,o1,c1,,,card,captured,3,5.00,GBP,2024-03-31T22:45:00Z"
    # The same without an order: its own day, in New York the evening before, has a rate to come.
    at_night = "newyork,t9,,c9,,,card,captured,1,5.00,GBP,2024-03-14T02:00:00Z"
    grown.deliver("payments", *ROWS["payments"], pounds, at_night)
    grown.run()

    # One payment more, one of another amount, one that is gone; a session that is no bot's, one gone and one more.
    kept = [row.replace("50.00", "55.00") for row in ROWS["payments"] if ",t7," not in row]
    another = "berlin,t10,,c1,m1,travel,card,captured,1,1.00,EUR,2024-03-12T12:00:00Z"
    grown.deliver("payments", *kept, pounds, at_night, another, version=2)
    mended = [(*row[:5], False, row[6]) for row in SESSIONS if row[1] != "w3"]
    new = ("berlin", "w6", "c2", "2024-03-12T09:50:00Z", "2024-03-12T10:10:00Z", False, False)
    grown.deliver_sessions(*mended, new, version=2)
    grown.run()

    # An order that comes after its payments, one that turns out a test, and the rates of an order's day and a payment's.
    grown.deliver(
        "orders", late, "berlin,o2,2024-03-13T10:00:00Z,,2024-03-10T10:00:00Z,paid,app,USD,true,AT", name="more"
    )
    grown.deliver("fx_rates", "2024-03-11,GBP,EUR,1.20000000", "2024-03-13,GBP,USD,1.30000000", name="more")
    grown.run()
    assert grown.rows("SELECT count(*) FROM gold.daily_user_spend WHERE date_key = '2024-03-13'") == [(1,)]

    assert said(grown) == whole(grown, tmp_path / "whole", compiled)


def test_acquisition_follows_touches_and_sessions_whichever_comes_first(tmp_path: Path, compiled: Path) -> None:
    grown = Shop.at(tmp_path / "grown", compiled)
    won = "SELECT channel FROM gold.acquisition_cost WHERE store_id = 'newyork' AND new_customers > 0"

    def touch(customer: str | None, channel: str, *, version: int) -> None:
        names = ("store_id", "touch_id", "session_id", "customer_id", "occurred_at", "channel")
        row = ("newyork", "h9", "w9", customer, "2024-03-01T10:00:00Z", channel)
        grown.deliver_json("touches", [dict(zip(names, row, strict=True))], version=version)

    def session(customer: str | None, *, version: int) -> None:
        row = ("newyork", "w9", customer, "2024-03-01T10:00:00Z", "2024-03-01T10:10:00Z", False, False)
        grown.deliver_sessions(*SESSIONS, row, version=version)

    grown.deliver_all()
    touch(None, "email", version=1)
    grown.run()
    assert grown.rows(won) == [("direct",)]
    session("c9", version=2)
    grown.run()
    assert grown.rows(won) == [("email",)]
    session("c8", version=3)
    touch("c9", "social", version=2)
    grown.run()
    assert grown.rows(won) == [("social",)]
    touch(None, "display", version=3)
    grown.run()
    assert grown.rows(won) == [("direct",)]
    session("c9", version=4)
    grown.run()
    assert grown.rows(won) == [("display",)]
    assert said(grown) == whole(grown, tmp_path / "whole", compiled)


def test_products_follow_versions_that_come_late_and_say_something_else_or_the_same(
    tmp_path: Path, compiled: Path
) -> None:
    grown = Shop.at(tmp_path / "grown", compiled)
    grown.deliver_all()
    grown.run()
    grown.deliver(
        "products",
        "berlin,p1,2024-02-01T00:00:00Z,Lamp,Lighting,active,false",
        "berlin,p1,2024-03-10T12:00:00Z,Lamp,Outdoor,active,false",
        "newyork,p1,2024-03-10T06:00:00Z,Pen,Writing,discontinued,false",
        "newyork,p2,2024-01-01T00:00:00Z,Ink,Writing,active,false",
        name="more",
    )
    grown.run()
    assert grown.rows("SELECT count(*) FROM gold.dim_product WHERE store_id IS NOT NULL") == [(6,)]
    assert said(grown) == whole(grown, tmp_path / "whole", compiled)


def test_orders_follow_what_comes_and_goes_of_some_of_their_parts(tmp_path: Path, compiled: Path) -> None:
    grown = Shop.at(tmp_path / "grown", compiled)
    grown.deliver_all()
    grown.run()

    # Versions of orders are told otherwise; an order is paid, another refunded once more, a third sent.
    grown.deliver("orders", *(row.replace(",paid,", ",fulfilled,") for row in ROWS["orders"]), version=2)
    grown.deliver("payments", "newyork,t11,o2,c9,,,cash,captured,1,15.00,USD,2024-03-10T07:31:00Z", name="more")
    grown.deliver("refund_lines", "berlin,r9,1,o2,1,1,1.00,2024-03-14T10:00:00Z", name="more")
    grown.deliver(
        "shipment_lines",
        "newyork,s9,1,o1,1,3,post,2024-03-11T08:00:00Z,2024-03-12T10:00:00Z,2024-03-12T10:00:00Z",
        name="more",
    )
    grown.run()
    assert grown.rows("SELECT count(*) > 0 FROM gold.fact_orders WHERE status = 'fulfilled'") == [(True,)]
    assert said(grown) == whole(grown, tmp_path / "told otherwise", compiled)

    # Of o4 the person is another, of o1 the region of the customer; an old version of newyork o1 comes late.
    grown.deliver("identity_edges", "berlin,customer,c2,2024-03-01T00:00:00Z,third,,2024-03-01T00:00:00Z", name="more")
    mended = [row.replace("North", "East") if "03-10T12" in row else row for row in ROWS["customers"]]
    grown.deliver("customers", *mended, version=2)
    grown.deliver(
        "orders", "newyork,o1,2024-03-10T03:00:00Z,c9,2024-03-10T03:30:00Z,paid,web,EUR,false,US", name="late"
    )
    grown.deliver("shipping_charges", "newyork,o2,3.00", name="more")
    grown.run()

    # What a line of o1 costs is in dollars, the order in euros; a product of it was in another category before.
    rates = [row.replace("0.95", "0.80") for row in ROWS["fx_rates"]]
    grown.deliver("fx_rates", *rates, version=2)
    grown.deliver("products", "berlin,p2,2024-03-01T00:00:00Z,Atlas,Maps,active,false", name="more")
    grown.deliver("product_costs", "newyork,v1,2024-03-09T00:00:00Z,7.00,USD", name="more")
    grown.deliver("order_events", "newyork,e9,o1,1,cancelled,1,2024-03-11T10:00:00Z", name="more")
    # A store begins to count in another currency.
    grown.deliver("stores", "newyork,New York,America/New_York,EUR,false,2024-02-01T00:00:00Z", name="more")
    grown.run()
    assert said(grown) == whole(grown, tmp_path / "mended", compiled)
    for view in ("vw_customer_360", "vw_product_analytics", "vw_order_analytics"):
        assert grown.rows(f"SELECT DISTINCT base_currency FROM gold.{view}") == [("EUR",)]


def test_months_of_persons_follow_the_last_day_and_what_comes_late(tmp_path: Path, compiled: Path) -> None:
    grown = Shop.at(tmp_path / "grown", compiled)

    def day(moment: str) -> tuple[str, str, None, str, str, bool, bool]:
        return "berlin", moment, None, moment, moment, False, False

    def order(id: str, customer: str, placed_at: str) -> None:
        text = f"berlin,{id},{placed_at},{customer},{placed_at},placed,web,EUR"
        grown.deliver("orders", f"{text},false,DE", name=id)
        grown.deliver("order_items", f"berlin,{id},1,v1,p1,1,10.00", name=id)

    # The last day is the end of March in UTC; in Berlin a refund and a cancellation lie in April by then.
    grown.deliver_text(*ROWS)
    order("o5", "c2", "2024-02-10T10:00:00Z")
    grown.deliver("order_events", "berlin,e9,o5,,cancelled,,2024-03-31T22:30:00Z", name="o5")
    grown.run()
    assert grown.rows("SELECT max(as_of_date) FROM gold.customer_snapshots") == [("2024-03-31",)]

    # April begins, which turns out wrong, and then an order of a day that is still to come.
    grown.deliver_sessions(day("2024-04-01T10:00:00Z"))
    grown.run()
    grown.deliver_sessions(day("2024-03-20T10:00:00Z"), version=2)
    grown.run()
    assert grown.rows("SELECT max(as_of_date) FROM gold.customer_snapshots") == [("2024-03-31",)]
    order("o6", "c3", "2024-04-02T22:30:00Z")
    grown.run()
    assert grown.rows("SELECT count(*) FROM gold.customer_snapshots WHERE person_id = 'c3'") == [(0,)]
    grown.deliver_sessions(day("2024-04-03T10:00:00Z"), version=3)
    grown.run()
    assert grown.rows("SELECT count(*) FROM gold.customer_snapshots WHERE person_id = 'c3'") == [(1,)]
    assert said(grown) == whole(grown, tmp_path / "in April", compiled)

    # The last day falls back, an order of February comes, another turns out a test, and a person has another account.
    grown.deliver_sessions(day("2024-04-01T10:00:00Z"), version=4)
    order("o7", "c3", "2024-02-20T10:00:00Z")
    grown.deliver(
        "orders", "newyork,o2,2024-03-11T00:00:00Z,c9,2024-03-10T07:30:00Z,paid,store,USD,true,US", name="test"
    )
    grown.deliver("identity_edges", "berlin,customer,c3,2024-03-01T00:00:00Z,someone,,2024-03-01T00:00:00Z", name="c3")
    grown.run()
    assert said(grown) == whole(grown, tmp_path / "back", compiled)
