"""The whole shop: everything that happened, as tables, and as the plain numbers that the truth is computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.aftermath import Refunded, Returned, come_back
from simulator.assortment import make_assortment
from simulator.column import NULL
from simulator.demand import Items, Orders, make_items, make_orders
from simulator.fulfilment import Cancelled, Shipped, fulfil
from simulator.market import Market
from simulator.options import Options
from simulator.payments import make_payments
from simulator.people import People, make_people
from simulator.placing import place
from simulator.stock import make_movements
from simulator.table import KEYS, Table, without
from simulator.visits import Sessions, Spend, make_visits


@dataclass(frozen=True)
class Shop:
    """`tables` in the order in which a reader would meet them; the rest holds only what was delivered too."""

    options: Options
    market: Market
    people: People
    orders: Orders
    items: Items
    cancelled: Cancelled
    shipped: Shipped
    refunded: Refunded
    returned: Returned
    sessions: Sessions
    spend: Spend
    tables: dict[str, Table]

    @property
    def rows(self) -> int:
        return sum(map(len, self.tables.values()))


def simulate(options: Options) -> Shop:
    """The shop of these options. Pure: the same options give the same shop."""
    market = Market.of(options)
    people = make_people(market)
    goods = make_assortment(market)
    orders = make_orders(market, people)
    items = make_items(market, orders, goods)
    placed = place(market, orders, items, goods)
    fulfilment = fulfil(market, orders, items)
    back = come_back(market, orders, items, fulfilment.shipped)
    visits = make_visits(market, people, orders)
    tables = [
        *market.tables(),
        *people.tables,
        *goods.tables,
        *placed.tables,
        *fulfilment.tables,
        *back.tables,
        make_payments(market, people, orders, items, placed, fulfilment, back.refunded),
        make_movements(market, goods, orders, items, fulfilment.shipped, back.returned),
        *visits.tables,
    ]
    by_name = {table.name: table for table in tables}
    by_name["customers"] = without(by_name["customers"], _never_arrive(market, people, orders))
    return Shop(
        options=options,
        market=market,
        people=people,
        orders=orders,
        items=items,
        cancelled=fulfilment.cancelled,
        shipped=fulfilment.shipped,
        refunded=back.refunded,
        returned=back.returned,
        sessions=visits.sessions,
        spend=visits.spend,
        tables={name: by_name[name] for name in KEYS},
    )


def _never_arrive(market: Market, people: People, orders: Orders) -> set[tuple[int, int]]:
    """(store, number) of customers who have ordered, and whose own rows nobody delivers."""
    known = np.unique(orders.customer[orders.customer != NULL])[: market.options.odd]
    return set(zip(people.store[known].tolist(), people.number[known].tolist(), strict=True))
