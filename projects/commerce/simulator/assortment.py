"""What is sold: products with variants, and the prices and costs of these over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.chance import Floats, falling, number_within, pick, stream, whole, zipf
from simulator.column import SECOND_OF_DAY, Column, Ints, choice, flag, identifier, instant, money, number, texts
from simulator.market import WHOLE_ONLY, Market
from simulator.table import Table, make_table

_CATEGORIES = {
    "Kitchen": ("Cookware", "Knives", "Tableware"),
    "Living": ("Lamps", "Cushions", "Candles"),
    "Garden": ("Tools", "Seeds", "Furniture"),
    "Office": ("Paper", "Pens", "Desks"),
    "Toys": ("Games", "Puzzles", "Outdoor"),
    "Textiles": ("Towels", "Bedding", "Curtains"),
}
_BRANDS = ("Alder", "Birch & Co", "Cedar", "Douglas", "Elm", "Fir, Ltd", "Hazel", "Juniper")
_KINDS = ("Classic", "Compact", 'Large 20"', "Natural", "Soft", "Bright")
_OPTIONS = ("standard", "small", "large", "red", "blue")


@dataclass(frozen=True)
class Timeline:
    """Values that hold from an instant on, of many owners: rows in order of owner and instant."""

    owner: Ints
    since: Ints
    values: Ints
    opening: int

    def at(self, owner: Ints, instants: Ints) -> Ints:
        """The value of each owner that holds at each instant."""
        span = np.int64(1) << 40
        place = np.searchsorted(self.owner * span + self.since, owner * span + instants, side="right") - 1
        return self.values[place]


@dataclass(frozen=True)
class Assortment:
    """`first[s]` to `first[s + 1]` are the products of store s, the most popular first; variants likewise by product.

    Prices and costs are in hundredths of the store's currency.
    """

    store: Ints
    number: Ints
    launched: Ints
    first: Ints
    first_variant: Ints
    variant_product: Ints
    variant_number: Ints
    prices: Timeline
    costs: Timeline
    popularity: tuple[Floats, ...]
    tables: tuple[Table, ...]


def make_assortment(market: Market) -> Assortment:
    options = market.options
    rng = stream(options.seed, "assortment")
    counts = market.split(options.products)
    store = np.repeat(np.arange(len(counts)), counts)
    size = len(store)
    product_number = number_within(store, len(counts))
    late = (rng.random(size) < 0.15) & (product_number > 1)
    launched = market.opening + np.where(late, rng.random(size) * 0.9 * options.days * SECOND_OF_DAY, 0).astype(
        np.int64
    )
    first = np.r_[0, np.cumsum(counts)]
    variants = 1 + pick(rng, (45, 25, 20, 10), size)
    variant_product = np.repeat(np.arange(size), variants)
    variant_number = number_within(store[variant_product], len(counts))
    prices, costs = _money(market, rng, store[variant_product])
    owner = store[variant_product]
    tables = (
        _products(market, rng, store, product_number, launched),
        _variants(market, rng, store, product_number, launched, variant_product, variant_number),
        _timeline_table(market, "prices", "list_price", owner, variant_number, prices),
        _timeline_table(market, "product_costs", "unit_cost", owner, variant_number, costs),
    )
    return Assortment(
        store=store,
        number=product_number,
        launched=launched,
        first=first,
        first_variant=np.r_[0, np.cumsum(variants)],
        variant_product=variant_product,
        variant_number=variant_number,
        prices=prices,
        costs=costs,
        popularity=tuple(zipf(count) for count in counts),
        tables=tables,
    )


def _products(market: Market, rng: np.random.Generator, store: Ints, ids: Ints, launched: Ints) -> Table:
    """The first version of each product, later ones with another category, status or name, and withdrawals."""
    size = len(store)
    changes = pick(rng, (72, 20, 8), size)
    who = np.r_[np.arange(size), np.repeat(np.arange(size), changes)]
    at = launched[who] + np.r_[
        np.zeros(size), 60 + rng.random(len(who) - size) * (market.closing - launched[who[size:]])
    ].astype(np.int64)
    order = np.lexsort((at, who))
    who, at = who[order], at[order]
    fresh = np.r_[True, (who[1:] != who[:-1]) | (at[1:] != at[:-1])]
    who, at = who[fresh], at[fresh]
    version = number_within(who, size)
    last = np.r_[who[1:] != who[:-1], True]
    groups = [(main, sub) for main, subs in _CATEGORIES.items() for sub in subs]
    group = whole(rng, 0, len(groups) - 1, size)[who]
    moved = (version > 1) & (rng.random(len(who)) < 0.3)
    group = np.where(moved, (group + 1) % len(groups), group)
    stopped = last & (version > 1) & (rng.random(len(who)) < 0.15)
    kind = whole(rng, 0, len(_KINDS) - 1, size)[who]
    names = [
        f"{_KINDS[k]} {groups[g][1].lower()} {n}"
        for k, g, n in zip(kind.tolist(), group.tolist(), ids[who].tolist(), strict=True)
    ]
    columns = {
        "store_id": choice(market.store_ids, store[who]),
        "product_id": identifier("P", ids[who]),
        "updated_at": instant(at),
        "name": texts(names),
        "category": choice([main for main, _ in groups], group),
        "subcategory": choice([sub for _, sub in groups], group),
        "brand": choice(_BRANDS, whole(rng, 0, len(_BRANDS) - 1, size)[who]),
        "status": choice(("active", "discontinued"), stopped),
        "is_deleted": flag(stopped & (rng.random(len(who)) < 0.3)),
    }
    return make_table("products", columns, at, opening=market.opening, days=market.options.days)


def _variants(
    market: Market, rng: np.random.Generator, store: Ints, ids: Ints, launched: Ints, product: Ints, numbers: Ints
) -> Table:
    """Each variant with its product, and later versions with another reorder point."""
    size = len(product)
    again = np.flatnonzero(rng.random(size) < 0.1)
    who = np.r_[np.arange(size), again]
    since = launched[product]
    at = np.r_[since, since[again] + 60 + (rng.random(len(again)) * (market.closing - since[again])).astype(np.int64)]
    option = (np.arange(size) - np.searchsorted(product, product))[who]
    columns = {
        "store_id": choice(market.store_ids, store[product[who]]),
        "variant_id": identifier("V", numbers[who]),
        "updated_at": instant(at),
        "product_id": identifier("P", ids[product[who]]),
        "sku": identifier("SKU-", numbers[who] * 7),
        "option_name": choice(_OPTIONS, option),
        "reorder_point": number(whole(rng, 1, 30, len(who))),
        "is_deleted": flag(np.zeros(len(who))),
    }
    return make_table("variants", columns, at, opening=market.opening, days=market.options.days)


def _money(market: Market, rng: np.random.Generator, store: Ints) -> tuple[Timeline, Timeline]:
    """Prices between 2 and some hundreds of euros by the store's level; costs are 35 to 70 per cent of the first."""
    size = len(store)
    level = np.array([each.price_level for each in market.stores])[store]
    coarse = np.array([100 if each.currency in WHOLE_ONLY else 1 for each in market.stores])[store]
    price = ((200 + 30_000 * falling(rng, size) * rng.random(size)) * level).astype(
        np.int64
    ) // coarse * coarse + coarse
    cost = (price * (0.35 + 0.35 * rng.random(size))).astype(np.int64) // coarse * coarse
    prices = _walk(market, rng, price, coarse, (35, 30, 20, 15), spread=0.3)
    return prices, _walk(market, rng, cost, coarse, (50, 30, 20), spread=0.15)


