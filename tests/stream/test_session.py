"""Sessions grow, flow together and end as a walk over the sorted rows says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.spec.stream import Window, WindowKind
from penstock.stream.session import SessionStage
from tests.stream.recut import recut
from tests.stream.test_window import (
    AGGREGATES,
    CUTS,
    HISTORY,
    SCHEMA,
    START,
    Clocked,
    Row,
    aggregated,
    by_window,
    close,
    row,
)

GAP = timedelta(seconds=5)
SESSIONS = Window(WindowKind.SESSION, ("member",), AGGREGATES, gap=GAP)


def clocked() -> Clocked:
    return Clocked(SessionStage(SESSIONS, SCHEMA, "at"))


def oracle(rows: Sequence[Row]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Sessions by start and member."""
    sessions: list[list[Row]] = []
    for one in sorted(rows, key=lambda one: (str(one["member"]), one["at"])):
        last = sessions[-1][-1] if sessions else None
        if last is not None and last["member"] == one["member"] and one["at"] - last["at"] < GAP:
            sessions[-1].append(one)
        else:
            sessions.append([one])
    return {(one[0]["at"], one[0]["member"]): aggregated(one) for one in sessions}


def as_live(told: Sequence[Row]) -> dict[tuple[Any, ...], Row]:
    """The table that somebody keeps who applies each row by its key; versions of a key only grow."""
    table: dict[tuple[Any, ...], Row] = {}
    for one in told:
        key = (one["window_start"], one["member"])
        assert key not in table or table[key]["version"] < one["version"]
        if one["_deleted"]:
            del table[key]
        else:
            table[key] = one
    return table


@settings(max_examples=100)
@given(HISTORY, CUTS, st.randoms(use_true_random=False))
def test_sessions_are_those_of_the_sorted_rows_whatever_the_order_and_the_cut(
    rows: list[Row], cuts: list[int], random: Any
) -> None:
    expected = oracle(rows)
    random.shuffle(rows)
    sessions = clocked()
    for batch in recut(rows, cuts):
        sessions.take(batch)
    assert close(by_window(as_live(sessions.told).values()), expected)

    sessions.take([], until=200)

    finals = [one for one in sessions.finals if not one["_deleted"]]
    assert close(by_window(finals), expected)
    assert by_window(as_live(sessions.told).values()).keys() == expected.keys()
    assert sessions.stage.size() == 0


@settings(max_examples=60)
@given(HISTORY, CUTS, st.lists(st.integers(0, 70), max_size=5))
def test_a_restart_from_snapshot_and_deltas_goes_on_as_if_nothing_had_been(
    rows: list[Row], cuts: list[int], advances: list[int]
) -> None:
    steady, restarted = clocked(), clocked()
    snapshot, deltas = restarted.stage.snapshot()(), list[bytes]()
    for number, batch in enumerate(recut(rows, cuts)):
        until = advances[number] if number < len(advances) else None
        assert repr(restarted.take(batch, until=until)) == repr(steady.take(batch, until=until))
        deltas.append(restarted.stage.delta())
        if number == 1:
            snapshot, deltas = restarted.stage.snapshot()(), []
        restarted.stage = clocked().stage
        restarted.stage.restore(snapshot, tuple(deltas))
    assert repr(restarted.take([], until=200)) == repr(steady.take([], until=200))


def test_a_row_between_two_sessions_takes_back_the_later_and_one_before_moves_the_start() -> None:
    sessions = clocked()
    sessions.take([row(10), row(16)])

    merged = sessions.take([row(13)])
    moved = sessions.take([row(8)])

    def said(told: Sequence[Row]) -> list[tuple[int, int | None, bool]]:
        return [((one["window_start"] - START).seconds, one["rows"], one["_deleted"]) for one in told]

    assert said(merged) == [(16, None, True), (10, 3, False)]
    assert said(moved) == [(10, None, True), (8, 4, False)]


def test_a_row_of_a_session_that_is_final_is_late() -> None:
    """gap 5: the session of a row at 10 is final at 15"""
    sessions = clocked()
    told = sessions.take([row(10)], until=15)

    sessions.take([row(9), row(10.5)], until=15)

    assert [one["final"] for one in told] == [True]
    assert [(one["at"] - START).seconds for one in sessions.late] == [9]
    assert sessions.told[-1]["window_start"] == START + timedelta(seconds=10.5)
