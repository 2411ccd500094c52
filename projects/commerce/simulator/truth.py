"""The truth file: what a platform must find, computed from the shop itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import numpy as np

from simulator.column import NULL
from simulator.dirt import DUPLICATE, FILTERED, MALFORMED, REJECTED, SUPERSEDED, Delivered
from simulator.measures import metrics
from simulator.shop import Shop
from simulator.table import Table

VERSION = 1
# One row for each key in silver, the highest `updated_at`; of the others every row has a key of its own.
_LATEST = ("stores", "shipment_lines", "identity_edges")


def truth(shop: Shop, delivered: Delivered) -> dict[str, Any]:
    """Everything as JSON values: numbers of metrics as decimal text, counts as integers."""
    options = shop.options
    return {
        "version": VERSION,
        "options": {**asdict(options), "start": str(options.start)},
        "first_day": str(options.start),
        "last_day": str(options.start + timedelta(days=options.days - 1)),
        "stores": {
            store.id: {"timezone": store.zone.name, "base_currency": store.currency} for store in shop.market.stores
        },
        "metrics": metrics(shop),
        "silver": {name: _keys(table) for name, table in shop.tables.items()},
        "vault": vault(shop),
        "oddities": oddities(shop),
        "deliveries": deliveries(shop, delivered),
        "faults": dict(sorted(Counter(fault.kind for fault in delivered.faults).items())),
        "fault_list": [asdict(fault) for fault in delivered.faults],
    }


def vault(shop: Shop) -> dict[str, int]:
    """Rows of hubs, links and satellites when every file has arrived."""
    tables, orders, items = shop.tables, shop.orders, shop.items
    variants = len(np.unique(_numbers(tables["variants"], "store_id", "variant_id"), axis=1).T)
    products = shop.tables["order_items"].columns
    pairs = np.stack([items.order, products["product_id"].values[_by_line(shop)]])
    return {
        "hub_customer": len(shop.people),
        "hub_product": len(np.unique(_numbers(tables["products"], "store_id", "product_id"), axis=1).T),
        "hub_order": len(orders),
        "hub_variant": variants,
        "sat_customer": len(tables["customers"]),
        "sat_product": len(tables["products"]),
        "sat_order": len(tables["orders"]),
        "sat_order_item": len(items),
        "link_customer_order": int(np.sum(orders.customer != NULL)),
        "link_order_product": len(np.unique(pairs, axis=1).T),
        "guest_orders": int(np.sum(orders.customer == NULL)),
    }


def oddities(shop: Shop) -> dict[str, list[dict[str, object]]]:
    """What is well-formed and yet wrong, by kind: the keys of the rows that a platform should name."""
    orders, items, stores = shop.orders, shop.items, shop.market.store_ids
    arrived = set(map(tuple, _numbers(shop.tables["customers"], "store_id", "customer_id").T.tolist()))
    known = np.flatnonzero(orders.customer_number != NULL)
    pairs = zip(orders.store[known].tolist(), orders.customer_number[known].tolist(), strict=True)
    lost = [int(order) for order, pair in zip(known, pairs, strict=True) if pair not in arrived]
    paid = np.zeros(len(items), dtype=np.int64)
    np.add.at(paid, shop.refunded.line, shop.refunded.amount)
    lines = np.flatnonzero(paid > items.net * items.quantity).tolist()

    def name(order: int) -> dict[str, object]:
        return {"store_id": stores[orders.store[order]], "order_id": f"O{orders.number[order]:07}"}

    return {
        "currency_without_rate": [name(order) for order in np.flatnonzero(orders.rate == 0).tolist()],
        "order_without_customer": [name(order) for order in lost],
        "refund_above_sale": [
            name(int(items.order[line])) | {"order_line_no": int(items.line_no[line])} for line in lines
        ],
        "negative_stock": _negative_stock(shop.tables["inventory_movements"]),
    }


def _negative_stock(movements: Table) -> list[dict[str, object]]:
    """Variants of which a place has less than none at the end."""
    columns = movements.columns
    each, place = np.unique(_numbers(movements, "store_id", "variant_id", "location"), axis=1, return_inverse=True)
    stock = np.zeros(each.shape[1], dtype=np.int64)
    np.add.at(stock, place.ravel(), columns["quantity"].values)
    return [
        {
            "store_id": columns["store_id"].words[store],
            "variant_id": f"V{variant:07}",
            "location": columns["location"].words[location],
        }
        for store, variant, location in each[:, stock < 0].T.tolist()
    ]


def deliveries(shop: Shop, delivered: Delivered) -> dict[str, dict[str, int]]:
    """By dataset, what becomes of every line when all files are taken in one run: lines = malformed + rejected +
    accepted + duplicate + superseded + filtered. `quarantined` = malformed + rejected."""
    found = {}
    files = Counter(drop.dataset for drop in delivered.drops)
    for name, table in shop.tables.items():
        fates = Counter({SUPERSEDED: len(table) - _keys(table)})
        for fault in delivered.faults:
            if fault.dataset == name and fault.fate is not None:
                fates[fault.fate] += fault.lines
        found[name] = {
            "files": files[name],
            "lines": len(table) + sum(fates.values()) - (len(table) - _keys(table)),
            "accepted": _keys(table),
            "quarantined": fates[MALFORMED] + fates[REJECTED],
            "malformed": fates[MALFORMED],
            "rejected": fates[REJECTED],
            "duplicate": fates[DUPLICATE],
            "superseded": fates[SUPERSEDED],
            "filtered": fates[FILTERED],
        }
    return found


def _keys(table: Table) -> int:
    """Rows in silver."""
    if table.name not in _LATEST or len(table) == 0:
        return len(table)
    return len(np.unique(_numbers(table, *table.key), axis=1).T)


def _numbers(table: Table, *names: str) -> np.ndarray:
    return np.stack([table.columns[name].values for name in names])


def _by_line(shop: Shop) -> np.ndarray:
    """For each line of the shop its row in the table of items, which is sorted by day."""
    opening = shop.market.opening
    due = (shop.orders.placed[shop.items.order] - opening) // 86_400
    order = np.argsort(due, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place
