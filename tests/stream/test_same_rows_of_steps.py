"""De-duplication, temporal joins, look-ups and scores: the same rows through any cut, restart, order and replay.

The oracles look at every pair of rows; they know nothing of rounds, partitions and watermarks.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.spec.project import Project
from penstock.spec.stream import Direction
from penstock.stream.runner import Limits
from tests.stream.lending import lending
from tests.stream.recut import recut
from tests.stream.running_topology import START, Desk, Row, final, loan

JOIN = "with: visits, on: {member: member}, columns: {visit: loan, paid: fee}, identity: [loan], ties: [loan]"
BESIDE = f"""\
  - name: beside
    input: loans_typed
    time: {{lateness: PT10M, skew: PT1H, idle: PT5S}}
    steps:
      - {{name: spaced, deduplicate: {{key: [member], horizon: PT15M}}}}
      - {{name: once, from: loans_typed, deduplicate: {{key: [loan], horizon: PT1H}}}}
      - {{name: known, lookup: {{table: silver.members, on: {{member: id}}, columns: {{town: town}}}}}}
      - {{name: judged, score: {{model: dear, columns: [fee], into: dearness}}}}
      - {{name: lent, from: judged, filter: title = 'loan'}}
      - {{name: visits, from: judged, filter: title = 'visit'}}
      - {{name: backward, from: lent, join: {{{JOIN}, tolerance: PT10M, direction: backward}}}}
      - {{name: forward, from: lent, join: {{{JOIN}, tolerance: PT10M, direction: forward}}}}
      - {{name: nearest, from: lent, join: {{{JOIN}, tolerance: PT10M, direction: nearest}}}}
    outputs:
      - {{topic: rows_spaced, from: spaced}}
      - {{topic: rows_judged, from: judged}}
      - {{topic: rows_backward, from: backward}}
      - {{topic: rows_forward, from: forward}}
      - {{topic: rows_nearest, from: nearest}}
models:
  - {{name: dear, path: scoring/dear.py}}
"""
MODEL = "def score(rows):\n    return rows['fee'].to_numpy() * 2\n"
TOPICS = ("rows_spaced", "rows_judged", *(f"rows_{direction}" for direction in Direction), "beside.late")
MINUTE = timedelta(minutes=1)
FUTURE = 5_000_000  # minutes: some ten years ahead
PARTITIONS = {"a": 0, "b": 1, "c": 0}


def members(**towns: str) -> dict[str, pa.Table]:
    """Who lives where, one of them twice."""
    rows = [{"id": name, "town": town} for name, town in [("a", "zeta"), *towns.items()]]
    return {"silver.members": pa.Table.from_pylist(rows)}


MEMBERS = members(a="alpha", b="beta")

Event = tuple[str, str | None, int, int | None, int]  # member, kind, minute, fee, how many times it is sent
EVENT = st.tuples(
    st.sampled_from("abc"),
    st.sampled_from(["loan", "loan", "visit", "visit", None]),
    st.sampled_from([*range(0, 48, 3), *range(0, 48, 4), *(FUTURE, FUTURE + 4) * 3]),
    st.one_of(st.none(), st.integers(0, 9)),
    st.integers(1, 2),
)
HISTORY = st.lists(EVENT, min_size=1, max_size=16)
CHANCE = st.randoms(use_true_random=False)


def project() -> Project:
    root = Path(tempfile.mkdtemp())
    (root / "scoring").mkdir()
    (root / "scoring" / "dear.py").write_text(MODEL)
    return lending(root, BESIDE)


PROJECT = project()


def rows_of(history: Sequence[Event]) -> list[Row]:
    """What was sent, in the order of time; what was sent twice stands there twice."""
    ordered = sorted(history, key=lambda one: one[2])
    return [
        loan(number, member, title=kind, fee=None if fee is None else f"{fee}.50", at=minute * 60)
        for number, (member, kind, minute, fee, copies) in enumerate(ordered)
        for _ in range(copies)
    ]


def desk_of(cut: int) -> Desk:
    desk = Desk(PROJECT, "beside", limits=replace(Limits(), rows=cut, rounds_per_snapshot=3), tables=MEMBERS)
    desk.clock.sleep(3600)  # later than every honest row
    return desk


def send(desk: Desk, rows: Sequence[Row]) -> None:
    """Append to the partitions of the members."""
    for partition in (0, 1):
        mine = [row for row in rows if PARTITIONS[row["member"]] == partition]
        if mine:
            desk.lend(mine, partition=partition)


def settle(desk: Desk, rows: Sequence[Row], cuts: Sequence[int], restart_every: int) -> None:
    """Send the rows in batches that begin at `cuts`, run by a new process every so many rounds, until all is final."""
    for batch in recut(rows, cuts):
        send(desk, batch)
        waiting = True
        while waiting:
            with desk.running() as runner:
                waiting = all(runner.turn() is not None for _ in range(restart_every))
    desk.clock.sleep(3600)
    desk.finish()


def honest(row: Row, desk: Desk) -> bool:
    return bool(row["lent"] < desk.clock.now() + timedelta(days=1))


def in_some_order(rows: Sequence[Row], desk: Desk, chance: Any) -> list[Row]:
    """Honest rows at most nine minutes after later ones, those of the future anywhere between them."""
    minutes = {id(row): chance.uniform(0, 9) * MINUTE for row in rows}
    since = {id(row): row["lent"] if honest(row, desk) else START + chance.uniform(0, 48) * MINUTE for row in rows}
    return sorted(rows, key=lambda row: since[id(row)] + minutes[id(row)])


def oracle_once(rows: Sequence[Row]) -> dict[str, tuple[str | None, float | None]]:
    """Town and score of everything that was sent."""
    towns = {"a": "alpha", "b": "beta"}
    return {row["loan"]: (towns.get(row["member"]), row["fee"] and float(row["fee"]) * 2) for row in rows}


def oracle_spaced(rows: Sequence[Row], member: str, desk: Desk) -> list[str]:
    """What is left of a member's rows, in the order in which they were sent; rows of the future count for themselves."""
    latest: dict[bool, Any] = {}
    left = []
    for row in rows:
        if row["member"] != member:
            continue
        if all(abs(row["lent"] - one) > 15 * MINUTE for one in latest.values()):
            left.append(row["loan"])
        mine = honest(row, desk)
        latest[mine] = max(row["lent"], latest.get(mine, row["lent"]))
    return left


