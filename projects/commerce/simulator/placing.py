"""What is known of an order when it is placed: lines, discounts, taxes, shipping, gift cards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.assortment import Assortment
from simulator.chance import stream, whole
from simulator.column import Column, Ints, basis, choice, identifier, money, number
from simulator.demand import COUNTER, COUPON_CODES, Items, Orders
from simulator.market import Market
from simulator.table import Table, make_table

_FREE_FROM = 5_000  # hundredths of a euro
_CHARGE = 490


@dataclass(frozen=True)
class Placed:
    """What every order owes, in hundredths of its currency."""

    total: Ints
    first_line: Ints
    tables: tuple[Table, ...]


def place(market: Market, orders: Orders, items: Items, goods: Assortment) -> Placed:
    rng = stream(market.options.seed, "placing")
    first_line = np.searchsorted(items.order, np.arange(len(orders) + 1))
    net = items.net * items.quantity
    coarse = market.coarse[orders.currency]
    rates = np.array([store.tax for store in market.stores])[orders.store[items.order]]
    tax = (net * rates + 5_000) // 10_000 // coarse[items.order] * coarse[items.order]
    subtotal, taxes = _per_order(net, first_line), _per_order(tax, first_line)
    level = np.array([store.price_level for store in market.stores])[orders.store]
    shipping = np.where((subtotal < _FREE_FROM * level) & (orders.channel != COUNTER), _CHARGE * level, 0)
    shipping = shipping // coarse * coarse
    with_card = np.flatnonzero(rng.random(len(orders)) < 0.01)
    card = 2_500 * whole(rng, 1, 4, len(with_card)) * level[with_card]
    cards = np.zeros(len(orders), dtype=np.int64)
    cards[with_card] = card
    charged = np.flatnonzero(shipping > 0)
    write = _Writer(market, orders)
    tables = (
        write.table("order_items", items.order, _items(items, goods)),
        write.table("discounts", *_discounts(items)),
        write.table(
            "taxes",
            items.order,
            {
                "line_no": number(items.line_no),
                "allocation_no": number(np.ones(len(items))),
                "rate": basis(rates),
                "amount": money(tax),
            },
        ),
        write.table("shipping_charges", charged, {"amount": money(shipping[charged])}),
        write.table(
            "gift_card_sales",
            with_card,
            {"line_no": number(np.diff(first_line)[with_card] + 1), "amount": money(card)},
        ),
    )
    return Placed(subtotal + taxes + shipping + cards, first_line, tables)


@dataclass(frozen=True)
class _Writer:
    market: Market
    orders: Orders

    def table(self, name: str, order: Ints, columns: dict[str, Column]) -> Table:
        """A table of rows that belong to orders and come when these are placed, in that order."""
        heads = {
            "store_id": choice(self.market.store_ids, self.orders.store[order]),
            "order_id": identifier("O", self.orders.number[order]),
        }
        opening, days = self.market.opening, self.market.options.days
        return make_table(name, heads | columns, self.orders.placed[order], opening=opening, days=days)


def _per_order(amounts: Ints, first_line: Ints) -> Ints:
    return np.add.reduceat(amounts, first_line[:-1])


def _items(items: Items, goods: Assortment) -> dict[str, Column]:
    return {
        "line_no": number(items.line_no),
        "variant_id": identifier("V", goods.variant_number[items.variant]),
        "product_id": identifier("P", goods.number[goods.variant_product[items.variant]]),
        "quantity": number(items.quantity),
        "list_price": money(items.price),
    }


def _discounts(items: Items) -> tuple[Ints, dict[str, Column]]:
    """A coupon's part of a line first, then the members' one."""
    coupons, members = np.flatnonzero(items.coupon_off), np.flatnonzero(items.member_off)
    line = np.r_[coupons, members]
    is_member = np.r_[np.zeros(len(coupons), dtype=np.int64), np.ones(len(members), dtype=np.int64)]
    order = np.lexsort((is_member, line))
    line, is_member = line[order], is_member[order]
    per_unit = np.where(is_member == 1, items.member_off[line], items.coupon_off[line])
    codes = (*COUPON_CODES, "MEMBER")
    return items.order[line], {
        "line_no": number(items.line_no[line]),
        "allocation_no": number(1 + (is_member & (items.coupon_off[line] > 0))),
        "code": choice(codes, np.where(is_member == 1, len(codes) - 1, items.coupon[line])),
        "amount": money(per_unit * items.quantity[line]),
    }
