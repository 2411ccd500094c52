"""What comes back: refunds, returns, and what they do to payments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.chance import falling, number_within, pick, rank_in_runs, stream
from simulator.column import NULL, SECOND_OF_DAY, Ints, choice, flag, identifier, instant, money, number
from simulator.demand import Items, Orders
from simulator.fulfilment import Shipped
from simulator.market import Market
from simulator.table import Table, make_table

_REASONS = ("damaged", "wrong_item", "not_as_described", "changed_mind", "late", "goodwill")
_LATE, _GOODWILL = 4, 5


@dataclass(frozen=True)
class Refunded:
    """Money given back, net of discount, in hundredths of the order's currency."""

    line: Ints
    quantity: Ints
    amount: Ints
    at: Ints


@dataclass(frozen=True)
class Returned:
    line: Ints
    quantity: Ints
    restocked: np.ndarray
    at: Ints


@dataclass(frozen=True)
class Aftermath:
    """Only what happens before the shop's last day ends."""

    refunded: Refunded
    returned: Returned
    tables: tuple[Table, ...]


def come_back(market: Market, orders: Orders, items: Items, shipped: Shipped) -> Aftermath:
    rng = stream(market.options.seed, "aftermath")
    order = items.order[shipped.line]
    arrived = shipped.delivered != NULL
    unhappy = rng.random(len(orders)) < 0.09
    chosen = np.flatnonzero(arrived & unhappy[order] & (rng.random(len(order)) < 0.6))
    last = np.full(len(orders), NULL)
    np.maximum.at(last, order, shipped.delivered)
    wait = 3_600 + (65 * SECOND_OF_DAY * falling(rng, len(orders))).astype(np.int64)
    lost = np.flatnonzero(~arrived & (rng.random(len(order)) < 0.8))
    row = np.r_[chosen, lost]
    at = np.r_[(last + wait)[order[chosen]], shipped.at[lost] + 15 * SECOND_OF_DAY]
    quantity = 1 + (rng.random(len(row)) * shipped.quantity[row]).astype(np.int64)
    quantity[len(chosen) :] = shipped.quantity[lost]
    reason = np.r_[pick(rng, (20, 12, 18, 40, 0, 10), len(chosen)), np.full(len(lost), _LATE)]
    keep = at < market.closing
    row, at, quantity, reason = row[keep], at[keep], quantity[keep], reason[keep]
    refunded = _refunded(market, orders, items, shipped.line[row], quantity, reason, at)
    with_goods = np.flatnonzero((reason < _LATE) & (rng.random(len(row)) < 0.85))
    share = 0.3 + 0.6 * rng.random(len(with_goods))
    came = shipped.delivered[row[with_goods]]
    received = came + (share * (at[with_goods] - came)).astype(np.int64)
    line = shipped.line[row[with_goods]]
    returned = Returned(line, quantity[with_goods], rng.random(len(line)) < 0.8, received)
    tables = (_refund_table(market, orders, items, refunded, reason), _return_table(market, orders, items, returned))
    return Aftermath(refunded, returned, tables)


def _refunded(
    market: Market, orders: Orders, items: Items, line: Ints, quantity: Ints, reason: Ints, at: Ints
) -> Refunded:
    """The net price of the units; goodwill gives half of it, and an odd refund three times the price of the line."""
    unit = market.coarse[orders.currency[items.order[line]]]
    amount = items.net[line] * quantity
    amount = np.where(reason == _GOODWILL, amount // 2 // unit * unit, amount)
    odd = slice(0, market.options.odd)
    amount[odd] = 3 * (items.net * items.quantity)[line[odd]]
    return Refunded(line, quantity, amount, at)


def _refund_table(market: Market, orders: Orders, items: Items, refunded: Refunded, reason: Ints) -> Table:
    order = items.order[refunded.line]
    document, line_no, rows = _documents(market, orders, order, refunded.at)
    columns = {
        "store_id": choice(market.store_ids, orders.store[order[rows]]),
        "refund_id": identifier("R", document),
        "line_no": number(line_no),
        "order_id": identifier("O", orders.number[order[rows]]),
        "order_line_no": number(items.line_no[refunded.line[rows]]),
        "quantity": number(refunded.quantity[rows]),
        "amount": money(refunded.amount[rows]),
        "refunded_at": instant(refunded.at[rows]),
        "reason": choice(_REASONS, reason[rows]),
    }
    return make_table("refund_lines", columns, refunded.at[rows], opening=market.opening, days=market.options.days)


def _return_table(market: Market, orders: Orders, items: Items, returned: Returned) -> Table:
    order = items.order[returned.line]
    document, line_no, rows = _documents(market, orders, order, returned.at)
    columns = {
        "store_id": choice(market.store_ids, orders.store[order[rows]]),
        "return_id": identifier("B", document),
        "line_no": number(line_no),
        "order_id": identifier("O", orders.number[order[rows]]),
        "order_line_no": number(items.line_no[returned.line[rows]]),
        "quantity": number(returned.quantity[rows]),
        "restocked": flag(returned.restocked[rows]),
        "received_at": instant(returned.at[rows]),
    }
    return make_table("return_lines", columns, returned.at[rows], opening=market.opening, days=market.options.days)


def _documents(market: Market, orders: Orders, order: Ints, at: Ints) -> tuple[Ints, Ints, Ints]:
    """Rows of one order and instant are one document: (its number in the store, line within it, order of the rows)."""
    rows = np.lexsort((order, at))
    order, at = order[rows], at[rows]
    begins = np.r_[True, (order[1:] != order[:-1]) | (at[1:] != at[:-1])] if len(rows) else np.zeros(0, dtype=bool)
    document = np.cumsum(begins) - 1
    numbers = number_within(orders.store[order[begins]], len(market.stores))
    return numbers[document] if len(rows) else document, rank_in_runs(document), rows
