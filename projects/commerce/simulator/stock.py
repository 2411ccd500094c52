"""Stock: what opens it, what is bought in ahead of demand, what leaves and what comes back."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.aftermath import Returned
from simulator.assortment import Assortment
from simulator.chance import number_within, stream, whole
from simulator.column import SECOND_OF_DAY, choice, identifier, instant, number
from simulator.demand import COUNTER, Items, Orders
from simulator.fulfilment import Shipped
from simulator.market import Market
from simulator.table import Table, make_table

_REASONS = ("opening", "purchase", "shipment", "return", "correction", "loss")
_OPENING, _PURCHASE, _SHIPMENT, _RETURN, _CORRECTION, _LOSS = range(6)
_LOCATIONS = ("warehouse", "shop")
_PERIOD = 30 * SECOND_OF_DAY


def make_movements(
    market: Market, goods: Assortment, orders: Orders, items: Items, shipped: Shipped, returned: Returned
) -> Table:
    """Every thirty days a variant is bought in as it will be asked for, so stock is hardly ever below zero."""
    rng = stream(market.options.seed, "stock")
    variants = np.arange(len(goods.variant_product))
    sold, back = items.variant[shipped.line], items.variant[returned.line]
    place = (orders.channel[items.order[shipped.line]] == COUNTER).astype(np.int64)
    period = (shipped.at - market.opening) // _PERIOD
    wanted, inverse = np.unique((sold * 2 + place) * 10_000 + period, return_inverse=True)
    needed = np.zeros(len(wanted), dtype=np.int64)
    np.add.at(needed, inverse, shipped.quantity)
    bought_at = np.maximum(market.opening + (wanted % 10_000) * _PERIOD - 7_200, market.opening)
    odd = np.flatnonzero(rng.random(len(variants)) < 0.05)
    good = np.flatnonzero(returned.restocked)
    odd_at = market.opening + (rng.random(len(odd)) * market.options.days * SECOND_OF_DAY).astype(np.int64)
    kind = _small_change(rng, len(odd))
    too_many = variants[: market.options.odd]
    closing = np.full(len(too_many), market.closing - 1)
    parts: list[tuple[Any, ...]] = [  # variant, location, quantity, reason, instant
        (variants, 0, whole(rng, 5, 25, len(variants)), _OPENING, np.full(len(variants), market.opening)),
        (wanted // 20_000, wanted // 10_000 % 2, needed, _PURCHASE, bought_at),
        (sold, place, -shipped.quantity, _SHIPMENT, shipped.at),
        (back[good], 0, returned.quantity[good], _RETURN, returned.at[good]),
        (odd, 0, kind, np.where(kind < 0, _LOSS, _CORRECTION), odd_at),
        (too_many, 0, np.full(len(too_many), -99_999), _LOSS, closing),
    ]
    sizes = [len(part[0]) for part in parts]
    variant, quantity, at = (np.concatenate([part[column] for part in parts]) for column in (0, 2, 4))
    location, reason = (
        np.concatenate([np.broadcast_to(part[column], size) for part, size in zip(parts, sizes, strict=True)])
        for column in (1, 3)
    )
    by_time = np.argsort(at, kind="stable")
    variant, quantity, at, location, reason = (part[by_time] for part in (variant, quantity, at, location, reason))
    store = goods.store[goods.variant_product[variant]]
    columns = {
        "store_id": choice(market.store_ids, store),
        "movement_id": identifier("I", number_within(store, len(market.stores))),
        "variant_id": identifier("V", goods.variant_number[variant]),
        "location": choice(_LOCATIONS, location),
        "quantity": number(quantity),
        "reason": choice(_REASONS, reason),
        "occurred_at": instant(at),
    }
    return make_table("inventory_movements", columns, at, opening=market.opening, days=market.options.days)


def _small_change(rng: np.random.Generator, size: int) -> np.ndarray:
    """From -2 to 2 without zero."""
    drawn = whole(rng, -2, 1, size)
    return np.where(drawn >= 0, drawn + 1, drawn)
