"""Conditions on rows that are corrected: what was told is taken back once a correction lets it no longer hold."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.stream.runner import Limits
from tests.stream.lending import lending
from tests.stream.recut import recut
from tests.stream.running_topology import START, Desk, Row, final, loan

ALERTS = """\
  - name: alerts
    input: loans_typed
    time: {lateness: PT1H, skew: PT1H, idle: PT5S}
    steps:
      - {name: hours, window: {size: PT1H, by: [member], aggregates: {loans: count, usual: mean(fee)}}}
      - {name: dear, filter: usual > 5}
      - {name: rounded, derive: {whole: "CAST(usual AS BIGINT)"}}
      - {name: busy, filter: loans > 1}
      - {name: of_a, filter: "member = 'a'"}
    outputs:
      - {topic: told_by_condition, from: hours, where: usual > 5}
      - {topic: told_by_filter, from: dear}
      - {topic: of_a_alone, from: hours, where: "member = 'a'"}
      - {live: by_condition, from: hours, key: [member, window_start], where: usual > 5}
      - {live: by_filter, from: dear, key: [member, window_start]}
      - {live: by_both, from: busy, key: [member, window_start]}
      - {live: by_three, from: of_a, key: [member, window_start]}
  - name: followers
    input: told_by_filter
    steps: [{filter: loans > 1}]
    outputs: [{live: followed, key: [member, window_start]}]
"""
HOURS = "{window: {size: PT1H, by: [member], aggregates: {n: count}}}"
PROJECT = lending(Path(tempfile.mkdtemp()), ALERTS)
Event = tuple[str, int, int]  # member, minute, fee
HISTORY = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 100), st.integers(0, 11)), min_size=1, max_size=14)


def oracle(history: Sequence[Event], least: int, members: str) -> dict[tuple[str, int], int]:
    """Loans of each member and hour whose mean fee lies above five, where there are at least so many."""
    fees = defaultdict[tuple[str, int], list[int]](list)
    for member, minute, fee in history:
        fees[member, minute // 60].append(fee)
    return {
        key: len(paid)
        for key, paid in fees.items()
        if sum(paid) > 5 * len(paid) and len(paid) >= least and key[0] in members
    }


def stands(rows: Sequence[Row]) -> dict[tuple[str, int], int]:
    """What a reader holds who follows the rows in their order."""
    held = final(rows, "member", "window_start").values()
    return {
        (row["member"], int((row["window_start"] - START).total_seconds()) // 3600): row["loans"]
        for row in held
        if not row["_deleted"]
    }


def settle(desk: Desk, batches: Sequence[Sequence[Row]]) -> None:
    for batch in batches:
        desk.lend(batch)
        desk.finish()
    for _ in range(3):
        desk.clock.sleep(3600)
        desk.finish()


@settings(max_examples=8)
@given(HISTORY, st.lists(st.integers(0, 14), max_size=4), st.integers(1, 9))
def test_what_a_correction_lets_no_longer_hold_is_taken_back(history: list[Event], cuts: list[int], cut: int) -> None:
    rows = [loan(n, member, fee=f"{fee}.00", at=minute * 60) for n, (member, minute, fee) in enumerate(history)]
    desk = Desk(PROJECT, "alerts", limits=replace(Limits(), rows=cut, rounds_per_snapshot=3))
    settle(desk, recut(rows, cuts))
    followers = Desk(PROJECT, "followers", desk.log, desk.clock)
    followers.finish()

    held = {name: stands(desk.rows(name)) for name in ("told_by_condition", "told_by_filter", "live.by_condition")}
    held["live.by_filter"] = stands(desk.rows("live.by_filter"))

    assert held == dict.fromkeys(held, oracle(history, 1, "ab"))
    assert stands(desk.rows("live.by_both")) == oracle(history, 2, "ab")
    assert stands(desk.rows("live.by_three")) == oracle(history, 2, "a")
    assert stands(followers.rows("live.followed")) == oracle(history, 2, "ab")
    assert desk.replayed(["live.by_three"]) == {"live.by_three": desk.rows("live.by_three")}


def test_a_condition_on_what_no_correction_changes_takes_nothing_back() -> None:
    desk = Desk(PROJECT, "alerts")
    settle(desk, [[loan(1, "a"), loan(2, "b")]])

    assert {row["member"] for row in desk.rows("of_a_alone")} == {"a"}
    assert all("_deleted" not in row for row in desk.rows("of_a_alone"))


@pytest.mark.parametrize(
    ("steps", "stays"),
    [
        (HOURS, {"window_start", "window_end", "member"}),
        ("{window: {gap: PT1H, by: [member], aggregates: {n: count}}}", {"window_start", "member"}),
        (
            f"{HOURS}, {{derive: {{day: dayofweek(window_start), odd: n % 2, late: day + 1, both: odd + day}}}}",
            {"window_start", "window_end", "member", "day", "late"},
        ),
        (
            "{join: {with: loans_json, on: {member: member}, tolerance: PT1H, columns: {other: loan}, identity: [loan]}}",
            {"loan", "member", "title", "fee", "lent"},
        ),
        ("{derive: {twice: fee * 2}}", {"loan", "member", "title", "fee", "lent", "twice"}),
    ],
)
def test_which_columns_every_version_of_a_row_has_alike(tmp_path: Path, steps: str, stays: set[str]) -> None:
    topology = f"  - {{name: t, input: loans_typed, steps: [{steps}], outputs: [{{topic: out}}]}}\n"

    assert Desk(lending(tmp_path, topology), "t").graph.nodes[-1].settled == stays