def _walk(
    market: Market, rng: np.random.Generator, start: Ints, coarse: Ints, changes: tuple[int, ...], *, spread: float
) -> Timeline:
    """From before the opening on the first value; each change multiplies it by 1 ± half the spread."""
    size = len(start)
    before = market.opening - 2 * SECOND_OF_DAY
    owner = np.r_[np.arange(size), np.repeat(np.arange(size), pick(rng, changes, size))]
    moved = market.opening + (rng.random(len(owner)) * market.options.days * SECOND_OF_DAY).astype(np.int64)
    since = np.where(np.arange(len(owner)) < size, before, moved)
    factor = np.where(np.arange(len(owner)) < size, 1.0, 1 + spread * (rng.random(len(owner)) - 0.4))
    order = np.lexsort((since, owner))
    owner, since, factor = owner[order], since[order], factor[order]
    fresh = np.r_[True, (owner[1:] != owner[:-1]) | (since[1:] != since[:-1])]
    owner, since, factor = owner[fresh], since[fresh], factor[fresh]
    values = np.maximum((start[owner] * factor).astype(np.int64) // coarse[owner] * coarse[owner], coarse[owner])
    return Timeline(owner, since, values, market.opening)


def _timeline_table(market: Market, name: str, column: str, store: Ints, ids: Ints, line: Timeline) -> Table:
    here = store[line.owner]
    columns: dict[str, Column] = {
        "store_id": choice(market.store_ids, here),
        "variant_id": identifier("V", ids[line.owner]),
        "valid_from": instant(line.since),
        column: money(line.values),
        "currency": choice(market.currencies, market.base[here]),
    }
    return make_table(name, columns, line.since, opening=market.opening, days=market.options.days)
