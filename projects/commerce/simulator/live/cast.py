"""Who and what the live shop is made of: customers, variants and stores of the simulated shop of the same options."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from simulator.assortment import Assortment, make_assortment
from simulator.column import Ints, identifier
from simulator.live.draws import Draws, Picks, weighted
from simulator.market import WHOLE_ONLY, Market
from simulator.options import Options
from simulator.people import make_people

MERCHANTS = 40
_BOUGHT = 1 << 12  # entries of the table of a store's variants


@dataclass(frozen=True)
class Cast:
    """Names by place: of customers `store`, `customer_id`, `usual` (what they usually spend at once, in ten-thousandths)
    and `home` (their city); of variants `variant_id`, `product_id` and `price` (ten-thousandths of the store's
    currency).

    `buyers` are customers as often as they buy, `regulars` those who buy most; `sold[store]` are variants as often as
    they are sold.
    """

    store_ids: pa.Array
    currencies: pa.Array
    countries: pa.Array
    coarse: Ints
    store: Ints
    customer_id: pa.Array
    usual: Ints
    home: Ints
    buyers: Picks
    regulars: Ints
    variant_id: pa.Array
    product_id: pa.Array
    price: Ints
    sold: Picks

    @classmethod
    def of(cls, options: Options) -> Cast:
        market = Market.of(options)
        people, goods = make_people(market), make_assortment(market)
        coarse = np.array([10_000 if each.currency in WHOLE_ONLY else 100 for each in market.stores], dtype=np.int64)
        everybody = np.arange(len(people))
        here = np.flatnonzero(people.leaves >= np.quantile(people.leaves, 0.2))
        draws = Draws(options.seed)
        level = np.array([each.price_level for each in market.stores])[people.store]
        usual = draws.whole("usual", 15, 60, everybody) * level * 10_000
        ranked = here[np.argsort(-people.weight[here], kind="stable")]
        variants = np.arange(len(goods.variant_product))
        closing = np.full(len(variants), market.closing)
        return cls(
            store_ids=pa.array(market.store_ids),
            currencies=pa.array([each.currency for each in market.stores]),
            countries=pa.array([each.country for each in market.stores]),
            coarse=coarse,
            store=people.store,
            customer_id=identifier("C", people.number).arrow(),
            usual=usual,
            home=draws.whole("home", 0, 8, everybody),
            buyers=here.astype(np.int32)[weighted(people.weight[here])],
            regulars=ranked[: max(1, len(ranked) // 10)],
            variant_id=identifier("V", goods.variant_number).arrow(),
            product_id=identifier("P", goods.number[goods.variant_product]).arrow(),
            price=goods.prices.at(variants, closing) * 100,
            sold=np.stack([_sold(goods, number) for number in range(len(market.stores))]),
        )


def _sold(goods: Assortment, store: int) -> Picks:
    """Products by popularity, of each all variants alike."""
    first, last = goods.first_variant[goods.first[store]], goods.first_variant[goods.first[store + 1]]
    product = goods.variant_product[first:last]
    shares = goods.popularity[store][product - goods.first[store]] / np.diff(goods.first_variant)[product]
    return (first + weighted(shares, _BOUGHT)).astype(np.int32)
