"""One definition, the same final rows: any cut into rounds, any restart, any order within the lateness, and replay.

The oracle knows nothing of rounds, watermarks or columns: it is two dictionaries.
"""

from __future__ import annotations

import math
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.spec.project import Project
from penstock.stream.runner import Limits
from tests.stream.lending import lending
from tests.stream.running_topology import START, Desk, Row, final, loan

WATCH = """\
  - name: watch
    input: loans_typed
    time: {lateness: PT10M, skew: PT1H, idle: PT5S}
    steps:
      - {name: fees, running: {key: [member], value: fee, count: earlier, mean: usual, score: oddness, flag: odd, minimum: 2, threshold: 1}}
      - {name: hours, window: {size: PT1H, by: [member], aggregates: {loans: count, paid: sum(fee), dearest: max(fee)}}}
      - {name: halves, from: fees, window: {size: PT1H, slide: PT30M, aggregates: {loans: count, readers: distinct(member)}}}
      - {name: visits, from: fees, window: {gap: PT20M, by: [member], aggregates: {loans: count, paid: sum(fee)}}}
    outputs:
      - {topic: visited, from: visits}
      - {topic: scored, from: fees}
      - {topic: hourly, from: hours}
      - {topic: halfly, from: halves}
"""
MINUTES = 60

events = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 300), st.integers(0, 500)), min_size=1, max_size=40)
cuts = st.integers(1, 9)


def project() -> Project:
    return lending(Path(tempfile.mkdtemp()), WATCH)


PROJECT = project()


def rows_of(history: Sequence[tuple[str, int, int]]) -> list[Row]:
    """Loans in the order of their time."""
    ordered = sorted(history, key=lambda one: one[1])
    return [
        loan(number, member, fee=f"{fee}.25", at=minute * MINUTES)
        for number, (member, minute, fee) in enumerate(ordered)
    ]


def run(rows: Sequence[Row], *, cut: int, restart_every: int = 1000) -> Desk:
    """All rows through the topology, in rounds of `cut`, by a new process every so many rounds, until all is final."""
    desk = Desk(PROJECT, "watch", limits=replace(Limits(), rows=cut, rounds_per_snapshot=4))
    desk.clock.sleep(400 * MINUTES)  # no event lies in the future
    desk.lend(rows)
    unfinished = True
    while unfinished:
        with desk.running() as runner:
            unfinished = all(runner.turn() is not None for _ in range(restart_every))
    desk.clock.sleep(24 * 60 * MINUTES)
    desk.finish()
    return desk


def standing(rows: Sequence[Row]) -> dict[tuple[object, ...], tuple[int, Decimal]]:
    """The sessions that were not taken back."""
    found: dict[tuple[object, ...], tuple[int, Decimal]] = {}
    for row in rows:
        key = (row["member"], row["window_start"])
        found[key] = (row["loans"], row["paid"])
        if row["_deleted"]:
            del found[key]
    return found


