"""What happens to orders: payment in time, cancellation of all or some, shipment in one part or two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.chance import falling, number_within, rank_in_runs, stream
from simulator.column import NULL, SECOND_OF_DAY, Ints, choice, flag, identifier, instant, number
from simulator.demand import CHANNELS, COUNTER, Items, Orders
from simulator.market import Market
from simulator.table import Table, make_table

_HOUR = 3_600
PLACED, PAID, CANCELLED, FULFILLED = range(4)
STATUSES = ("placed", "paid", "cancelled", "fulfilled")
_CARRIERS = ("parcel", "express", "freight")


@dataclass(frozen=True)
class Cancelled:
    """Units of lines taken back. Only what happens before the shop's last day ends."""

    line: Ints
    quantity: Ints
    at: Ints


@dataclass(frozen=True)
class Shipped:
    """One row for each line sent; `delivered` is NULL for what is lost or arrives after the shop's last day."""

    line: Ints
    quantity: Ints
    at: Ints
    delivered: Ints


@dataclass(frozen=True)
class Fulfilment:
    """`paid` and `cancelled` of orders are NULL for what never happens; shipments may lie behind the last day."""

    paid: Ints
    cancelled_at: Ints
    partial: Cancelled
    cancelled: Cancelled
    shipped: Shipped
    tables: tuple[Table, ...]


def fulfil(market: Market, orders: Orders, items: Items) -> Fulfilment:
    rng = stream(market.options.seed, "fulfilment")
    size = len(orders)
    counter = orders.channel == COUNTER
    paid = orders.placed + np.where(counter, 5, 20 + rng.random(size) * 1_780).astype(np.int64)
    paid[(rng.random(size) < 0.005) & ~orders.is_test] = NULL
    whole = (rng.random(size) < 0.04) & ~counter & ~orders.is_test
    at_once = whole & ((rng.random(size) < 0.4) | (paid == NULL))
    paid[at_once] = NULL
    later = paid + 60 + (9 * SECOND_OF_DAY * falling(rng, size)).astype(np.int64)
    soon = orders.placed + 30 + (600 * rng.random(size)).astype(np.int64)
    cancelled_at = np.where(whole, np.where(at_once, soon, later), NULL)
    partial = _partial(rng, orders, items, ~whole & ~counter & ~orders.is_test)
    shipped, numbers, last = _shipped(market, rng, orders, items, partial, ~whole & ~orders.is_test)
    within = cancelled_at < market.closing
    line = np.flatnonzero((cancelled_at != NULL)[items.order] & within[items.order])
    known = partial.at < market.closing
    cancelled = Cancelled(
        np.r_[line, partial.line[known]],
        np.r_[items.quantity[line], partial.quantity[known]],
        np.r_[cancelled_at[items.order[line]], partial.at[known]],
    )
    tables = (
        _orders(market, orders, paid, cancelled_at, last),
        _events(market, orders, items, paid, cancelled_at, last, partial),
        _shipment_lines(market, orders, items, shipped, numbers),
    )
    return Fulfilment(paid, cancelled_at, partial, cancelled, _known(market, shipped), tables)


def _partial(rng: np.random.Generator, orders: Orders, items: Items, may: np.ndarray) -> Cancelled:
    """Some units of the last line of some orders; of an order with one line it may be all there is."""
    last = np.r_[items.order[1:] != items.order[:-1], True]
    line = np.flatnonzero(last & may[items.order] & (rng.random(len(items)) < 0.03))
    quantity = 1 + (rng.random(len(line)) * items.quantity[line]).astype(np.int64)
    at = orders.placed[items.order[line]] + 1_900 + (8 * _HOUR * rng.random(len(line))).astype(np.int64)
    return Cancelled(line, quantity, at)


