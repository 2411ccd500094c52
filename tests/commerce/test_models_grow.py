"""Whatever is delivered when, gold is the one that a build of everything from nothing gives."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import pytest
from simulator.dirt import soil
from simulator.drops import cut, write
from simulator.options import Options
from simulator.shop import simulate

from penstock.transform import warehouse
from penstock.transform.content import Content, content_of
from tests.commerce.hand_shop import Shop

SHOP = Options(customers=50, products=20, orders=260, days=100, stores=3, seed=8, dirt=2, cut="month")
WITHOUT_WHICH_NO_GATE = ("stores", "fx_rates")
HOW_IT_CAME = ("loaded_at", "record_source")


def contents(shop: Shop) -> Mapping[str, Content]:
    """The content of every table of the warehouse, apart from how its rows came."""
    (database,) = (shop.folder / "data" / "cache").glob("warehouse-*.duckdb")
    with warehouse.opened(database, read_only=True) as connection:
        kinds = warehouse.relations(connection)
        tables = [name for name, kind in kinds.items() if kind == "TABLE" and not name.startswith("staging.changed_")]
        return {name: content_of(connection, name, without=HOW_IT_CAME) for name in tables}


@pytest.mark.parametrize(("parts", "seed"), [(3, 1), pytest.param(5, 2, marks=pytest.mark.faults)])
def test_files_in_any_order_over_several_releases_make_the_gold_of_one(
    tmp_path: Path, compiled: Path, parts: int, seed: int
) -> None:
    made = simulate(SHOP)
    drops = list(soil(made, cut(made)).drops)
    whole, grown = Shop.at(tmp_path / "whole", compiled), Shop.at(tmp_path / "grown", compiled)
    write(drops, whole.inbox)
    whole.run()
    first = [drop for drop in drops if drop.table.name in WITHOUT_WHICH_NO_GATE]
    others = [drop for drop in drops if drop.table.name not in WITHOUT_WHICH_NO_GATE]
    random.Random(seed).shuffle(others)
    for part in range(parts):
        write([*first, *others[part::parts]], grown.inbox)
        assert grown.run()["release"] == part + 1
        first = []
    assert contents(grown) == contents(whole)