def oracle_hours(rows: Sequence[Row]) -> dict[tuple[object, ...], tuple[int, Decimal, Decimal]]:
    fees: dict[tuple[object, ...], list[Decimal]] = defaultdict(list)
    for row in rows:
        hour = START + timedelta(hours=(row["lent"] - START) // timedelta(hours=1))
        fees[row["member"], hour].append(row["fee"])
    return {key: (len(paid), sum(paid, Decimal(0)), max(paid)) for key, paid in fees.items()}


def oracle_halves(rows: Sequence[Row]) -> dict[tuple[object, ...], tuple[int, int]]:
    readers: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for row in rows:
        half = (row["lent"] - START) // timedelta(minutes=30)
        for start in (half - 1, half):
            readers[(START + timedelta(minutes=30 * start),)].append(row["member"])
    return {key: (len(found), len(set(found))) for key, found in readers.items()}


def oracle_visits(rows: Sequence[Row]) -> dict[tuple[object, ...], tuple[int, Decimal]]:
    """Loans of a member that follow each other by less than twenty minutes."""
    found: dict[tuple[object, ...], list[Row]] = {}
    last: dict[str, tuple[object, ...]] = {}
    for row in sorted(rows, key=lambda one: one["lent"]):
        member, key = row["member"], last.get(row["member"])
        if key is None or row["lent"] - found[key][-1]["lent"] >= timedelta(minutes=20):
            key = last[member] = (member, row["lent"])
            found[key] = []
        found[key].append(row)
    return {key: (len(visit), sum((one["fee"] for one in visit), Decimal(0))) for key, visit in found.items()}


def oracle_scores(rows: Sequence[Row]) -> list[tuple[int, float | None, float | None]]:
    """Count, mean and score before each row, by the definition of mean and standard deviation."""
    before: dict[str, list[float]] = defaultdict(list)
    found = []
    for row in rows:
        earlier = before[row["member"]]
        mean = None if not earlier else math.fsum(earlier) / len(earlier)
        score = None
        if mean is not None and len(earlier) >= 2:
            spread = math.sqrt(math.fsum((one - mean) ** 2 for one in earlier) / (len(earlier) - 1))
            score = (float(row["fee"]) - mean) / spread if spread > 0 else None
        found.append((len(earlier), mean, score))
        earlier.append(float(row["fee"]))
    return found


@settings(max_examples=15, deadline=None)
@given(events, cuts, st.integers(1, 4))
def test_windows_and_statistics_are_those_of_plain_dictionaries(
    history: list[tuple[str, int, int]], cut: int, restart_every: int
) -> None:
    rows = rows_of(history)

    desk = run(rows, cut=cut, restart_every=restart_every)

    hours = final(desk.rows("hourly"), "member", "window_start")
    assert {key: (row["loans"], row["paid"], row["dearest"]) for key, row in hours.items()} == oracle_hours(rows)
    halves = final(desk.rows("halfly"), "window_start")
    assert {key: (row["loans"], row["readers"]) for key, row in halves.items()} == oracle_halves(rows)
    assert all(row["final"] for row in [*hours.values(), *halves.values()])
    assert standing(desk.rows("visited")) == oracle_visits(rows)
    for row, (count, mean, score) in zip(desk.rows("scored"), oracle_scores(rows), strict=True):
        assert row["earlier"] == count
        assert (row["usual"] is None) == (mean is None)
        assert mean is None or math.isclose(row["usual"], mean, rel_tol=1e-9)
        assert (row["oddness"] is None) == (score is None)
        assert score is None or math.isclose(row["oddness"], score, rel_tol=1e-6, abs_tol=1e-9)


@settings(max_examples=8, deadline=None)
@given(events, cuts, st.integers(1, 4), st.randoms(use_true_random=False))
def test_any_order_within_the_lateness_ends_in_the_same_rows(
    history: list[tuple[str, int, int]], cut: int, restart_every: int, chance: Any
) -> None:
    rows = rows_of(history)
    shuffled = sorted(rows, key=lambda row: row["lent"] + timedelta(minutes=chance.uniform(0, 9)))

    here, there = run(rows, cut=cut), run(shuffled, cut=5, restart_every=restart_every)

    for topic, key in (("hourly", ("member", "window_start")), ("halfly", ("window_start",))):
        assert final(here.rows(topic), *key) == final(there.rows(topic), *key)
    assert standing(here.rows("visited")) == standing(there.rows("visited")) == oracle_visits(rows)
    assert there.rows("watch.late") == []


@pytest.mark.parametrize("days", [1, 3650])
def test_one_event_of_the_future_makes_no_honest_row_late(days: int) -> None:
    rows = [loan(1, at=0), loan(2, at=days * 24 * 3600), *(loan(number, at=number) for number in range(3, 9))]

    desk = run(rows, cut=1)

    assert desk.rows("watch.late") == []


def test_a_row_behind_the_watermark_is_told_and_changes_nothing() -> None:
    desk = Desk(PROJECT, "watch")
    desk.clock.sleep(400 * MINUTES)
    with desk.running() as runner:
        desk.lend([loan(1, at=0), loan(2, at=5 * 3600)])
        runner.turn()
        desk.clock.sleep(6)  # the other partition is idle
        runner.turn()
        desk.lend([loan(3, at=60)])
        runner.turn()

    hours = final(desk.rows("hourly"), "member", "window_start")
    assert [row["loans"] for row in hours.values()] == [1, 1]
    assert {(row["step"], row["topic"], row["partition"], row["offset"]) for row in desk.rows("watch.late")} == {
        ("hours", "loans_typed", 0, 2),
        ("halves", "loans_typed", 0, 2),
        ("visits", "loans_typed", 0, 2),
    }


@settings(max_examples=10, deadline=None)
@given(events, cuts, st.integers(1, 4), st.randoms(use_true_random=False))
def test_a_replay_takes_the_same_decisions(
    history: list[tuple[str, int, int]], cut: int, restart_every: int, chance: Any
) -> None:
    """Rows in any order at all, so that some are late."""
    desk = Desk(PROJECT, "watch", limits=replace(Limits(), rows=cut))
    desk.clock.sleep(400 * MINUTES)
    rows = rows_of(history)
    chance.shuffle(rows)
    for row in rows:
        desk.lend([row], partition=chance.randrange(2))
        desk.clock.sleep(chance.choice([0, 6, 900]))
        with desk.running() as runner:
            for _ in range(restart_every):
                runner.turn()

    live = {topic: desk.rows(topic) for topic in ("scored", "hourly", "halfly", "visited", "watch.late")}

    assert desk.replayed(live) == live


@pytest.mark.parametrize("restart_every", [1, 100])
def test_windows_that_end_together_are_all_final_though_nothing_comes_any_more(
    restart_every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.stream.window._ALONE", 500)
    desk, count = Desk(PROJECT, "watch"), 1300
    desk.clock.sleep(MINUTES)
    desk.lend([loan(number, f"m{number}", at=number / 100) for number in range(count)])
    rounds = []
    for days in (0, 1):
        desk.clock.sleep(days * 24 * 60 * MINUTES)
        unfinished = True
        while unfinished:
            with desk.running() as runner:
                taken = [runner.turn() for _ in range(restart_every)]
            unfinished = taken[-1] is not None
            rounds += [one for one in taken if one is not None]

    finals = [row["member"] for row in desk.rows("hourly") if row["final"]]
    assert sorted(finals) == sorted(f"m{number}" for number in range(count))
    assert len(rounds) == 1 + 3
    live = {topic: desk.rows(topic) for topic in ("hourly", "halfly", "visited")}
    assert desk.replayed(live) == live
