"""Card and wallet transactions: of orders, with failures, doubles and money back, and of the marketplace's merchants."""

from __future__ import annotations

import numpy as np

from simulator.aftermath import Refunded
from simulator.chance import falling, number_within, pick, stream, zipf
from simulator.column import NULL, SECOND_OF_DAY, Ints, choice, identifier, instant, money, number
from simulator.demand import Items, Orders
from simulator.fulfilment import Fulfilment
from simulator.market import Market
from simulator.people import People
from simulator.placing import Placed
from simulator.table import Table, make_table

_METHODS = ("card", "wallet", "bank_transfer", "gift_card", "invoice")
_STATUSES = ("authorized", "captured", "failed", "refunded")
_AUTHORIZED, _CAPTURED, _FAILED, _REFUNDED = range(4)
_TRADES = ("groceries", "travel", "electronics", "books", "fashion", "sports")
_CITIES = ("Ashford", "Brook", "Castle Hill", "Dale", "Eastgate", "Ford", "Greenfield", "Harbour", "Ironbridge")
_MERCHANTS = 40


def make_payments(
    market: Market, people: People, orders: Orders, items: Items, placed: Placed, fulfilment: Fulfilment, back: Refunded
) -> Table:
    rng = stream(market.options.seed, "payments")
    paid = np.flatnonzero(fulfilment.paid != NULL)
    failed = rng.random(len(paid)) < 0.05
    doubled = paid[rng.random(len(paid)) < 0.001]
    undone = np.flatnonzero((fulfilment.paid != NULL) & (fulfilment.cancelled_at != NULL))
    partial = fulfilment.partial
    some = fulfilment.paid[items.order[partial.line]] != NULL
    line = partial.line[some]
    at = fulfilment.paid
    parts = [  # order, status, attempt, amount, instant
        (paid[failed], _FAILED, 1, placed.total[paid[failed]], at[paid[failed]] - 10),
        (paid[failed], _CAPTURED, 2, placed.total[paid[failed]], at[paid[failed]]),
        (paid[~failed], _CAPTURED, 1, placed.total[paid[~failed]], at[paid[~failed]]),
        (doubled, _CAPTURED, 3, placed.total[doubled], at[doubled] + 2),
        (undone, _REFUNDED, 1, placed.total[undone], fulfilment.cancelled_at[undone] + 3_600),
        (items.order[line], _REFUNDED, 1, items.net[line] * partial.quantity[some], partial.at[some] + 3_600),
        (items.order[back.line], _REFUNDED, 1, back.amount, back.at + 60),
    ]
    order = np.concatenate([part[0] for part in parts])
    status = np.concatenate([np.full(len(part[0]), part[1]) for part in parts])
    attempt = np.concatenate([np.full(len(part[0]), part[2]) for part in parts])
    amount, when = (np.concatenate([part[place] for part in parts]) for place in (3, 4))
    own = len(order)
    customer, m_amount, m_when, m_status = _of_merchants(market, rng, people)
    more = len(customer)
    store = np.r_[orders.store[order], people.store[customer]]
    user = np.r_[orders.customer[order], customer]
    when, amount = np.r_[when, m_when], np.r_[amount, m_amount]
    status = np.r_[status, m_status]
    merchant = np.r_[np.full(own, NULL), pick(rng, zipf(_MERCHANTS), more) + 1]
    by_time = np.argsort(when, kind="stable")
    columns = {
        "store_id": choice(market.store_ids, store[by_time]),
        "payment_id": identifier("T", number_within(store[by_time], len(market.stores))),
        "order_id": identifier("O", np.r_[orders.number[order], np.full(more, NULL)][by_time]),
        "user_id": identifier("C", _numbers(people, user)[by_time]),
        "merchant_id": identifier("M", merchant[by_time]),
        "merchant_category": choice(_TRADES, np.where(merchant == NULL, NULL, merchant % len(_TRADES))[by_time]),
        "payment_method": choice(_METHODS, pick(rng, (62, 24, 8, 2, 4), len(store))[by_time]),
        "status": choice(_STATUSES, status[by_time]),
        "attempt": number(np.r_[attempt, np.ones(more, dtype=np.int64)][by_time]),
        "amount": money(amount[by_time]),
        "currency": choice(
            market.accepted, np.r_[orders.currency[order], market.base[people.store[customer]]][by_time]
        ),
        "fee": money(_fees(amount, status)[by_time]),
        "occurred_at": instant(when[by_time]),
        "location": choice(_CITIES, pick(rng, np.ones(len(_CITIES)), len(store))[by_time]),
    }
    return make_table("payments", columns, when[by_time], opening=market.opening, days=market.options.days)


def _of_merchants(market: Market, rng: np.random.Generator, people: People) -> tuple[Ints, Ints, Ints, Ints]:
    """Purchases at merchants by the most active customers; one in two hundred is unusually large."""
    count = market.options.orders // 12
    customer = pick(rng, people.weight * people.weight, count)
    when = market.opening + (rng.random(count) * market.options.days * SECOND_OF_DAY).astype(np.int64)
    level = np.array([store.price_level for store in market.stores])[people.store[customer]]
    size = np.where(rng.random(count) < 0.005, 40, 1)
    amount = (500 + 20_000 * falling(rng, count)).astype(np.int64) * size * level // 100 * 100
    return customer, amount, when, pick(rng, (2, 92, 5, 1), count)


def _numbers(people: People, customer: Ints) -> Ints:
    return np.where(customer == NULL, NULL, people.number[np.where(customer == NULL, 0, customer)])


def _fees(amount: Ints, status: Ints) -> Ints:
    """1.4 per cent and a fixed part of what was captured, never more than the amount."""
    return np.where(status == _CAPTURED, np.minimum(amount * 14 // 1000 + 25, amount), 0)
