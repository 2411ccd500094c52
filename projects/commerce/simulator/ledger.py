"""The money of the shop, event by event: what each does to sales and to cost, on which local day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.column import NULL, Flags, Ints
from simulator.shop import Shop

SALE, DISCOUNT, CANCELLATION, REFUND, RESTOCK = range(5)


@dataclass(frozen=True)
class Ledger:
    """Signed rows of order lines; test orders, and orders in a currency without a rate, left out: `amount` in hundredths of the order's currency (`rate` brings
    it into the store's), `cost` in hundredths of the store's."""

    kind: Ints
    order: Ints
    store: Ints
    day: Ints
    amount: Ints
    rate: Ints
    cost: Ints

    def of(self, *kinds: int) -> Ledger:
        return self.where(np.isin(self.kind, kinds))

    def where(self, rows: Flags) -> Ledger:
        return Ledger(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def ledger(shop: Shop) -> Ledger:
    items, orders = shop.items, shop.orders
    lines = np.arange(len(items))
    gone, back, returned = shop.cancelled, shop.refunded, shop.returned
    restocked = np.flatnonzero(returned.restocked)
    line = np.concatenate([lines, lines, gone.line, back.line, returned.line[restocked]])
    placed = orders.placed[items.order]
    at = np.concatenate([placed, placed, gone.at, back.at, returned.at[restocked]])
    amount = np.concatenate(
        [
            items.price * items.quantity,
            -(items.coupon_off + items.member_off) * items.quantity,
            -items.net[gone.line] * gone.quantity,
            -back.amount,
            np.zeros(len(restocked), dtype=np.int64),
        ]
    )
    units = np.concatenate([items.quantity, 0 * lines, -gone.quantity, 0 * back.line, -returned.quantity[restocked]])
    sizes = [len(items), len(items), len(gone.line), len(back.line), len(restocked)]
    order = items.order[line]
    store = orders.store[order]
    rows = Ledger(
        kind=np.repeat(np.arange(5), sizes),
        order=order,
        store=store,
        day=shop.market.local_day(store, at),
        amount=amount,
        rate=orders.rate[order],
        cost=units * items.cost[line],
    )
    return rows.where(~orders.is_test[order] & (rows.rate != 0))


def wholly_cancelled(shop: Shop) -> Flags:
    """Orders of which every unit was taken back."""
    size = len(shop.orders)
    units, gone = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    np.add.at(units, shop.items.order, shop.items.quantity)
    np.add.at(gone, shop.items.order[shop.cancelled.line], shop.cancelled.quantity)
    return units == gone


def person_of(shop: Shop) -> Ints:
    """The person who placed each order; NULL for guests."""
    customer = shop.orders.customer
    return np.where(customer == NULL, NULL, shop.people.person[np.where(customer == NULL, 0, customer)])
