"""The shop by hand as its events came: every line and refund twice, out of order, and the live tables they make."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa

from penstock.quality.declared import declared_rules
from penstock.quality.rule import Outcome
from penstock.runtime.live_checks import define_live
from penstock.runtime.topology import live_shape
from penstock.spec.loading import load_project
from penstock.sql.connection import connect
from penstock.store.live import LiveTable
from penstock.stream.runner import Limits
from tests.commerce.hand_shop import COMMERCE, HEADERS, ROWS
from tests.commerce.looked_up import TABLES
from tests.stream.running_topology import START, Desk

PROJECT = load_project(COMMERCE, environment={})
LONG_AFTER = datetime(2024, 6, 1, tzinfo=UTC)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def delivered(dataset: str) -> list[dict[str, str]]:
    return list(csv.DictReader([HEADERS[dataset], *ROWS[dataset]]))


def lines() -> list[dict[str, Any]]:
    orders = {(row["store_id"], row["order_id"]): row for row in delivered("orders")}
    found = []
    for row in delivered("order_items"):
        order = orders[row["store_id"], row["order_id"]]
        found.append(
            {
                **row,
                "line_no": int(row["line_no"]),
                "quantity": int(row["quantity"]),
                "list_price": Decimal(row["list_price"]),
                "currency": order["currency"],
                "is_test": order["is_test"] == "true",
                "placed_at": instant(order["placed_at"]),
            }
        )
    last = {**found[0], "order_id": "a try", "is_test": True, "placed_at": LONG_AFTER}
    return [*found, last]


def refunds() -> list[dict[str, Any]]:
    found = [
        {
            **row,
            "line_no": int(row["line_no"]),
            "order_line_no": int(row["order_line_no"]),
            "quantity": int(row["quantity"]),
            "amount": Decimal(row["amount"]),
            "refunded_at": instant(row["refunded_at"]),
        }
        for row in delivered("refund_lines")
    ]
    last = {**found[0], "refund_id": "none", "order_id": "unknown", "refunded_at": LONG_AFTER}
    first = {**found[0], "refund_id": "r0", "order_id": "o3", "refunded_at": instant("2024-03-10T12:00:00Z")}
    return [first, *found, last]


def lived(folder: Path, orders: pa.Table) -> None:
    """The live tables of sales and returns; `orders` are those of the release that refunds are looked up in."""
    stores = pa.Table.from_pylist(delivered("stores")).select(["store_id", "base_currency", "timezone"])
    looked_up: Mapping[str, pa.Table] = {**TABLES, "silver.stores": stores, "gold.fact_orders": orders}
    for topology, topic, rows in (
        ("sales_live", "order_lines_live", lines()),
        ("returns_live", "refunds_live", refunds()),
    ):
        desk = Desk(PROJECT, topology, tables=looked_up, limits=replace(Limits(), rows=5))
        desk.clock.sleep((LONG_AFTER - START).total_seconds())
        time = "placed_at" if topic == "order_lines_live" else "refunded_at"
        chance = Random(7)
        twice = sorted([*rows, *rows], key=lambda row: row[time].timestamp() + chance.uniform(0, 20 * 3600))
        desk.lend(twice, topic=topic)
        desk.clock.sleep(3 * 86400)
        desk.finish()
        desk.clock.sleep(3 * 86400)
        desk.finish()
        for sink in desk.graph.sinks:
            changes = pa.Table.from_pylist(desk.rows(sink.output.topic), schema=sink.schema)
            table = LiveTable(folder, live_shape(desk.graph, sink))
            table.apply(changes, "all")
            table.close()


def agreement(check: str, ledger: list[tuple[Any, ...]], folder: Path) -> Outcome:
    """What a check of the gate says of the live tables in a folder, beside this ledger."""
    (rule,) = [one for one in declared_rules(PROJECT) if one.name == check]
    names = ("store_id", "order_id", "entry_type", "is_test", "business_date", "currency", "amount")
    with connect() as connection:
        connection.register("entries", pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in ledger]))
        connection.execute("CREATE SCHEMA gold; CREATE TABLE gold.sales_ledger AS FROM entries")
        connection.execute("ALTER TABLE gold.sales_ledger ALTER business_date TYPE DATE")
        connection.execute("ALTER TABLE gold.sales_ledger ALTER amount TYPE DECIMAL(24, 4)")
        define_live(connection, folder, PROJECT.checks)
        return rule.run(connection)
