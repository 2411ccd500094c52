"""A temporal join finds what a look at every pair finds, whatever the order, the cut and the restarts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.spec.stream import Direction, Join
from penstock.stream import time_runs
from penstock.stream.join import JoinStage
from penstock.stream.schema import SYSTEM
from penstock.stream.stage import Moment
from penstock.stream.watermark import BEGINNING
from tests.stream.recut import recut

START = datetime(2026, 3, 1, tzinfo=UTC)
AT = pa.timestamp("us", tz="UTC")
LOANS = pa.schema([("loan", pa.int64()), ("member", pa.string()), ("lent", AT)])
VISITS = pa.schema([("visit", pa.string()), ("who", pa.string()), ("came", AT), ("desk", pa.string())])
EVERYWHERE = tuple(Direction)

Event = tuple[str, str | None, int, str]  # side (or id of a visit), member, second, desk
EVENT = st.tuples(
    st.sampled_from(["loan", "v1", "v2", "v3"]),
    st.sampled_from(["ada", "bob", None]),
    st.integers(0, 30),
    st.sampled_from(["a", "b"]),
)
HISTORY = st.lists(EVENT, max_size=25)
CUTS = st.lists(st.integers(0, 25), max_size=5)


def stage(direction: Direction = Direction.NEAREST, tolerance: int = 5) -> JoinStage:
    join = Join(
        "visits", (("member", "who"),), timedelta(seconds=tolerance), direction,
        columns=(("visit", "visit"), ("at_desk", "desk")), identity=("loan",), ties=("visit",),
    )  # fmt: skip
    return JoinStage(join, LOANS, VISITS, time="lent", other_time="came")


def at(seconds: int) -> int:
    return int((START + timedelta(seconds=seconds)).timestamp() * 1_000_000)


def sides(events: Sequence[tuple[int, Event]]) -> tuple[pa.Table, pa.Table]:
    """The events as rows of both sides; a loan has its number in the history as its id."""
    loans, visits = [], []
    for number, (name, member, second, desk) in events:
        moment = START + timedelta(seconds=second)
        where = {"_partition": 0, "_offset": number}
        if name == "loan":
            loans.append({**where, "loan": number, "member": member, "lent": moment})
        else:
            visits.append({**where, "visit": name, "who": member, "came": moment, "desk": desk})
    tables = ((loans, LOANS), (visits, VISITS))
    left, right = (pa.Table.from_pylist(rows, pa.schema([*SYSTEM, *schema])) for rows, schema in tables)
    return left, right


def oracle(history: Sequence[Event], direction: Direction) -> dict[int, tuple[Any, ...]]:
    """For each loan the best visit and how many are in reach."""
    answer = {}
    for number, (name, member, second, _) in enumerate(history):
        if name != "loan":
            continue
        near = [
            (abs(came - second), came, visit, desk)
            for visit, who, came, desk in history
            if visit != "loan" and member is not None and who == member and abs(came - second) <= 5
            and (direction is not Direction.BACKWARD or came <= second)
            and (direction is not Direction.FORWARD or came >= second)
        ]  # fmt: skip
        best = min(near, default=(None, None, None, None))
        answer[number] = (best[2], best[3], len(near))
    return answer


class Clocked:
    """A join with a watermark behind everything that comes, until it is moved."""

    def __init__(self, stage: JoinStage) -> None:
        self.stage, self.watermark, self.told, self.late = stage, BEGINNING, list[dict[str, Any]](), list[int]()

    def take(self, events: Sequence[tuple[int, Event]], *, until: int | None = None) -> list[dict[str, Any]]:
        after = self.watermark if until is None else max(self.watermark, at(until))
        made = self.stage.process(sides(events), Moment(0, self.watermark, after))
        self.watermark = after
        self.late += [] if made.late is None else made.late["_offset"].to_pylist()
        told: list[dict[str, Any]] = made.rows.to_pylist()
        self.told += told
        return told

    def finals(self) -> dict[int, tuple[Any, ...]]:
        rows = [row for row in self.told if row["final"]]
        assert len({row["loan"] for row in rows}) == len(rows)
        return {row["loan"]: (row["visit"], row["at_desk"], row["version"] - 2) for row in rows}


@pytest.mark.parametrize("largest", [1, 1000], ids=["many runs", "few runs"])
@pytest.mark.parametrize("direction", EVERYWHERE)
def test_final_rows_are_those_of_a_look_at_every_pair_in_any_order_and_cut(
    direction: Direction, largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_runs, "_LARGEST", largest)

    @settings(max_examples=80)
    @given(HISTORY, CUTS, st.randoms(use_true_random=False))
    def holds(history: list[Event], cuts: list[int], random: Any) -> None:
        numbered = list(enumerate(history))
        random.shuffle(numbered)
        clocked = Clocked(stage(direction))
        for batch in recut(numbered, cuts):
            clocked.take(batch)
        provisional = {row["loan"]: (row["visit"], row["at_desk"]) for row in clocked.told}
        clocked.take([], until=100)
        assert clocked.finals() == oracle(history, direction)
        assert provisional == {loan: found[:2] for loan, found in clocked.finals().items()}
        assert clocked.stage.size() == 0

    holds()


@pytest.mark.parametrize("direction", EVERYWHERE)
def test_a_watermark_on_the_way_and_restarts_change_nothing(direction: Direction) -> None:
    @settings(max_examples=60)
    @given(HISTORY, CUTS)
    def holds(history: list[Event], cuts: list[int]) -> None:
        history = sorted(history, key=lambda event: event[2])
        steady, restarted = Clocked(stage(direction)), Clocked(stage(direction))
        snapshot, deltas = restarted.stage.snapshot()(), list[bytes]()
        for number, batch in enumerate(recut(list(enumerate(history)), cuts)):
            until = max((event[2] for _, event in batch), default=0)
            assert restarted.take(batch, until=until) == steady.take(batch, until=until)
            deltas.append(restarted.stage.delta())
            if number == 1:
                snapshot, deltas = restarted.stage.snapshot()(), []
            restarted.stage = stage(direction)
            restarted.stage.restore(snapshot, tuple(deltas))
        assert restarted.take([], until=100) == steady.take([], until=100)
        assert steady.finals() == oracle(history, direction)
        assert steady.late == restarted.late == []

    holds()


def loan(number: int, second: int) -> tuple[int, Event]:
    return number, ("loan", "ada", second, "")


def visit(number: int, name: str, second: int, desk: str = "a") -> tuple[int, Event]:
    return number, (name, "ada", second, desk)


def test_a_row_is_told_at_once_corrected_by_a_better_match_and_final_behind_the_watermark() -> None:
    clocked = Clocked(stage())

    told = [
        *clocked.take([loan(0, 10)]),
        *clocked.take([visit(1, "v9", 14)]),
        *clocked.take([visit(2, "v2", 13)]),
        *clocked.take([visit(3, "v3", 6)]),
        *clocked.take([], until=16),
    ]

    assert [(row["visit"], row["version"], row["final"]) for row in told] == [
        (None, 1, False),
        ("v9", 2, False),
        ("v2", 3, False),
        ("v2", 5, True),
    ]


@pytest.mark.parametrize(
    ("visits", "best"),
    [
        ([("v2", 8), ("v1", 12)], "v2"),  # as near: the earlier
        ([("v2", 12), ("v1", 12)], "v1"),  # at one time: the lower
        ([("v2", 10), ("v1", 9)], "v2"),
        ([("v1", 4), ("v1", 16)], None),
        ([("v1", 5)], "v1"),  # the tolerance counts
    ],
)
def test_ties_go_to_the_earlier_then_to_the_lower(visits: list[tuple[str, int]], best: str | None) -> None:
    events = [visit(number + 1, name, second) for number, (name, second) in enumerate(visits)]
    together, apart = Clocked(stage()), Clocked(stage())

    together.take([*events, loan(0, 10)], until=60)
    for event in [*reversed(events), loan(0, 10)]:
        apart.take([event])
    apart.take([], until=60)

    assert together.finals()[0][0] == apart.finals()[0][0] == best


@pytest.mark.parametrize("direction", EVERYWHERE)
def test_without_tolerance_only_rows_of_the_same_time_match(direction: Direction) -> None:
    clocked = Clocked(stage(direction, tolerance=0))

    clocked.take([visit(1, "v2", 9), visit(2, "v1", 10), visit(3, "v3", 11), loan(0, 10)], until=60)

    assert clocked.finals()[0] == ("v1", "a", 1)


def test_rows_that_nothing_can_become_of_are_late() -> None:
    clocked = Clocked(stage(Direction.BACKWARD))
    clocked.take([], until=20)

    clocked.take([loan(0, 19), loan(1, 20), visit(2, "v1", 14), visit(3, "v2", 15)])

    assert sorted(clocked.late) == [0, 2]
    assert clocked.take([], until=21)[0]["visit"] == "v2"


def test_keys_without_rows_are_forgotten_and_the_others_go_on() -> None:
    """one member comes all the time, three thousand others once"""
    clocked = Clocked(stage())
    for second in range(300):
        strangers = [(-1, ("loan", f"member {second} {n}", second, "")) for n in range(10)]
        clocked.take([visit(1, "v1", second), loan(second, second), *strangers], until=second - 3)
    clocked.take([], until=400)

    assert len(clocked.stage._keys) < 1_100
    ours = [row for row in clocked.told if row["final"] and row["member"] == "ada"]
    assert [row["visit"] for row in ours] == ["v1"] * 300
    assert {row["version"] for row in ours[5:-5]} == {13}


def test_many_small_batches_make_few_runs_and_old_rows_go() -> None:
    clocked = Clocked(stage())
    for second in range(200):
        batch = [visit(second * 10 + n, f"v{n}", second) for n in range(5)] + [loan(second * 10 + 9, second)]
        clocked.take(batch, until=second - 3)

    assert len(clocked.stage._others.runs) <= 4
    assert clocked.stage.size() < 400
    assert clocked.finals()[1009] == ("v0", "a", 55)
