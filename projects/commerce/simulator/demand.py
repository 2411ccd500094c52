"""Who orders what and when: orders with their lines, as they are placed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.assortment import Assortment
from simulator.chance import number_within, pick, rank_in_runs, stream, whole
from simulator.column import NULL, SECOND_OF_DAY, Flags, Ints
from simulator.market import RATE_UNIT, Market
from simulator.people import People

CHANNELS = ("web", "app", "store", "marketplace")
WEB, APP, COUNTER, MARKETPLACE = range(4)
_HOURS = (2, 1, 1, 1, 1, 2, 4, 7, 10, 12, 14, 15, 16, 14, 13, 13, 14, 16, 19, 22, 24, 20, 12, 6)
_LINES = (42, 27, 15, 8, 4, 2, 1, 1)
_QUANTITIES = (68, 18, 7, 4, 2, 1)
_COUPONS = (0, 5, 10, 15, 20)  # per cent
COUPON_CODES = ("none", "HELLO5", "TEN", "SEASON15", "VIP20")


@dataclass(frozen=True)
class Orders:
    """Orders of a store stand together, in order of placing. `customer` (a place in people) and
    `customer_number` (within the store) are NULL for a guest; `rate` (0 where there is none) brings an amount
    into the store's currency at the rate of `placed_day`, the local day."""

    store: Ints
    number: Ints
    customer: Ints
    customer_number: Ints
    placed: Ints
    placed_day: Ints
    channel: Ints
    currency: Ints
    rate: Ints
    is_test: Flags

    def __len__(self) -> int:
        return len(self.store)


@dataclass(frozen=True)
class Items:
    """Lines in the order of their orders. Money in hundredths of the order's currency, cost of the store's, each for one unit.

    `coupon` is a place in COUPON_CODES; `coupon_off` and `member_off` are taken off every unit.
    """

    order: Ints
    line_no: Ints
    variant: Ints
    quantity: Ints
    price: Ints
    cost: Ints
    coupon: Ints
    coupon_off: Ints
    member_off: Ints

    def __len__(self) -> int:
        return len(self.order)

    @property
    def net(self) -> Ints:
        """Price of one unit less its discounts."""
        return self.price - self.coupon_off - self.member_off


def make_orders(market: Market, people: People) -> Orders:
    rng = stream(market.options.seed, "orders")
    store, customer, placed = _placed(market, rng, people)
    order = np.lexsort((placed, store))
    store, customer, placed = store[order], customer[order], placed[order]
    size = len(store)
    is_test = rng.random(size) < 0.004
    customer = np.where((rng.random(size) < 0.12) | is_test, NULL, customer)
    channel = pick(rng, (58, 27, 9, 6), size)
    channel[is_test] = WEB
    day = market.local_day(store, placed)
    base = market.base[store]
    foreign = whole(rng, 0, len(market.currencies) - 1, size)
    currency = np.where((rng.random(size) < 0.06) & (channel != COUNTER), foreign, base)
    odd = np.flatnonzero(~is_test & (channel != COUNTER))[: market.options.odd]
    currency[odd] = len(market.currencies)
    return Orders(
        store=store,
        number=number_within(store, len(market.stores)),
        customer=customer,
        customer_number=np.where(customer == NULL, NULL, people.number[np.where(customer == NULL, 0, customer)]),
        placed=placed,
        placed_day=day,
        channel=channel,
        currency=currency,
        rate=market.rate(day, currency, base),
        is_test=is_test,
    )


def _placed(market: Market, rng: np.random.Generator, people: People) -> tuple[Ints, Ints, Ints]:
    """Store, customer and instant of each order: by weight of the customer, on the busy days of their time with us."""
    parts = []
    busy = np.r_[0.0, np.cumsum(market.demand)]
    for number, count in enumerate(market.split(market.options.orders)):
        mine = np.flatnonzero(people.store == number)
        who = mine[pick(rng, people.weight[mine], count)]
        first = (people.created[who] - market.opening) / SECOND_OF_DAY
        last = (people.leaves[who] - market.opening) / SECOND_OF_DAY
        low, high = (np.interp(each, np.arange(len(busy)), busy) for each in (first, last))
        day = np.interp(low + rng.random(count) * (high - low), busy, np.arange(len(busy))).astype(np.int64)
        second = pick(rng, _HOURS, count) * 3_600 + whole(rng, 0, 3_599, count) - market.stores[number].zone.standard
        at = market.opening + day * SECOND_OF_DAY + second
        earliest = np.minimum(people.created[who] + 1, market.closing - 1)
        parts.append((np.full(count, number), who, np.clip(at, earliest, market.closing - 1)))
    store, customer, placed = (np.concatenate([part[place] for part in parts]) for place in range(3))
    return store, customer, placed


def make_items(market: Market, orders: Orders, goods: Assortment) -> Items:
    rng = stream(market.options.seed, "items")
    lines = 1 + pick(rng, _LINES, len(orders))
    order = np.repeat(np.arange(len(orders)), lines)
    store, placed = orders.store[order], orders.placed[order]
    variant = _chosen(rng, goods, store, placed)
    coarse = market.coarse[orders.currency[order]]
    price = _converted(goods.prices.at(variant, placed), orders.rate[order], coarse)
    coupon = pick(rng, (66, 12, 12, 7, 3), len(orders))[order]
    off = np.array(_COUPONS)[coupon] * price // 100 // coarse * coarse
    member = (rng.random(len(orders)) < 0.2)[order] & (orders.customer[order] != NULL)
    return Items(
        order=order,
        line_no=rank_in_runs(order),
        variant=variant,
        quantity=1 + pick(rng, _QUANTITIES, len(order)),
        price=price,
        cost=goods.costs.at(variant, placed),
        coupon=coupon,
        coupon_off=off,
        member_off=np.where(member, 2 * price // 100 // coarse * coarse, 0),
    )


def _chosen(rng: np.random.Generator, goods: Assortment, store: Ints, placed: Ints) -> Ints:
    """A variant for each line: products by popularity; what is not out yet gives way to the store's bestseller."""
    product = np.zeros(len(store), dtype=np.int64)
    for number, weights in enumerate(goods.popularity):
        here = np.flatnonzero(store == number)
        product[here] = goods.first[number] + pick(rng, weights, len(here))
    product = np.where(goods.launched[product] <= placed, product, goods.first[store])
    variants = goods.first_variant[product + 1] - goods.first_variant[product]
    return goods.first_variant[product] + (rng.random(len(store)) * variants).astype(np.int64)


def _converted(price: Ints, rate: Ints, coarse: Ints) -> Ints:
    """A price of the store in the order's currency, to the hundredth or the whole, never nothing."""
    rate = np.where(rate == 0, RATE_UNIT, rate)
    return np.maximum((price * RATE_UNIT // rate + coarse // 2) // coarse * coarse, coarse)
