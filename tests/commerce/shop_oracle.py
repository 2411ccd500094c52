"""What the files of a clean shop say, read one row at a time: slow, with nothing of the simulator in it."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq

Row = dict[str, str | None]
StoreDay = tuple[str, date]
DAY = timedelta(days=1)


@dataclass
class Oracle:
    inbox: Path

    def rows(self, dataset: str) -> list[Row]:
        """Every row of every file, values as text; absent ones None."""
        return [row for path in sorted((self.inbox / dataset).glob("*")) for row in _read(path)]

    def latest(self, dataset: str, *key: str) -> dict[tuple[str | None, ...], Row]:
        found: dict[tuple[str | None, ...], Row] = {}
        for row in self.rows(dataset):
            name = tuple(row[part] for part in key)
            if name not in found or (row["updated_at"] or "") > (found[name]["updated_at"] or ""):
                found[name] = row
        return found

    # Who, where, when

    @cached_property
    def stores(self) -> dict[str, Row]:
        return {str(row["store_id"]): row for row in self.rows("stores")}

    @cached_property
    def zones(self) -> dict[str, ZoneInfo]:
        return {store: ZoneInfo(str(row["timezone"])) for store, row in self.stores.items()}

    @cached_property
    def rates(self) -> dict[tuple[str, str, str], Fraction]:
        return {
            (str(row["rate_date"]), str(row["from_currency"]), str(row["to_currency"])): Fraction(str(row["rate"]))
            for row in self.rows("fx_rates")
        }

    @cached_property
    def last_day(self) -> date:
        return max(date.fromisoformat(key[0]) for key in self.rates) - DAY

    def local_day(self, store: str, text: str | None) -> date:
        instant = datetime.fromisoformat(str(text)).astimezone(UTC)
        return instant.astimezone(self.zones[store]).date()

    def in_base(self, store: str, amount: Fraction, currency: str, day: date) -> Fraction:
        base = str(self.stores[store]["base_currency"])
        return amount if currency == base else amount * self.rates[str(day), currency, base]

    def has_rate(self, store: str, currency: str, day: date) -> bool:
        base = str(self.stores[store]["base_currency"])
        return currency == base or (str(day), currency, base) in self.rates

    @cached_property
    def persons(self) -> dict[tuple[str, str], str]:
        """The person of each account now."""
        edges = self.latest("identity_edges", "store_id", "id_type", "id_value", "valid_from").values()
        found: dict[tuple[str, str], Row] = {}
        for edge in edges:
            if edge["id_type"] != "customer" or edge["valid_to"] is not None:
                continue
            name = (str(edge["store_id"]), str(edge["id_value"]))
            if name not in found or str(edge["valid_from"]) > str(found[name]["valid_from"]):
                found[name] = edge
        return {name: str(edge["person_id"]) for name, edge in found.items()}

    # Orders and their lines

    @cached_property
    def orders(self) -> dict[tuple[str, str], Row]:
        return {(str(row["store_id"]), str(row["order_id"])): row for row in self.rows("orders")}

    @cached_property
    def real(self) -> dict[tuple[str, str], Row]:
        return {key: row for key, row in self.orders.items() if row["is_test"] == "false"}

    @cached_property
    def lines(self) -> dict[tuple[str, str, str], Row]:
        return {(str(r["store_id"]), str(r["order_id"]), str(r["line_no"])): r for r in self.rows("order_items")}

    @cached_property
    def off(self) -> dict[tuple[str, str, str], Fraction]:
        found: dict[tuple[str, str, str], Fraction] = defaultdict(Fraction)
        for row in self.rows("discounts"):
            found[str(row["store_id"]), str(row["order_id"]), str(row["line_no"])] += Fraction(str(row["amount"]))
        return found

    @cached_property
    def costs(self) -> dict[tuple[str, str], list[tuple[str, Fraction]]]:
        found: dict[tuple[str, str], list[tuple[str, Fraction]]] = defaultdict(list)
        for row in self.rows("product_costs"):
            value = (str(row["valid_from"]), Fraction(str(row["unit_cost"])))
            found[str(row["store_id"]), str(row["variant_id"])].append(value)
        return found

    def unit_cost(self, key: tuple[str, str, str]) -> Fraction:
        placed = str(self.orders[key[:2]]["placed_at"])
        known = [value for value in self.costs[key[0], str(self.lines[key]["variant_id"])] if value[0] <= placed]
        return max(known)[1]

    @cached_property
    def cancelled(self) -> list[tuple[tuple[str, str, str], int, str]]:
        """(line, units, instant)."""
        found = []
        for row in self.rows("order_events"):
            if row["event_type"] != "cancelled":
                continue
            order = (str(row["store_id"]), str(row["order_id"]))
            for key, line in self.lines.items():
                if key[:2] == order and row["line_no"] in (None, line["line_no"]):
                    found.append((key, int(str(row["quantity"] or line["quantity"])), str(row["occurred_at"])))
        return found

    @cached_property
    def whole(self) -> set[tuple[str, str]]:
        """Orders of which every unit was taken back."""
        left: dict[tuple[str, str], int] = defaultdict(int)
        for key, line in self.lines.items():
            left[key[:2]] += int(str(line["quantity"]))
        for key, units, _ in self.cancelled:
            left[key[:2]] -= units
        return {order for order, units in left.items() if units == 0}

    @cached_property
    def events(self) -> list[tuple[str, tuple[str, str, str], date, Fraction, Fraction]]:
        """(kind, line, local day, amount in base currency, cost in base currency) of real orders, signed."""
        found = []

        def add(kind: str, key: tuple[str, str, str], at: str | None, amount: Fraction, units: int) -> None:
            order = self.orders[key[:2]]
            if order["is_test"] == "true":
                return
            placed = self.local_day(key[0], order["placed_at"])
            if not self.has_rate(key[0], str(order["currency"]), placed):
                return
            base = self.in_base(key[0], amount, str(order["currency"]), placed)
            found.append((kind, key, self.local_day(key[0], at), base, units * self.unit_cost(key)))

        for key, line in self.lines.items():
            units, at = int(str(line["quantity"])), self.orders[key[:2]]["placed_at"]
            add("sale", key, at, Fraction(str(line["list_price"])) * units, units)
            add("discount", key, at, -self.off[key], 0)
        for key, units, at in self.cancelled:
            line = self.lines[key]
            net = Fraction(str(line["list_price"])) - self.off[key] / int(str(line["quantity"]))
            add("cancellation", key, at, -net * units, -units)
        for row in self.rows("refund_lines"):
            add("return", _line(row), row["refunded_at"], -Fraction(str(row["amount"])), 0)
        for row in self.rows("return_lines"):
            if row["restocked"] == "true":
                add("restock", _line(row), row["received_at"], Fraction(0), -int(str(row["quantity"])))
        return found

    def person(self, order: tuple[str, str]) -> tuple[str, str] | None:
        customer = self.orders[order]["customer_id"]
        return None if customer is None else (order[0], self.persons.get((order[0], customer), customer))

    # Metrics

    def money(self, *kinds: str) -> dict[StoreDay, Fraction]:
        return _summed(((key[0], day), amount) for kind, key, day, amount, _ in self.events if kind in kinds)

    def by_day(self, name: str) -> dict[StoreDay, Fraction]:
        """The value of a metric on every local day of every store that has one."""
        return _DAILY[name](self)

    def order_days(self) -> dict[StoreDay, Fraction]:
        return _counted((key[0], self.local_day(key[0], row["placed_at"])) for key, row in self.real.items())

    def cost_days(self) -> dict[StoreDay, Fraction]:
        parts = self.events
        return _summed(((key[0], day), cost) for kind, key, day, _, cost in parts if kind not in ("discount", "return"))

    def spend_days(self) -> dict[StoreDay, Fraction]:
        return _summed(
            (
                (str(row["store_id"]), day := date.fromisoformat(str(row["spend_date"]))),
                self.in_base(str(row["store_id"]), Fraction(str(row["amount"])), str(row["currency"]), day),
            )
            for row in self.rows("ad_spend")
        )

    def new_customer_days(self) -> dict[StoreDay, Fraction]:
        standing = [key for key in self.real if key not in self.whole]
        first = self.first_orders(standing)
        return _counted((key[0], self.local_day(key[0], self.orders[key]["placed_at"])) for key in first.values())

    def first_orders(self, orders: Iterable[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, str]]:
        """The first order of each person."""
        found: dict[tuple[str, str], tuple[str, str]] = {}
        for key in sorted(orders, key=lambda key: (str(self.orders[key]["placed_at"]), key)):
            person = self.person(key)
            if person is not None:
                found.setdefault(person, key)
        return found

    def session_days(self, *, converted: bool) -> dict[StoreDay, Fraction]:
        real = {
            (str(r["store_id"]), str(r["session_id"])) for r in self.rows("session_orders") if _order(r) in self.real
        }
        return _counted(
            (str(row["store_id"]), self.local_day(str(row["store_id"]), row["started_at"]))
            for row in self.rows("sessions")
            if row["is_bot"] == row["is_staff"] == "false"
            and (not converted or (str(row["store_id"]), str(row["session_id"])) in real)
        )

    def delivered(self) -> list[tuple[tuple[str, str, str], date, int]]:
        """(line, local day, units) of what arrived long enough ago."""
        lines = self.latest("shipment_lines", "store_id", "shipment_id", "line_no").values()
        came = [row for row in lines if row["delivered_at"] is not None]
        found = [
            (_line(row), self.local_day(str(row["store_id"]), row["delivered_at"]), int(str(row["quantity"])))
            for row in came
        ]
        return [each for each in found if each[1] + 30 * DAY < self.last_day]

    def delivered_days(self) -> dict[StoreDay, Fraction]:
        return _summed(((key[0], day), Fraction(units)) for key, day, units in self.delivered())

    def refunded_days(self) -> dict[StoreDay, Fraction]:
        arrived = {key: day for key, day, _ in self.delivered()}
        found = []
        for row in self.rows("refund_lines"):
            day = arrived.get(_line(row))
            at = self.local_day(str(row["store_id"]), row["refunded_at"])
            if day is not None and day <= at <= day + 30 * DAY:
                found.append(((str(row["store_id"]), day), Fraction(str(row["quantity"]))))
        return _summed(found)

    def lifetime_value(self, days: int) -> dict[tuple[str, str], Fraction]:
        """By store and month."""
        first = self.first_orders(self.real)
        begins = {who: self.local_day(key[0], self.orders[key]["placed_at"]) for who, key in first.items()}
        profit: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
        size: dict[tuple[str, str], int] = defaultdict(int)
        for who, day in begins.items():
            size[who[0], f"{day:%Y-%m}"] += 1
        for kind, key, day, amount, cost in self.events:
            person = self.person(key[:2])
            if person is None or day - begins[person] > days * DAY:
                continue
            paid = cost if kind in ("sale", "cancellation", "restock") else Fraction(0)
            profit[person[0], f"{begins[person]:%Y-%m}"] += amount - paid
        old = [cell for cell in size if _month_end(cell[1]) + days * DAY < self.last_day]
        return {cell: profit[cell] / size[cell] for cell in old}

    def churn(self, end: date) -> dict[str, Fraction]:
        """By store, at one day."""
        before: dict[str, set[tuple[str, str]]] = defaultdict(set)
        lately: set[tuple[str, str]] = set()
        for key in self.real.keys() - self.whole:
            who, age = self.person(key), (end - self.local_day(key[0], self.orders[key]["placed_at"])).days
            if who is not None and 180 < age <= 365:
                before[key[0]].add(who)
            elif who is not None and 0 < age <= 180:
                lately.add(who)
        return {store: Fraction(len(persons - lately), len(persons)) for store, persons in before.items()}


_DAILY: Mapping[str, Callable[[Oracle], dict[StoreDay, Fraction]]] = {
    "orders": Oracle.order_days,
    "gross_sales": lambda o: o.money("sale"),
    "discounts": lambda o: _minus(o.money("discount")),
    "cancellations": lambda o: _minus(o.money("cancellation")),
    "returns": lambda o: _minus(o.money("return")),
    "net_sales": lambda o: o.money("sale", "discount", "cancellation", "return"),
    "cost_of_goods": Oracle.cost_days,
    "ad_spend": Oracle.spend_days,
    "new_customers": Oracle.new_customer_days,
    "human_sessions": lambda o: o.session_days(converted=False),
    "converted_sessions": lambda o: o.session_days(converted=True),
    "units_delivered": Oracle.delivered_days,
    "units_refunded": Oracle.refunded_days,
    "average_order_value": lambda o: _per(o.money("sale", "discount"), o.order_days()),
    "conversion_rate": lambda o: _per(o.session_days(converted=True), o.session_days(converted=False)),
    "gross_margin": lambda o: _margin(o.by_day("net_sales"), o.cost_days()),
    "customer_acquisition_cost": lambda o: _per(o.spend_days(), o.new_customer_days()),
    "return_rate": lambda o: _per(o.refunded_days(), o.delivered_days()),
}
DAILY = tuple(_DAILY)


def _read(path: Path) -> list[Row]:
    if path.suffix == ".parquet":
        return [{name: str(value) for name, value in row.items()} for row in pq.read_table(path).to_pylist()]
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".csv":
        return [{name: value or None for name, value in row.items()} for row in csv.DictReader(text.splitlines())]
    return [{name: _as_text(value) for name, value in json.loads(line).items()} for line in text.splitlines()]


def _as_text(value: object) -> str | None:
    return None if value is None else json.dumps(value) if isinstance(value, bool) else str(value)


def _line(row: Row) -> tuple[str, str, str]:
    return str(row["store_id"]), str(row["order_id"]), str(row["order_line_no"])


def _order(row: Row) -> tuple[str, str]:
    return str(row["store_id"]), str(row["order_id"])


def _summed(pairs: Iterable[tuple[StoreDay, Fraction]]) -> dict[StoreDay, Fraction]:
    found: dict[StoreDay, Fraction] = defaultdict(Fraction)
    for key, value in pairs:
        found[key] += value
    return dict(found)


def _counted(keys: Iterable[StoreDay]) -> dict[StoreDay, Fraction]:
    return _summed((key, Fraction(1)) for key in keys)


def _minus(values: dict[StoreDay, Fraction]) -> dict[StoreDay, Fraction]:
    return {key: -value for key, value in values.items()}


def _per(above: dict[StoreDay, Fraction], below: dict[StoreDay, Fraction]) -> dict[StoreDay, Fraction]:
    return {key: above.get(key, Fraction(0)) / value for key, value in below.items() if value}


def _margin(net: dict[StoreDay, Fraction], cost: dict[StoreDay, Fraction]) -> dict[StoreDay, Fraction]:
    return {key: (value - cost.get(key, Fraction(0))) / value for key, value in net.items() if value}


def _month_end(month: str) -> date:
    first = date.fromisoformat(f"{month}-01")
    return (first + 32 * DAY).replace(day=1) - DAY
