"""Running statistics are those of the earlier rows of the key, exactly, and the same bits however the rows are cut."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.spec.stream import Running
from penstock.stream.running import RunningStage
from penstock.stream.stage import Moment
from tests.stream.recut import recut

MONEY, NUMBER = pa.decimal128(20, 2), pa.float64()
STATISTICS = Running(("member",), "fee", "n", "mean", "deviation", "score", "flag", minimum=3, threshold="2")
ALL_AT_ONCE = Moment(0, 0, 0)

Row = tuple[str | None, Decimal | float | None]
Told = tuple[int | None, float | None, float | None, float | None, bool]
MEMBERS = st.sampled_from(["ada", "bob", None])
FEES = st.one_of(
    st.none(),
    st.decimals(-100, 100, places=2),
    st.sampled_from([Decimal("90000000000000.00"), Decimal("999999999999999999.99"), Decimal("7.00")]),
)
FLOATS = st.one_of(st.none(), st.floats(-1e6, 1e6), st.sampled_from([math.nan, math.inf, -math.inf, 1e300, 7.0]))


def stage_of(kind: pa.DataType) -> RunningStage:
    return RunningStage(STATISTICS, schema(kind))


def schema(kind: pa.DataType) -> pa.Schema:
    return pa.schema([("member", pa.string()), ("fee", kind)])


def told(stage: RunningStage, rows: Sequence[Row], kind: pa.DataType) -> list[Told]:
    names = ("n", "mean", "deviation", "score", "flag")
    table = pa.Table.from_pylist([{"member": member, "fee": fee} for member, fee in rows], schema(kind))
    made = stage.process((table,), ALL_AT_ONCE).rows.to_pylist()
    return [tuple(row[name] for name in names) for row in made]


def oracle(rows: Sequence[Row], *, bound: Fraction) -> list[Told]:
    """Python fractions over lists of all earlier values."""
    seen: dict[str, list[Fraction]] = {}
    answers: list[Told] = []
    for member, fee in rows:
        if member is None:
            answers.append((None, None, None, None, False))
            continue
        past = seen.setdefault(member, [])
        mean = sum(past, Fraction(0)) / len(past) if past else None
        variance = sum((one - mean) ** 2 for one in past) / (len(past) - 1) if mean is not None and past[1:] else None
        exact = Fraction(fee) if fee is not None and math.isfinite(fee) else None
        counted = exact if exact is not None and abs(exact) < bound else None
        score = None
        if counted is not None and mean is not None and variance and len(past) >= 3:
            score = float(counted - mean) / math.sqrt(variance)
        deviation = None if variance is None else math.sqrt(variance)
        answers.append(
            (len(past), None if mean is None else float(mean), deviation, score, score is not None and score > 2)
        )
        if counted is not None:
            past.append(counted)
    return answers


def agree(found: Sequence[Told], expected: Sequence[Told], *, relative: float) -> bool:
    def close(a: object, b: object) -> bool:
        if a is None or b is None:
            return a is b
        return math.isclose(a, b, rel_tol=relative, abs_tol=1e-9)  # type: ignore[arg-type]

    return len(found) == len(expected) and all(
        all(map(close, one[:4], other[:4])) and one[4] == other[4] for one, other in zip(found, expected, strict=True)
    )


@given(st.lists(st.tuples(MEMBERS, FEES), max_size=40))
def test_money_has_the_statistics_of_exact_fractions(rows: list[Row]) -> None:
    found = told(stage_of(MONEY), rows, MONEY)

    assert agree(found, oracle(rows, bound=Fraction(1 << 50, 100)), relative=1e-12)


@given(st.lists(st.tuples(MEMBERS, FLOATS.filter(lambda x: x is None or not 0 < abs(x) < 1e-3)), max_size=40))
def test_floats_have_the_statistics_of_exact_fractions_nearly(rows: list[Row]) -> None:
    found = told(stage_of(NUMBER), rows, NUMBER)
    expected = oracle(rows, bound=Fraction(10**150))

    assert [one[0] for one in found] == [one[0] for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert (one[1] is None) == (other[1] is None)
        assert one[1] is None or math.isclose(one[1], other[1] or 0.0, rel_tol=1e-9, abs_tol=1e-6)
        assert one[2] is None or math.isclose(one[2], other[2] or 0.0, rel_tol=1e-6, abs_tol=1e-3)


@pytest.mark.parametrize(("kind", "fees"), [(MONEY, FEES), (NUMBER, FLOATS)])
def test_any_cut_and_any_restart_give_the_same_bits(kind: pa.DataType, fees: st.SearchStrategy[object]) -> None:
    @settings(max_examples=60)
    @given(st.lists(st.tuples(MEMBERS, fees), max_size=40), st.lists(st.integers(0, 40), max_size=4))
    def holds(rows: list[Row], cuts: list[int]) -> None:
        whole = told(stage_of(kind), rows, kind)
        stage, parts = stage_of(kind), list[Told]()
        snapshot, deltas = stage.snapshot()(), list[bytes]()
        for number, batch in enumerate(recut(rows, cuts)):
            parts += told(stage, batch, kind)
            deltas.append(stage.delta())
            if number == 1:
                snapshot, deltas = stage.snapshot()(), []
            stage = stage_of(kind)
            stage.restore(snapshot, tuple(deltas))
        assert repr(parts) == repr(whole)

    holds()


def test_many_rows_of_one_key_in_a_batch_fold_as_they_do_one_by_one() -> None:
    rows: list[Row] = [("ada" if number % 3 else "bob", 0.1 * number) for number in range(300)]
    one_by_one = stage_of(NUMBER)

    singly = [answer for row in rows for answer in told(one_by_one, [row], NUMBER)]

    assert repr(told(stage_of(NUMBER), rows, NUMBER)) == repr(singly)


def test_equal_values_have_no_spread_and_so_no_score() -> None:
    rows: list[Row] = [*[("ada", Decimal("7.10"))] * 5, ("ada", Decimal("9000.00"))]

    found = told(stage_of(MONEY), rows, MONEY)

    assert found[5] == (5, 7.1, 0.0, None, False)


def test_a_far_first_value_does_not_blur_the_spread_of_the_others() -> None:
    rows: list[Row] = [("ada", Decimal("9999999999.00")), *(("ada", Decimal("0.01") * (n % 2)) for n in range(50))]

    assert agree(told(stage_of(MONEY), rows, MONEY), oracle(rows, bound=Fraction(1 << 50, 100)), relative=1e-12)


def test_the_value_is_held_against_those_before_it_and_flagged_above_the_threshold() -> None:
    fees = [Decimal(fee) for fee in ("1", "2", "3", "3", "4")]

    found = told(stage_of(MONEY), [("ada", fee) for fee in fees], MONEY)

    assert [answer[3] for answer in found] == [None, None, None, 1.0, pytest.approx(1.75 / math.sqrt(0.9166666666666))]
    assert [answer[4] for answer in found] == [False] * 5
    assert told(stage_of(MONEY), [("ada", fee) for fee in (*fees[:3], Decimal("4.01"))], MONEY)[3][4]


def test_only_what_was_asked_for_is_added_and_an_empty_batch_is_fine() -> None:
    stage = RunningStage(Running(("member",), "fee", score="oddness"), schema(MONEY))

    made = stage.process((schema(MONEY).empty_table(),), ALL_AT_ONCE).rows

    assert made.column_names == ["member", "fee", "oddness"]
    assert stage.size() == 0


def test_a_delta_holds_only_the_keys_that_changed() -> None:
    stage = stage_of(pa.int64())
    told(stage, [(f"member {number}", number) for number in range(5_000)], pa.int64())
    stage.snapshot()()
    told(stage, [("member 7", 1), ("new", 2)], pa.int64())

    assert len(stage.delta()) < 3_000
    assert stage.size() == 5_001
