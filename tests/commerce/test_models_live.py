"""What was told live and what is delivered in files make one gold."""

from __future__ import annotations

from pathlib import Path

from tests.commerce.contents import said
from tests.commerce.hand_shop import Shop


def test_a_line_that_was_told_live_counts_until_the_line_itself_is_delivered(tmp_path: Path, compiled: Path) -> None:
    shop = Shop.at(tmp_path, compiled)
    shop.deliver_all()
    shop.deliver("orders", "berlin,o5,2024-03-11T09:00:00Z,,2024-03-11T09:00:00Z,paid,web,EUR,false,DE", name="more")
    told = (
        '{"store_id": "berlin", "order_id": "o5", "line_no": 1, "variant_id": "v1", "product_id": "p1", "quantity": 2,'
        ' "list_price": 30, "discount_amount": 6, "currency": "EUR", "is_test": false, "placed_at": "2024-03-11T09:00:00Z"}'
    )
    (tmp_path / "told.ndjson").write_text(told + "\n")
    shop.call("topics", "append", "order_lines_live", str(tmp_path / "told.ndjson")).expect(0)
    moved = (
        '{"store_id": "berlin", "movement_id": "live", "variant_id": "v1", "location": "shop", "quantity": -4,'
        ' "reason": "shipment", "occurred_at": "2024-03-11T09:00:00Z"}'
    )
    (tmp_path / "moved.ndjson").write_text(moved + "\n")
    shop.call("topics", "append", "inventory_changes", str(tmp_path / "moved.ndjson")).expect(0)
    shop.call("land", "--until-idle").expect(0)
    ledger = "SELECT entry_type, quantity, amount FROM gold.sales_ledger WHERE order_id = 'o5' ORDER BY amount DESC"

    shop.run()
    assert shop.rows(ledger) == [("sale", 2, 60), ("discount", 0, -6)]
    stock = "SELECT on_hand, delivered_on_hand FROM gold.reorder_points WHERE store_id = 'berlin' AND variant_id = 'v1'"
    assert shop.rows(stock) == [(-3, 1)]  # what the stream counts is not counted again

    shop.deliver("order_items", "berlin,o5,1,v1,p1,1,30.00", name="more")
    shop.run()
    assert shop.rows(ledger) == [("sale", 1, 30)]


def test_the_vault_keeps_the_product_that_was_told_where_the_line_delivered_has_another(
    tmp_path: Path, compiled: Path
) -> None:
    def told(folder: Path) -> Shop:
        shop = Shop.at(folder, compiled)
        shop.deliver_text("stores", "fx_rates", "orders")
        line = (
            '{"store_id": "berlin", "order_id": "o1", "line_no": 1, "variant_id": "v1", "product_id": "p1", "quantity": 1,'
            ' "list_price": 30, "currency": "EUR", "is_test": false, "placed_at": "2024-03-10T23:30:00Z"}'
        )
        (folder / "told.ndjson").write_text(line + "\n")
        shop.call("topics", "append", "order_lines_live", str(folder / "told.ndjson")).expect(0)
        shop.call("land", "--until-idle").expect(0)
        return shop

    grown, whole = told(tmp_path / "grown"), told(tmp_path / "whole")
    grown.run()
    for shop in (grown, whole):
        shop.deliver("order_items", "berlin,o1,1,v2,p2,1,30.00")
        shop.run()
    assert said(grown) == said(whole)
    linked = "SELECT product_id FROM gold.link_order_product JOIN gold.hub_product USING (product_hk) ORDER BY ALL"
    assert grown.rows(linked) == [("p1",), ("p2",)]
    assert grown.rows("SELECT products FROM gold.vw_order_analytics WHERE order_id = 'o1' AND lines > 0") == [(1,)]