def _shipped(
    market: Market, rng: np.random.Generator, orders: Orders, items: Items, partial: Cancelled, sent: np.ndarray
) -> tuple[Shipped, Ints, Ints]:
    """What remains of each line, the number of its shipment in the store, and when the order's last part left."""
    remains = items.quantity.copy()
    remains[partial.line] -= partial.quantity
    line = np.flatnonzero((remains > 0) & sent[items.order])
    order = items.order[line]
    size = len(orders)
    counter = orders.channel == COUNTER
    first = orders.placed + np.where(counter, 60, 12 * _HOUR + 5 * SECOND_OF_DAY * falling(rng, size)).astype(np.int64)
    second = first + (SECOND_OF_DAY * (1 + 4 * rng.random(size))).astype(np.int64)
    in_two = (rng.random(size) < 0.15) & ~counter
    part = (in_two[order] & (items.line_no[line] % 2 == 0)).astype(np.int64)
    at = np.where(part == 1, second[order], first[order])
    way = (SECOND_OF_DAY * (1 + 5 * rng.random((size, 2)))).astype(np.int64)[order, part]
    lost = ((rng.random((size, 2)) < 0.01) & ~counter[:, None])[order, part]
    delivered = np.where(lost, NULL, np.where(counter[order], at, at + way))
    parcel = order * 2 + part
    each, inverse = np.unique(parcel, return_inverse=True)
    when, where = np.empty(len(each), dtype=np.int64), orders.store[each // 2]
    when[inverse] = at
    by_time = np.argsort(when, kind="stable")
    numbers = np.empty(len(each), dtype=np.int64)
    numbers[by_time] = number_within(where[by_time], len(market.stores))
    last = np.full(size, NULL)
    np.maximum.at(last, order, at)
    return Shipped(line, remains[line], at, delivered), numbers[inverse], last


def _known(market: Market, shipped: Shipped) -> Shipped:
    """What was sent, and of it what arrived, before the last day ended."""
    sent = shipped.at < market.closing
    delivered = np.where(shipped.delivered < market.closing, shipped.delivered, NULL)
    return Shipped(shipped.line[sent], shipped.quantity[sent], shipped.at[sent], delivered[sent])


def _orders(market: Market, orders: Orders, paid: Ints, cancelled: Ints, fulfilled: Ints) -> Table:
    order, status, at = _steps(orders, paid, cancelled, fulfilled)
    countries = [store.country for store in market.stores]
    regions = tuple(dict.fromkeys(region for store in market.stores for region in store.regions))
    place = np.array([[regions.index(each.regions[n % len(each.regions)]) for n in range(4)] for each in market.stores])
    customer = orders.customer_number[order]
    columns = {
        "store_id": choice(market.store_ids, orders.store[order]),
        "order_id": identifier("O", orders.number[order]),
        "updated_at": instant(at),
        "customer_id": identifier("C", customer),
        "placed_at": instant(orders.placed[order]),
        "status": choice(STATUSES, status),
        "channel": choice(CHANNELS, orders.channel[order]),
        "currency": choice(market.accepted, orders.currency[order]),
        "is_test": flag(orders.is_test[order]),
        "ship_country": choice(countries, orders.store[order]),
        "ship_region": choice(regions, place[orders.store[order], orders.number[order] % 4]),
    }
    return make_table("orders", columns, at, opening=market.opening, days=market.options.days)


def _steps(orders: Orders, paid: Ints, cancelled: Ints, fulfilled: Ints) -> tuple[Ints, Ints, Ints]:
    """Every order's steps, in order: (order, status, instant)."""
    at = np.stack([orders.placed, paid, cancelled, fulfilled], axis=1)
    order, status = np.nonzero(at != NULL)
    return order, status, at[order, status]


def _events(
    market: Market, orders: Orders, items: Items, paid: Ints, cancelled: Ints, fulfilled: Ints, partial: Cancelled
) -> Table:
    """The steps of whole orders and the cancellations of lines, numbered by store as they happen."""
    order, kind, at = _steps(orders, paid, cancelled, fulfilled)
    absent = np.full(len(order), NULL)
    line_no = np.r_[absent, items.line_no[partial.line]]
    quantity = np.r_[absent, np.where(partial.quantity == items.quantity[partial.line], NULL, partial.quantity)]
    order, at = np.r_[order, items.order[partial.line]], np.r_[at, partial.at]
    kind = np.r_[kind, np.full(len(partial.line), CANCELLED)]
    by_time = np.argsort(at, kind="stable")
    order, kind, at, line_no, quantity = (part[by_time] for part in (order, kind, at, line_no, quantity))
    store = orders.store[order]
    columns = {
        "store_id": choice(market.store_ids, store),
        "event_id": identifier("E", number_within(store, len(market.stores))),
        "order_id": identifier("O", orders.number[order]),
        "line_no": number(line_no),
        "event_type": choice(STATUSES, kind),
        "quantity": number(quantity),
        "occurred_at": instant(at),
    }
    return make_table("order_events", columns, at, opening=market.opening, days=market.options.days)


def _shipment_lines(market: Market, orders: Orders, items: Items, shipped: Shipped, numbers: Ints) -> Table:
    """Each line when it leaves, and again when it arrives."""
    store = orders.store[items.order[shipped.line]]
    by_parcel = np.lexsort((shipped.line, numbers, store))
    line_no = np.empty(len(store), dtype=np.int64)
    line_no[by_parcel] = rank_in_runs((store * (1 << 40) + numbers)[by_parcel])
    came = np.flatnonzero((shipped.delivered != NULL) & (shipped.delivered > shipped.at))
    row = np.r_[np.arange(len(store)), came]
    at_once = shipped.delivered == shipped.at
    delivered = np.r_[np.where(at_once, shipped.delivered, NULL), shipped.delivered[came]]
    at = np.r_[shipped.at, shipped.delivered[came]]
    line, order = shipped.line[row], items.order[shipped.line[row]]
    columns = {
        "store_id": choice(market.store_ids, store[row]),
        "shipment_id": identifier("S", numbers[row]),
        "line_no": number(line_no[row]),
        "order_id": identifier("O", orders.number[order]),
        "order_line_no": number(items.line_no[line]),
        "quantity": number(shipped.quantity[row]),
        "carrier": choice(_CARRIERS, numbers[row] % len(_CARRIERS)),
        "shipped_at": instant(shipped.at[row]),
        "delivered_at": instant(delivered),
        "updated_at": instant(at),
    }
    return make_table("shipment_lines", columns, at, opening=market.opening, days=market.options.days)
