"""The files on the road: what `penstock run` counts is what the truth file says, dirt and all."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from simulator.dirt import soil
from simulator.drops import cut, write
from simulator.options import Options
from simulator.shop import simulate
from simulator.truth import truth

from tests.flows.command import call
from tests.one_process import COMMERCE

TINY = Options(customers=40, products=20, orders=150, days=28, dirt=4, history=16)
FIGURES = {
    "rows_in": "lines",
    "accepted": "accepted",
    "quarantined": "quarantined",
    "duplicates": "duplicate",
    "superseded": "superseded",
    "filtered": "filtered",
}
TXN = "a" * 64
PLAIN_FILES = {
    "customers.csv": "customer_id,name,email,region,created_at\nc1,Ada N,ada@example.org,North,2024-01-01T10:00:00Z\n",
    "products.csv": "product_id,product_name,category,price\np1,Lamp,Living,19.99\n",
    "transactions.csv": "transaction_id,customer_id,product_id,amount,timestamp\nt1,c1,p1,19.99,2024-01-02 10:00:00\n",
    "source_customers.csv": "customer_id,region,signup_date\nc2,South,2024-01-03\n",
    "source_transactions.csv": "txn_id,customer_id,amount,txn_timestamp\nt2,c2,5.00,2024-01-04 09:00:00\n",
    "stream_events.csv": "event_id,user_id,event_type,event_timestamp\ne1,c2,page_view,2024-01-04 08:59:00\n",
    "payment_events.csv": "txn_id,user_id,amount,currency,timestamp,merchant_id,merchant_category,payment_method,"
    f"status,location\n{TXN},c1,19.99,EUR,2024-01-02T10:00:01Z,m1,lamps,card,captured,Ashford\n"
    "not-a-hash,c1,19.99,EUR,2024-01-02T10:00:01Z,m1,lamps,card,captured,Ashford\n",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project without models and checks, so that a run ends in silver."""
    folder = tmp_path_factory.mktemp("road")
    shutil.copytree(COMMERCE / "contracts", folder / "project" / "contracts")
    shutil.copytree(COMMERCE / "sources", folder / "project" / "sources")
    (folder / "project" / "penstock.yml").write_text("name: commerce\n")
    return folder


def run(place: Path, inbox: Path, data: str) -> dict[str, dict[str, Any]]:
    """`penstock run`; its figures by dataset."""
    environment = {"COMMERCE_INBOX": str(inbox), "PENSTOCK_PSEUDONYM_KEY": "a key for tests"}
    arguments = ("--project", str(place / "project"), "--data-dir", str(place / data))
    report = call("run", "--json", *arguments, environment=environment).expect(0).document
    return {dataset["dataset"]: dataset for dataset in report["datasets"]}


def test_a_run_counts_every_row_as_the_truth_does(place: Path) -> None:
    shop = simulate(TINY)
    delivered = soil(shop, cut(shop))
    write(delivered.drops, place / "dirty")

    found = run(place, place / "dirty", "dirty-data")

    known = truth(shop, delivered)["deliveries"]
    assert isinstance(known, dict)
    assert {name: {ours: figures[ours] for ours in FIGURES} for name, figures in found.items()} == {
        name: {ours: figures[theirs] for ours, theirs in FIGURES.items()}
        for name, figures in known.items()
        if figures["lines"]
    }
    assert sum(figures["quarantined"] for figures in found.values()) == 7 * TINY.dirt


def test_silver_is_the_same_when_the_files_come_in_two_runs(place: Path) -> None:
    shop = simulate(replace(TINY, seed=4))
    delivered = soil(shop, cut(shop))
    known = truth(shop, delivered)["silver"]
    inbox, rows = place / "later", Counter[str]()

    for days in (range(22), range(22, TINY.days)):
        for day in days:
            write(delivered.drops, inbox, first=day, last=day)
        for name, figures in run(place, inbox, "later-data").items():
            rows[name] += figures["accepted"] - figures["replaced"]

    assert rows == Counter(known)


def test_no_row_of_a_clean_shop_is_refused(place: Path) -> None:
    shop = simulate(replace(TINY, dirt=0, stores=8, seed=11, cut="all", history=0))
    write(cut(shop), place / "clean")

    found = run(place, place / "clean", "clean-data")

    assert {name: figures["quarantined"] + figures["filtered"] for name, figures in found.items()} == dict.fromkeys(
        found, 0
    )
    assert set(found) == {name for name, table in shop.tables.items() if len(table)}


def test_plain_files_are_taken_as_far_as_they_say_what_a_contract_asks(place: Path) -> None:
    inbox = place / "plain"
    inbox.mkdir()
    for name, text in PLAIN_FILES.items():
        (inbox / name).write_text(text)

    found = run(place, inbox, "plain-data")

    assert {name: (figures["accepted"], figures["quarantined"]) for name, figures in found.items()} == {
        "customers": (2, 0),
        "plain_products": (1, 0),
        "plain_transactions": (2, 0),
        "stream_events": (1, 0),
        "payment_events": (1, 1),
    }
