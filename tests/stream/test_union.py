"""Rows of several steps and topics as those of one: the same rows through any cut, restart and replay."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import DeclarationError
from penstock.stream.outgoing import records
from penstock.stream.picture import picture
from penstock.stream.plan import make_graphs
from penstock.stream.runner import Limits
from penstock.stream.state import StateMismatch
from tests.stream.lending import lending
from tests.stream.recut import recut
from tests.stream.running_topology import START, Desk, Row, final, loan

NUMBERS = """\
  - name: counts
    input: loans_typed
    time: {lateness: PT1H, skew: PT1H, idle: PT5S}
    steps:
      - {name: minutes, window: {size: PT1M, by: [member], aggregates: {loans: count, paid: sum(fee)}}}
      - {name: hours, from: loans_typed, window: {size: PT1H, by: [member], aggregates: {loans: count, paid: sum(fee)}}}
      - {name: windows, union: [minutes]}
      - name: loans
        derive: {measure: "concat('loans ', date_diff('minute', window_start, window_end))", value: "CAST(loans AS DECIMAL(18, 2))"}
      - name: paid
        from: windows
        derive: {measure: "concat('paid ', date_diff('minute', window_start, window_end))", value: "CAST(paid AS DECIMAL(18, 2))"}
      - {name: told, union: [loans]}
    outputs:
      - topic: loan_numbers
        columns: &numbers [member, measure, window_start, value, version, final]
  - name: visits
    input: loans_json
    time: {lateness: PT1H, skew: PT1H, idle: PT5S}
    steps:
      - {name: gaps, window: {gap: PT2M, by: [member], aggregates: {visits: count}}}
      - derive: {measure: "'visits'", value: "CAST(visits AS DECIMAL(18, 2))"}
    outputs:
      - {topic: visit_numbers, columns: [member, measure, window_start, value, version, final]}
  - name: numbers
    input: loan_numbers
    steps:
      - union: [visit_numbers]
    outputs:
      - {live: numbers, key: [member, measure, window_start], columns: *numbers}
  - name: together
    input: loans_typed
    time: {lateness: PT1H, skew: PT1H, idle: PT5S}
    steps:
      - {name: cheap, filter: fee < 3}
      - {name: dear, from: loans_typed, filter: fee > 4}
      - {name: either, union: [cheap]}
      - {window: {size: PT1M, by: [member], aggregates: {loans: count, paid: sum(fee)}}}
    outputs:
      - {live: together, key: [member, window_start]}
  - name: both
    input: loans_typed
    time: {lateness: PT1H, skew: PT1H, idle: PT5S}
    steps:
      - {name: all, union: [loans_json]}
      - {name: hours, window: {size: PT1H, by: [member], aggregates: {loans: count}}}
    outputs:
      - {topic: hours_of_both}
