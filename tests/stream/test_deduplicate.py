"""Of rows with one key within the horizon the first of the log is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.spec.stream import Deduplicate, EventTime
from penstock.stream.deduplicate import DeduplicateStage
from penstock.stream.key_index import row_keys
from penstock.stream.keyed import KeyedState
from penstock.stream.stage import Moment
from penstock.stream.state import StateMismatch
from penstock.stream.watermark import BEGINNING
from tests.stream.recut import recut

START = datetime(2026, 3, 1, tzinfo=UTC)
SCHEMA = pa.schema([("at", pa.timestamp("us", tz="UTC")), ("loan", pa.string()), ("n", pa.int64())])
HORIZON = timedelta(seconds=10)
SKEW = timedelta(seconds=5)
DAY, TEN_YEARS = 86_400, 315_360_000  # in seconds

Row = tuple[str | None, int]
ROWS = st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 40)), max_size=30)


def stage() -> DeduplicateStage:
    return DeduplicateStage(Deduplicate(("loan",), HORIZON), SCHEMA, "at", EventTime(skew=SKEW))


def at(seconds: int) -> int:
    return int((START + timedelta(seconds=seconds)).timestamp() * 1_000_000)


def table(rows: Sequence[Row], first: int = 0) -> pa.Table:
    listed = [
        {"at": START + timedelta(seconds=seconds), "loan": loan, "n": first + number}
        for number, (loan, seconds) in enumerate(rows)
    ]
    return pa.Table.from_pylist(listed, SCHEMA)


def kept(
    stage: DeduplicateStage, rows: pa.Table, before: int = BEGINNING, after: int = BEGINNING, now: int = 60
) -> list[int]:
    numbers: list[int] = stage.process((rows,), Moment(at(now), before, after)).rows["n"].to_pylist()
    return numbers


def oracle(rows: Sequence[Row]) -> list[int]:
    latest: dict[str, int] = {}
    answer = []
    for number, (loan, seconds) in enumerate(rows):
        if loan is None or loan not in latest or abs(seconds - latest[loan]) > 10:
            answer.append(number)
        if loan is not None:
            latest[loan] = max(seconds, latest.get(loan, seconds))
    return answer


@given(ROWS, st.lists(st.integers(0, 30), max_size=4))
def test_the_first_of_a_key_is_kept_through_any_cut_and_restart(rows: list[Row], cuts: list[int]) -> None:
    one, found, deltas, first = stage(), list[int](), list[bytes](), 0
    for batch in recut(rows, cuts):
        found += kept(one, table(batch, first))
        first += len(batch)
        deltas.append(one.delta())
        one = stage()
        one.restore(None, tuple(deltas))

    assert found == oracle(rows)


def test_keys_are_forgotten_only_when_no_row_can_be_held_against_them() -> None:
    one, many = stage(), [(f"loan {number}", 0) for number in range(3_000)]
    kept(one, table(many))
    kept(one, table([("b", 25)]), at(10), at(20))
    assert one.size() == 3_001

    kept(one, table([("c", 26)]), at(20), at(21))
    restored = stage()
    restored.restore(one.snapshot()(), ())

    assert one.size() == restored.size() == 2
    assert kept(one, table([("c", 30), ("b", 36)])) == kept(restored, table([("c", 30), ("b", 36)])) == [1]


def test_a_row_that_cannot_be_judged_any_more_is_late() -> None:
    made = stage().process((table([("a", 9), ("a", 10)]),), Moment(at(60), at(20), at(20)))

    assert made.rows["n"].to_pylist() == [1]
    assert made.late is not None
    assert made.late["n"].to_pylist() == [0]


def test_a_delta_after_forgetting_replaces_what_was_before() -> None:
    one = stage()
    kept(one, table([(f"loan {number}", 0) for number in range(3_000)]))
    snapshot = one.snapshot()()
    kept(one, table([("c", 26)]), at(20), at(46))
    delta = one.delta()

    restored = stage()
    restored.restore(snapshot, (delta,))

    assert restored.size() == one.size() == 1
    assert len(delta) < 2_000


def earlier(state: KeyedState, loan: str) -> None:
    """One more key, last seen at second 1."""
    slots = state.slots(row_keys(table([(loan, 1)]), ("loan",)))
    for column in state.columns.values():
        column[slots] = at(1)


def test_state_from_before_rows_of_the_future_had_a_time_of_their_own_is_taken_over() -> None:
    one, state = stage(), KeyedState({"latest": np.int64})
    earlier(state, "a")
    snapshot = state.snapshot()()
    earlier(state, "b")
    one.restore(b"w" + snapshot, (b"d" + state.delta(),))

    assert kept(one, table([("a", 5), ("b", 5), ("a", DAY), ("c", 5)])) == [2, 3]


def test_state_with_columns_that_nobody_knows_is_refused() -> None:
    state = KeyedState({"newest": np.int64})
    earlier(state, "a")

    with pytest.raises(StateMismatch, match="another version"):
        stage().restore(b"w" + state.snapshot()(), ())


@pytest.mark.parametrize("ahead", [DAY, TEN_YEARS])
def test_a_row_of_the_future_takes_no_duplicate_for_new(ahead: int) -> None:
    one = stage()
    assert kept(one, table([("a", 1), ("a", ahead), ("a", 2), ("a", ahead + 1), ("b", ahead), ("b", 3), ("b", 4)])) == [
        0, 1, 4, 5,
    ]  # fmt: skip

    restored = stage()
    restored.restore(None, (one.delta(),))

    assert kept(restored, table([("a", 3), ("b", 5), ("a", ahead + 2)])) == []


def test_a_row_that_was_of_the_future_is_known_when_its_time_has_come() -> None:
    one = stage()
    kept(one, table([("a", DAY), ("a", 1)]))

    assert kept(one, table([("a", DAY + 3), ("a", DAY + 20)]), now=DAY + 60) == [1]


@pytest.mark.parametrize("seconds", [65, 66])
def test_the_future_begins_beyond_the_skew(seconds: int) -> None:
    one = stage()
    kept(one, table([("a", 40), ("a", seconds)]))

    assert kept(one, table([("a", 41)])) == ([0] if seconds == 65 else [])
