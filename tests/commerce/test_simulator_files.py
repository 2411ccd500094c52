"""The shop's files: the same for the same options, whole however they are cut, and a shop worth looking at."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator.dirt import FILE_FAULTS, LINE_FAULTS, soil
from simulator.drops import cut, write
from simulator.options import Options
from simulator.shop import Shop, simulate
from simulator.table import KEYS
from simulator.zones import Zone

from tests.commerce.shop_oracle import Oracle
from tests.one_process import COMMERCE

TINY = Options(customers=30, products=15, orders=90, days=45)
GOLDEN = "3f0d1916babe8b538235942eee8899b719602f1138d0be8bd1b963fc03b9d77d"


@pytest.fixture(scope="module")
def shop() -> Shop:
    return simulate(replace(TINY, orders=3_000, customers=300, products=200, days=200))


def contents(inbox: Path) -> dict[str, bytes]:
    """Every file; of Parquet what is in it, for its bytes name the version of the library."""
    return {
        str(path.relative_to(inbox)): (
            repr(pq.read_table(path).to_pylist()).encode() if path.suffix == ".parquet" else path.read_bytes()
        )
        for path in sorted(inbox.rglob("*.*"))
    }


def written(options: Options, inbox: Path) -> dict[str, bytes]:
    shop = simulate(options)
    write(soil(shop, cut(shop)).drops, inbox)
    return contents(inbox)


def test_the_same_options_give_the_same_bytes(tmp_path: Path) -> None:
    files = written(replace(TINY, dirt=2), tmp_path / "one")

    assert written(replace(TINY, dirt=2), tmp_path / "again") == files
    assert written(replace(TINY, dirt=2, seed=2), tmp_path / "other") != files


def test_the_files_of_a_tiny_shop_are_those_they_were(tmp_path: Path) -> None:
    files = written(replace(TINY, dirt=2), tmp_path)
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name}\n{len(content)}\n".encode() + content)

    assert digest.hexdigest() == GOLDEN


def test_a_day_at_a_time_delivers_the_same_as_all_at_once(tmp_path: Path) -> None:
    shop = simulate(replace(TINY, dirt=2))
    drops = soil(shop, cut(shop)).drops

    for day in range(TINY.days):
        write(drops, tmp_path / "days", first=day, last=day)
    write(drops, tmp_path / "all")

    assert contents(tmp_path / "days") == contents(tmp_path / "all")


@pytest.mark.parametrize("how", [{"cut": "month"}, {"cut": "all"}, {"history": 30}, {"history": 45}])
def test_rows_are_the_same_however_they_are_cut(how: dict[str, object], tmp_path: Path) -> None:
    for name, options in (("days", TINY), ("other", replace(TINY, **how))):  # type: ignore[arg-type]
        written(options, tmp_path / name)
    days, other = Oracle(tmp_path / "days"), Oracle(tmp_path / "other")

    for dataset in KEYS:
        found, expected = (sorted(map(repr, each.rows(dataset))) for each in (other, days))
        assert found == expected


def test_a_file_holds_what_was_known_on_its_day(tmp_path: Path) -> None:
    written(TINY, tmp_path)

    for path in (tmp_path / "orders").glob("*.csv"):
        days = {line.split(",")[2][:10] for line in path.read_text().splitlines()[1:]}
        assert days == {path.name.removeprefix("orders-").removesuffix(".v1.csv")}


def test_every_key_names_one_row_but_orders_of_stores_share_numbers(tmp_path: Path) -> None:
    written(TINY, tmp_path)
    oracle = Oracle(tmp_path)
    versions = {"shipment_lines": ("updated_at",), "identity_edges": ("updated_at",)}

    for dataset, key in KEYS.items():
        rows = Counter(tuple(row[name] for name in (*key, *versions.get(dataset, ()))) for row in oracle.rows(dataset))
        assert max(rows.values(), default=1) == 1, dataset

    assert len({order for _, order in oracle.orders}) < len(oracle.orders)


def test_each_kind_of_fault_is_there_as_often_as_asked() -> None:
    shop = simulate(replace(TINY, days=100, orders=300, dirt=3))

    faults = soil(shop, cut(shop)).faults

    assert Counter(fault.kind for fault in faults) == dict.fromkeys([*FILE_FAULTS, *LINE_FAULTS], 3)


def test_the_history_stays_clean() -> None:
    shop = simulate(replace(TINY, history=30, dirt=3))

    delivered = soil(shop, cut(shop))

    assert all(drop.is_plain for drop in delivered.drops if drop.label == "history")
    assert not any("history" in fault.path for fault in delivered.faults)
    assert delivered.faults


def test_a_late_file_comes_after_its_day() -> None:
    shop = simulate(replace(TINY, dirt=3))
    delivered = soil(shop, cut(shop))
    late = {fault.path for fault in delivered.faults if fault.kind in ("late_file", "out_of_order_file")}

    assert all(drop.due > drop.last or drop.due == TINY.days - 1 for drop in delivered.drops if drop.path in late)
    assert any(drop.due > drop.last + 3 for drop in delivered.drops if drop.path in late)


def test_a_few_products_bring_most_of_the_sales(shop: Shop) -> None:
    lines = np.sort(np.bincount(shop.tables["order_items"].columns["product_id"].values))[::-1]

    assert lines[: len(lines) // 5].sum() > 0.5 * lines.sum()


def test_the_world_changes_and_things_go_wrong(shop: Shop) -> None:
    oracle = {name: len(shop.tables[name]) for name in shop.tables}
    customers = Counter(shop.orders.customer.tolist()).values()

    assert oracle["customers"] > 300
    assert oracle["products"] > 200
    assert min(len(shop.refunded.line), len(shop.cancelled.line), len(shop.returned.line)) > 0
    assert (shop.shipped.quantity < shop.items.quantity[shop.shipped.line]).any()
    assert shop.orders.is_test.any()
    assert not shop.sessions.is_human.all()
    assert max(customers) > 3


def test_december_is_busier_than_february() -> None:
    year = simulate(replace(TINY, orders=2_000, days=365))
    months = year.orders.placed.astype("datetime64[s]").astype("datetime64[M]").astype(int) % 12

    assert np.sum(months == 11) > 1.5 * np.sum(months == 1)


@given(
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "Pacific/Apia"]),
    day=st.dates(date(2011, 1, 1), date(2013, 1, 1)),
    second=st.integers(0, 86_399),
)
def test_a_local_day_is_that_of_the_zone(zone: str, day: date, second: int) -> None:
    instant = (day - date(1970, 1, 1)).days * 86_400 + second
    local = datetime.fromtimestamp(instant, ZoneInfo(zone)).date()

    found = Zone.between(zone, instant - 50 * 86_400, instant + 50 * 86_400).local_day(np.array([instant]))

    assert (local - date(1970, 1, 1)).days == found[0]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"days": 0}, "days is 0"), ({"stores": 5, "orders": 4}, "orders is 4"), ({"cut": "week"}, "cut is week")],
)
def test_impossible_options_are_named(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(TINY, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("each", [1, 2])
def test_every_store_has_something_to_sell_however_many_there_are(each: int) -> None:
    made = simulate(replace(TINY, stores=20, customers=20, products=20 * each, orders=40, days=3))

    assert len(set(made.tables["products"].columns["store_id"].values)) == 20


def test_the_command_writes_files_and_truth_from_anywhere(tmp_path: Path) -> None:
    size = ("--customers", "30", "--products", "15", "--orders", "90", "--days", "20")
    command = [sys.executable, str(COMMERCE / "simulator"), "inbox", "--truth", "truth.json", *size]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    refused = subprocess.run([*command, "--days", "0"], cwd=tmp_path, capture_output=True, text=True)

    assert "files written to inbox" in done.stdout
    assert json.loads((tmp_path / "truth.json").read_text())["options"]["orders"] == 90
    assert (tmp_path / "inbox" / "orders" / "orders-2024-01-15.v1.csv").exists()
    assert (refused.returncode, refused.stderr) == (2, "simulator: days is 0: expected at least 1\n")