def oracle_join(rows: Sequence[Row], direction: Direction) -> dict[str, tuple[Any, ...]]:
    """The best visit beside each loan, what was paid there, and how many are in reach."""
    sent = {row["loan"]: row for row in rows}.values()
    found = {}
    for mine in (row for row in sent if row["title"] == "loan"):
        near = [
            row
            for row in sent
            if row["title"] == "visit" and row["member"] == mine["member"]
            if abs(row["lent"] - mine["lent"]) <= 10 * MINUTE
            if direction is not Direction.BACKWARD or row["lent"] <= mine["lent"]
            if direction is not Direction.FORWARD or row["lent"] >= mine["lent"]
        ]
        best = min(near, key=lambda row: (abs(row["lent"] - mine["lent"]), row["lent"], row["loan"]), default={})
        found[mine["loan"]] = (best.get("loan"), best.get("fee"), len(near))
    return found


@settings(max_examples=10)
@given(HISTORY, st.lists(st.integers(0, 32), max_size=4), st.integers(1, 9), st.integers(1, 4), CHANCE)
def test_any_cut_restart_and_order_within_the_lateness_ends_in_the_rows_of_the_oracles(
    history: list[Event], cuts: list[int], cut: int, restart_every: int, chance: Any
) -> None:
    """Every run has another order, so that two runs are equal where both are as the oracle has it."""
    desk = desk_of(cut)
    rows = in_some_order(rows_of(history), desk, chance)

    settle(desk, rows, cuts, restart_every)

    judged = desk.rows("rows_judged")
    assert {row["loan"]: (row["town"], row["dearness"]) for row in judged} == oracle_once(rows)
    assert len(judged) == len(oracle_once(rows))
    for member in PARTITIONS:
        left = [row["loan"] for row in desk.rows("rows_spaced") if row["member"] == member]
        assert left == oracle_spaced(rows, member, desk)
    for direction in Direction:
        told = final(desk.rows(f"rows_{direction}"), "loan").values()
        beside = oracle_join(rows, direction)
        assert {row["loan"]: (row["visit"], row["paid"]) for row in told} == {
            name: (visit, paid) for name, (visit, paid, _) in beside.items()
        }
        assert all(row["final"] == honest(row, desk) for row in told)
        assert all(row["version"] == beside[row["loan"]][2] + 2 for row in told if row["final"])
    assert desk.rows("beside.late") == []


@settings(max_examples=8)
@given(HISTORY, st.integers(1, 9), st.integers(1, 3), CHANCE)
def test_a_replay_takes_the_same_decisions_about_late_rows_and_releases(
    history: list[Event], cut: int, restart_every: int, chance: Any
) -> None:
    """Rows in any order at all, with silence between them, while members move."""
    rows = rows_of(history)
    chance.shuffle(rows)
    desk = desk_of(cut)

    for batch in recut(rows, [chance.randrange(30) for _ in range(6)]):
        send(desk, batch)
        if chance.random() < 0.3:
            desk.release(members(a="alpha", b=chance.choice("xyz"), c="gamma"))
        with desk.running() as runner:
            for _ in range(restart_every):
                runner.turn()
        desk.clock.sleep(chance.choice([0, 6, 900]))
    desk.finish()

    live = {topic: desk.rows(topic) for topic in TOPICS}
    assert desk.replayed(TOPICS) == live


@pytest.mark.parametrize("sent", list(permutations(range(3))))
def test_of_visits_at_one_time_the_lower_counts_whichever_was_sent_first(sent: tuple[int, ...]) -> None:
    rows = [loan(1, "a", title="visit"), loan(2, "a", title="visit"), loan(3, "a", title="loan")]
    desk = desk_of(cut=1)

    settle(desk, [rows[place] for place in sent], [1, 2], restart_every=2)

    for direction in Direction:
        (told,) = final(desk.rows(f"rows_{direction}"), "loan").values()
        assert (told["visit"], told["final"], told["version"]) == ("L1", True, 4)