"""
PROJECT = lending(Path(tempfile.mkdtemp()), NUMBERS)
Event = tuple[str, int, int]  # member, minute, fee
HISTORY = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 50), st.integers(0, 9)), min_size=1, max_size=14)


def rows_of(history: Sequence[Event]) -> list[Row]:
    return [
        loan(number, member, fee=f"{fee}.50", at=minute * 60) for number, (member, minute, fee) in enumerate(history)
    ]


def desk_of(name: str, cut: int, like: Desk | None = None) -> Desk:
    """A topology of the project, on the log of another one."""
    desk = Desk(PROJECT, name, limits=replace(Limits(), rows=cut, rounds_per_snapshot=3))
    if like is not None:
        desk.log, desk.clock = like.log, like.clock
    return desk


def settle(desk: Desk, rows: Sequence[Row], cuts: Sequence[int]) -> None:
    """Send rows in batches, each run by a new process, until all is final."""
    for batch in recut(rows, cuts):
        desk.lend(batch)
        desk.finish()
    for _ in range(3):
        desk.clock.sleep(3600)
        desk.finish()


def minute(row: Row) -> int:
    return int((row["window_start"] - START).total_seconds()) // 60


def oracle(history: Sequence[Event]) -> dict[tuple[str, str, int], Decimal]:
    """Loans and what was paid by member, measure with the length of the window, and first minute of it."""
    found: Counter[tuple[str, str, int]] = Counter()
    for member, minute, fee in history:
        for size in (1, 60):
            start = minute // size * size
            found[member, f"loans {size}", start] += 100
            found[member, f"paid {size}", start] += fee * 100 + 50
    return {name: Decimal(value) / 100 for name, value in found.items()}


@settings(max_examples=8)
@given(HISTORY, st.lists(st.integers(0, 20), max_size=3), st.integers(1, 9))
def test_measures_of_several_windows_are_rows_of_one_table_that_follow_their_corrections(
    history: list[Event], cuts: list[int], cut: int
) -> None:
    counts = desk_of("counts", cut)
    settle(counts, rows_of(history), cuts)
    desk_of("visits", cut, like=counts).finish()
    numbers = desk_of("numbers", cut, like=counts)
    numbers.finish()

    told = final(numbers.rows("live.numbers"), "member", "measure", "window_start").values()

    assert {(row["member"], row["measure"], minute(row)): row["value"] for row in told} == oracle(history)
    assert all(row["final"] for row in told)
    assert numbers.replayed(["live.numbers"]) == {"live.numbers": numbers.rows("live.numbers")}


@settings(max_examples=8)
@given(HISTORY, st.lists(st.integers(0, 20), max_size=3), st.integers(1, 9))
def test_a_window_over_both_halves_counts_every_row_once(history: list[Event], cuts: list[int], cut: int) -> None:
    desk = desk_of("together", cut)
    settle(desk, rows_of(history), cuts)

    told = final(desk.rows("live.together"), "member", "window_start").values()

    expected = Counter((member, minute) for member, minute, fee in history if fee + 0.5 < 3 or fee + 0.5 > 4)
    assert {(row["member"], minute(row)): row["loans"] for row in told} == (expected)
    assert desk.replayed(["live.together"]) == {"live.together": desk.rows("live.together")}


def test_what_a_session_takes_back_is_taken_back_of_the_common_table_too() -> None:
    visits = desk_of("visits", 9)
    early, late = (f'{{"loan": "L{n}", "member": "a", "lent": "2020-01-01T00:0{n}:00Z"}}' for n in (1, 2))
    for text in (late, early):  # the earlier one moves the start
        visits.log.append("loans_json", _texts(visits, text), 0)
        visits.finish()
    desk_of("counts", 9, like=visits).finish()
    numbers = desk_of("numbers", 9, like=visits)
    numbers.finish()

    assert [(row["window_start"].minute, row["_deleted"]) for row in numbers.rows("live.numbers")] == [
        (2, False),
        (2, True),
        (1, False),
    ]


def _texts(desk: Desk, text: str) -> pa.RecordBatch:
    (name,) = desk.log.topics()["loans_json"].spec.schema.names
    return records(pa.table({name: pa.array([text.encode()], pa.binary())}), tenant="default")


def test_sources_with_columns_of_other_types_are_refused(tmp_path: Path) -> None:
    topology = """\
  - name: t
    input: loans_typed
    steps:
      - {name: one, derive: {value: fee}}
      - {name: other, from: loans_typed, derive: {value: "1"}}
      - {union: [one]}
    outputs: [{topic: out}]
"""
    with pytest.raises(DeclarationError) as caught:
        make_graphs(lending(tmp_path, topology), lambda _: None)

    (problem,) = caught.value.problems
    assert "`value` of `one` is of another type than that of `other`: expected int32, found decimal128(10, 2)" in str(
        problem
    )


def test_another_source_is_another_topology(tmp_path: Path) -> None:
    desk = desk_of("together", 9)
    settle(desk, rows_of([("a", 1, 1)]), [])
    desk.project = lending(tmp_path, NUMBERS.replace("union: [cheap]", "union: [loans_typed]"))

    with pytest.raises(StateMismatch) as caught, desk.running():
        pass

    assert "`either` changed" in str(caught.value)


def test_a_union_is_told_in_words() -> None:
    lines = list(picture(make_graphs(PROJECT, lambda _: None)["numbers"]))

    assert "union <- loan_numbers, visit_numbers: the rows of all of them" in lines


def test_a_late_row_of_several_topics_is_told_with_its_own() -> None:
    desk = desk_of("both", 100)
    desk.clock.sleep(24 * 3600)
    with desk.running() as runner:
        desk.lend([loan(1, at=5 * 3600)], partition=1)
        runner.turn()
        desk.clock.sleep(6)  # the other partitions are idle
        runner.turn()
        desk.lend([loan(2, at=60)], partition=1)
        desk.lend([as_json(loan(3, at=60))], topic="loans_json")
        runner.turn()

    assert {(row["step"], row["topic"], row["partition"], row["offset"]) for row in desk.rows("both.late")} == {
        ("hours", "loans_typed", 1, 1),
        ("hours", "loans_json", 0, 0),
    }


def as_json(row: Row) -> Row:
    return {"value": json.dumps(row, default=str).encode()}
