"""The live shop: the same events whatever the batches, each in the log once, and the truth about them."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator.live.cast import Cast
from simulator.live.draws import Draws
from simulator.live.feed import Feed, feed
from simulator.live.happening import World
from simulator.live.journal import Journal, LostTruth, OtherShop
from simulator.live.rows import TOPICS, rows_of
from simulator.live.schedule import Schedule, Start
from simulator.options import Options
from simulator.shop import Shop, simulate

from penstock.log.embedded import EmbeddedLog
from penstock.log.protocol import beginning
from penstock.spec.loading import load_project
from penstock.spec.project import Project
from penstock.testing.world import ManualClock
from penstock.world import real_world
from tests.commerce.looked_up import TABLES
from tests.one_process import COMMERCE
from tests.stream.running_topology import Desk

OPTIONS = Options(customers=200, products=60, orders=1_000, days=60)
START = Schedule([Start(0, 0, 1_700_000_000_000_000, 1_000, 500)])
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
Appending = Callable[[Feed], None]


@pytest.fixture(scope="module")
def shop() -> Shop:
    return simulate(OPTIONS)


@pytest.fixture(scope="module")
def world() -> World:
    return World(Cast.of(OPTIONS), Draws(OPTIONS.seed), OPTIONS.seed, dirt=20)


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(COMMERCE, environment={})


@pytest.fixture
def street(tmp_path: Path, world: World, project: Project) -> Street:
    return Street(tmp_path, world, project)


class Street:
    """A log and a journal in a folder, before which simulators come and go."""

    def __init__(self, folder: Path, world: World, project: Project) -> None:
        self.folder, self.world, self.project = folder, world, project
        self.clock = ManualClock(NOON)

    def run(self, appending: Appending) -> None:
        outside = replace(real_world(), clock=self.clock)
        with (
            Journal.open(self.folder / "truth.jsonl", {"seed": 1}) as journal,
            EmbeddedLog.open(self.folder / "log", outside) as log,
            feed(self.project, log, self.world, journal, self.clock, lambda: False) as one,
        ):
            appending(one)

    def rows(self, topic: str) -> list[dict[str, Any]]:
        with EmbeddedLog.open(self.folder / "log", real_world()) as log:
            reader, found = log.reader(beginning(log, topic)), []
            while chunks := reader.poll(100_000, 0.0):
                found += [row for chunk in chunks for row in chunk.records.to_pylist()]
            reader.close()
        return found

    def truth(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "truth.jsonl").read_text().splitlines()]


def joined(world: World, cuts: list[int]) -> dict[str, pa.Table]:
    parts = [rows_of(world, START, first, after).topics for first, after in itertools.pairwise(cuts)]
    return {topic: pa.concat_tables([part[topic] for part in parts]) for topic in TOPICS}


@given(st.lists(st.integers(1, 2_999), max_size=6, unique=True))
@settings(max_examples=8, deadline=None)
def test_the_events_are_the_same_in_batches_of_any_size(world: World, cuts: list[int]) -> None:
    assert joined(world, [0, *sorted(cuts), 3_000]) == joined(world, [0, 3_000])


def test_another_seed_gives_other_events(world: World) -> None:
    other = World(world.cast, Draws(2), 2)
    ours, theirs = (set(rows_of(one, START, 0, 500).topics["transactions"]["payment_id"]) for one in (world, other))
    assert ours.isdisjoint(theirs)


def test_a_payment_is_named_by_the_sha_256_of_seed_and_number(world: World) -> None:
    found = rows_of(world, START, 0, 500).topics["transactions"]["payment_id"].to_pylist()

    made = [sha256(f"transaction {world.seed} {number}".encode()).hexdigest() for number in range(500)]

    assert len(found) > 400
    assert set(found) <= set(made)


def test_payments_and_orders_are_those_of_customers_and_variants_of_the_simulated_shop(
    world: World, shop: Shop
) -> None:
    topics = rows_of(world, START, 0, 20_000).topics
    customers, variants = shop.tables["customers"], shop.tables["variants"]
    known = _pairs(customers.arrow(slice(None)), "store_id", "customer_id")
    sold = _pairs(variants.arrow(slice(None)), "store_id", "variant_id", "product_id")
    assert _pairs(topics["transactions"], "store_id", "user_id") <= known
    assert _pairs(topics["orders_live"], "store_id", "customer_id") <= known
    assert _pairs(topics["order_lines_live"], "store_id", "variant_id", "product_id") <= sold


def test_an_order_is_paid_with_what_its_lines_cost_and_belongs_to_a_session(world: World) -> None:
    topics = {name: table.to_pylist() for name, table in rows_of(world, START, 0, 20_000).topics.items()}
    lines: Counter[str] = Counter()
    for line in topics["order_lines_live"]:
        lines[line["order_id"]] += line["list_price"] * line["quantity"]
    paid = {row["order_id"]: row["amount"] for row in topics["transactions"] if row["order_id"] and row["fee"]}
    bought = [row for row in topics["customer_events"] if row["event_type"] == "purchase"]
    orders = {row["order_id"]: row for row in topics["orders_live"] if row["status"] == "placed"}
    assert len(paid) > 100
    assert all(lines[order] == amount for order, amount in paid.items())
    assert all(orders[f"L{row['session_id'][2:]}"]["customer_id"] == row["user_id"] for row in bought)


def test_what_is_cancelled_or_given_back_tells_what_its_order_said(world: World) -> None:
    topics = {name: table.to_pylist() for name, table in rows_of(world, START, 0, 100_000).topics.items()}
    lines = {(row["order_id"], row["line_no"]): row for row in topics["order_lines_live"]}
    cancelled = [row for row in topics["order_events_live"] if row["event_type"] == "cancelled"]
    for row in [*cancelled, *({**one, "line_no": one["order_line_no"]} for one in topics["refunds_live"])]:
        line = lines[row["order_id"], row["line_no"]]
        of_order = (row["order_currency"], row["order_placed_at"], row["order_is_test"])
        assert of_order == (line["currency"], line["placed_at"], line["is_test"])
        assert row.get("ordered_quantity", line["quantity"]) == line["quantity"]
        assert row.get("ordered_gross", row.get("amount")) == line["list_price"] * line["quantity"]
    assert len(cancelled) > 10
    assert len(topics["refunds_live"]) > 10


def test_every_event_of_a_session_tells_the_same_of_it_and_machines_buy_nothing(world: World) -> None:
    sessions: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(world, START, 0, 40_000).topics["customer_events"].to_pylist():
        sessions.setdefault(row["session_id"], []).append(row)
    told = ("store_id", "session_started_at", "is_bot", "is_staff")
    assert all(len({tuple(row[name] for name in told) for row in rows}) == 1 for rows in sessions.values())
    assert all(
        row["session_started_at"] == min(one["occurred_at"] for one in rows)
        for rows in sessions.values()
        for row in rows
    )
    bots = [rows for rows in sessions.values() if rows[0]["is_bot"]]
    assert len(bots) > 10
    assert not any(row["event_type"] == "purchase" or row["user_id"] for rows in bots for row in rows)


def test_every_pattern_of_fraud_is_labelled(world: World) -> None:
    labels = [label for label in rows_of(world, START, 0, 100_000).labels if "fraud" in label]
    episodes: dict[Any, list[dict[str, Any]]] = {}
    for label in labels:
        episodes.setdefault((label["fraud"], label["episode"], label["user_id"]), []).append(dict(label))
    by_pattern = {pattern: rows for (pattern, _, _), rows in episodes.items()}
    assert {pattern: len(rows) for pattern, rows in by_pattern.items()} == {
        "small_then_huge": 13,
        "burst": 6,
        "impossible_travel": 2,
    }
    amounts = [Decimal(row["amount"]) for row in by_pattern["small_then_huge"]]
    assert amounts[-1] > 1_000 * max(amounts[:-1])


def test_the_huge_payment_of_a_fraud_is_an_anomaly_of_its_user(world: World, project: Project) -> None:
    zones = pa.repeat("UTC", len(world.cast.store_ids))
    stores = {"store_id": world.cast.store_ids, "base_currency": world.cast.currencies, "timezone": zones}
    desk = Desk(project, "payments_live", tables={**TABLES, "silver.stores": pa.table(stores)})
    rows = rows_of(world, Schedule([Start(0, 0, 1_577_836_800_000_000, 1_000, 500)]), 0, 2_400)
    desk.lend(rows.topics["transactions"].to_pylist(), topic="transactions")
    desk.finish()
    *_, huge = [label for label in rows.labels if label.get("fraud") == "small_then_huge"]
    assert huge["payment_id"] in {row["payment_id"] for row in desk.rows("live.recent_anomalies")}


def test_the_truth_is_what_a_reader_of_the_topics_counts(street: Street) -> None:
    street.run(lambda one: one.flat_out(12_000))
    rows = {topic: street.rows(topic) for topic in TOPICS}
    told = street.truth()
    batches, dirt = [one for one in told if "batch" in one], Counter(one["dirt"] for one in told if "dirt" in one)
    payments = rows["transactions"]
    assert {topic: sum(one["rows"][topic] for one in batches) for topic in TOPICS} == {
        topic: len(found) for topic, found in rows.items()
    }
    assert sum(map(len, rows.values())) == 12_000
    assert dirt["duplicate"] == len(payments) - len({row["payment_id"] for row in payments}) > 0
    assert dirt["malformed"] == sum(row["payment_method"] == "cheque" for row in payments) > 0
    assert dirt["late"] == sum(row["occurred_at"] < NOON - timedelta(seconds=100) for row in payments) > 0


def test_events_are_dated_when_they_were_due_and_appended_when_they_have_happened(street: Street) -> None:
    street.run(lambda one: one.paced(1_000, most=3_000, seconds=0.1))
    events = sorted(row["occurred_at"] for row in street.rows("customer_events"))
    assert events[0] == NOON
    assert events[-1] < street.clock.now() < NOON + timedelta(seconds=3.2)


@pytest.mark.parametrize("topic", range(len(TOPICS)))
def test_a_simulator_that_was_killed_between_two_topics_goes_on_without_loss_or_repetition(
    street: Street, world: World, topic: int
) -> None:
    with pytest.raises(Killed):
        street.run(lambda one: _killed(one, TOPICS[topic], after=4))
    street.clock.sleep(3_600)
    street.run(lambda one: one.paced(1_000, most=2_000, seconds=0.1))
    street.run(lambda one: one.flat_out(5_000))

    total = sum(one["after"] - one["first"] for one in street.truth() if "batch" in one)
    expected = rows_of(world, START, 0, total).topics
    for name, key in (("transactions", "payment_id"), ("customer_events", "event_id"), ("orders_live", "order_id")):
        assert Counter(row[key] for row in street.rows(name)) == Counter(expected[name][key].to_pylist())


def test_topics_whose_truth_is_gone_are_not_gone_on_with(street: Street) -> None:
    street.run(lambda one: one.flat_out(500))
    (street.folder / "truth.jsonl").unlink()
    with pytest.raises(LostTruth):
        street.run(lambda one: one.flat_out(500))


def test_a_journal_of_another_shop_is_refused_and_a_torn_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    with Journal.open(path, {"seed": 1}):
        whole = path.read_bytes()
    path.write_bytes(whole + b'{"fraud": "burst"}\n{"batch": 0, "fir')
    with pytest.raises(OtherShop), Journal.open(path, {"seed": 2}):
        pass
    with Journal.open(path, {"seed": 1}):
        assert path.read_bytes() == whole


class Killed(Exception):
    """Stands for a kill."""


def _killed(one: Feed, topic: str, *, after: int) -> None:
    """Append `after` batches, then die before `topic` of the next."""
    outlet = one.outlets[topic]
    append, appended = outlet.append, iter(range(after))

    def dying(rows: pa.Table, batch: int) -> None:
        if next(appended, None) is None:
            raise Killed
        append(rows, batch)

    outlet.append = dying  # type: ignore[method-assign]
    one.paced(1_000, most=None, seconds=0.1)


def _pairs(table: pa.Table, *columns: str) -> set[tuple[Any, ...]]:
    return set(zip(*(table[name].to_pylist() for name in columns), strict=True))
