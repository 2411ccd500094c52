"""The shop by hand as its events came: every line and refund twice, out of order, and the live tables they make."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa

from penstock.quality.declared import declared_rules
from penstock.quality.rule import Outcome
from penstock.release.reader import open_reader
from penstock.runtime.live_checks import define_live
from penstock.runtime.topology import live_shape
from penstock.spec.loading import load_project
from penstock.sql.connection import connect
from penstock.store.live_table import LiveTable
from penstock.stream.runner import Limits
from penstock.testing.world import ManualClock
from penstock.world import real_world
from tests.commerce.hand_shop import COMMERCE, HEADERS, ROWS
from tests.commerce.looked_up import TABLES
from tests.stream.memory_log import MemoryLog
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
        name = [row[one] for one in ("store_id", "order_id", "line_no")]
        off = [Decimal(one["amount"]) for one in delivered("discounts") if list(one.values())[:3] == name]
        found.append(
            {
                **row,
                "line_no": int(row["line_no"]),
                "quantity": int(row["quantity"]),
                "list_price": Decimal(row["list_price"]),
                "discount_amount": sum(off) if off else None,
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
    unknown = {**found[0], "refund_id": "none", "order_id": "unknown"}
    last = {**found[0], "refund_id": "last", "order_id": "o3", "refunded_at": LONG_AFTER}
    first = {**found[0], "refund_id": "r0", "order_id": "o3", "refunded_at": instant("2024-03-10T12:00:00Z")}
    return [first, *found, unknown, last]


def cancellations() -> list[dict[str, Any]]:
    found = [
        {
            **row,
            "line_no": int(row["line_no"]) if row["line_no"] else None,
            "quantity": int(row["quantity"]) if row["quantity"] else None,
            "occurred_at": instant(row["occurred_at"]),
        }
        for row in delivered("order_events")
    ]
    unknown = {**found[0], "event_id": "none", "order_id": "unknown"}
    last = {**found[0], "event_id": "last", "order_id": "o3", "occurred_at": LONG_AFTER}
    first = {**found[0], "event_id": "e0", "order_id": "o3", "occurred_at": instant("2024-03-05T12:00:00Z")}
    return [first, *found, unknown, last]


HISTORY = (
    ("sales_live", "order_lines_live", "placed_at", lines),
    ("cancellations_live", "order_events_live", "occurred_at", cancellations),
    ("returns_live", "refunds_live", "refunded_at", refunds),
)


GOLD = {
    "gold.fact_orders": (
        "store_id", "order_id", "date_key", "currency", "base_currency", "is_test", "amount", "base_amount",
    ),
    "gold.fact_sales": ("store_id", "order_id", "line_no", "ordered_quantity", "gross_amount", "discount_amount"),
    "gold.sales_ledger": (
        "store_id", "order_id", "business_date", "entry_type", "is_test", "is_net_sales", "fx_rate", "base_amount",
    ),
}  # fmt: skip


def released(data: Path) -> dict[str, pa.Table]:
    """What live rows look up, and what they are held against, of the latest release in a data directory."""
    with open_reader(data, real_world()) as reader:
        return {
            name: reader.connection.sql(f"SELECT {', '.join(columns)} FROM {name}").to_arrow_table()
            for name, columns in GOLD.items()
        }


def lived(folder: Path, gold: Mapping[str, pa.Table]) -> None:
    """The live tables of metrics; `gold` is the release that orders and lines are looked up in.

    Every row comes twice, lines and refunds within the lateness of each other in any order."""
    stores = pa.Table.from_pylist(delivered("stores")).select(["store_id", "base_currency", "timezone"])
    rates = pa.Table.from_pylist(
        [
            {**row, "rate_date": date.fromisoformat(row["rate_date"]), "rate": Decimal(row["rate"])}
            for row in delivered("fx_rates")
        ]
    )
    looked_up: Mapping[str, pa.Table] = {**TABLES, "silver.stores": stores, "silver.fx_rates": rates, **gold}
    log, clock = MemoryLog(), ManualClock()
    clock.sleep((LONG_AFTER - START).total_seconds())

    def desk(topology: str) -> Desk:
        return Desk(PROJECT, topology, log, clock, limits=replace(Limits(), rows=5), tables=looked_up)

    for topology, topic, time, rows in HISTORY:
        chance, made = Random(7), rows()
        hours = 0 if topology == "cancellations_live" else 20  # those of an order follow each other
        twice = sorted([*made, *made], key=lambda row: row[time].timestamp() + chance.uniform(0, hours * 3600))
        desk(topology).lend(twice, topic=topic)
    for name in ("payments_live", "visitors_live", "stock_live", *(one for one, *_ in HISTORY)):
        desk(name).finish()
    clock.sleep(3 * 86400)
    for name in (*(one for one, *_ in HISTORY), "metrics_live"):
        desk(name).finish()
    metrics = desk("metrics_live")
    for sink in metrics.graph.sinks:
        table = LiveTable(folder, live_shape(metrics.graph, sink))
        table.apply(pa.Table.from_pylist(metrics.rows(sink.output.topic), schema=sink.schema), "all")
        table.close()


def agreement(gold: Mapping[str, pa.Table], folder: Path) -> Outcome:
    """What the check of the gate says of the live table in a folder, beside these tables of gold."""
    (rule,) = [one for one in declared_rules(PROJECT) if one.name == "live_metrics_agree"]
    with connect() as connection:
        connection.execute("CREATE SCHEMA gold")
        for name, rows in gold.items():
            connection.register("rows", rows)
            connection.execute(f"CREATE TABLE {name} AS FROM rows")
        define_live(connection, folder, PROJECT.checks)
        return rule.run(connection)


def told_by_day(folder: Path) -> list[tuple[Any, ...]]:
    """Store, day, metric, numerator and denominator, added up over parts and windows, where there is something."""
    with connect() as connection:
        define_live(connection, folder, PROJECT.checks)
        return connection.sql(
            "SELECT store_id, business_date, metric, sum(numerator), sum(denominator) FROM live.metric_days"
            " GROUP BY ALL HAVING sum(numerator) <> 0"
        ).fetchall()
