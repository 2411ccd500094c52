"""Windows read off running totals are those that are put together of their panes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.spec.stream import Aggregate, Measure, Window, WindowKind
from penstock.stream.stage import Moment
from penstock.stream.watermark import BEGINNING
from penstock.stream.window import WindowStage

SECOND = 1_000_000
SCHEMA = pa.schema(
    [("at", pa.timestamp("us", tz="UTC")), ("who", pa.int64()), ("fee", pa.decimal128(20, 2)), ("weight", pa.float64())]
)
SUMMED = Window(
    WindowKind.SLIDING,
    ("who",),
    (
        Aggregate("rows", Measure.COUNT),
        Aggregate("fees", Measure.COUNT, "fee"),
        Aggregate("paid", Measure.SUM, "fee"),
        Aggregate("average", Measure.MEAN, "fee"),
        Aggregate("weighed", Measure.SUM, "weight"),
    ),
    size=timedelta(seconds=5),
    slide=timedelta(seconds=1),
)
PUT_TOGETHER = replace(SUMMED, aggregates=(*SUMMED.aggregates, Aggregate("least", Measure.MIN, "fee")))

Row = tuple[int, int, Decimal | None, float | None]  # second, who, fee, weight
FEES = st.one_of(st.none(), st.decimals(-50, 50, places=2), st.just(Decimal("999999999999999999.99")))
WEIGHTS = st.one_of(st.none(), st.integers(-99, 99).map(lambda n: n / 8), st.just(2.0**61))
FAR = 10**9  # seconds
SECONDS = st.one_of(st.integers(-4, 6), st.sampled_from([FAR, FAR + 1]))
ROWS = st.lists(st.tuples(SECONDS, st.integers(0, 2), FEES, WEIGHTS), max_size=8)
ROUNDS = st.lists(st.tuples(ROWS, st.integers(0, 6)), min_size=1, max_size=8)  # and how far the watermark follows


def table(rows: Iterable[Row]) -> pa.Table:
    """Rows of seconds since 1970."""
    columns = list(zip(*rows, strict=True)) or [()] * 4
    return pa.table(
        [pa.array([second * SECOND for second in columns[0]], SCHEMA.field(0).type), *columns[1:]], schema=SCHEMA
    )


def busy(rounds: Sequence[tuple[list[Row], int]]) -> Iterator[tuple[pa.Table, int]]:
    """The rows of rounds three seconds apart, with somebody in every second, and the watermark after each; then what
    makes all of it final, and a round of nothing at all."""
    after = 0
    for number, (rows, behind) in enumerate(rounds):
        now = 10 + 3 * number
        always: list[Row] = [(now + second, 0, Decimal(second), 0.5) for second in range(-4, 7)]
        after = max(after, now - behind)
        yield table([*always, *((now + second, who, fee, weight) for second, who, fee, weight in rows)]), after
    yield table([]), 1000
    yield table([]), FAR
    yield table([]), 2 * FAR


@given(ROUNDS, st.integers(0, 8))
@settings(max_examples=80)
def test_every_round_tells_the_same_whatever_comes_late_and_whenever_it_restarts(
    rounds: list[tuple[list[Row], int]], restart: int
) -> None:
    summed, together = WindowStage(SUMMED, SCHEMA, "at"), WindowStage(PUT_TOGETHER, SCHEMA, "at")
    before, filled = BEGINNING, False
    for number, (rows, after) in enumerate(busy(rounds)):
        moment = Moment(0, before, before := after * SECOND)
        told, expected = (stage.process((rows,), moment) for stage in (summed, together))
        assert repr(told.rows.to_pylist()) == repr(expected.rows.drop(["least"]).to_pylist())
        assert told.late == expected.late
        filled |= summed._panes.table(0, 100) is not None
        if number == restart:
            snapshot, summed = summed.snapshot()(), WindowStage(SUMMED, SCHEMA, "at")
            summed.restore(snapshot, ())
    assert filled
    assert summed.size() == together.size() == 0


def test_totals_go_on_when_cells_are_numbered_anew_and_when_sums_leave_64_bits() -> None:
    """forty keys, so that closed panes are forgotten many times; large fees from the middle on"""
    summed, together = WindowStage(SUMMED, SCHEMA, "at"), WindowStage(PUT_TOGETHER, SCHEMA, "at")
    random, before = np.random.default_rng(7), BEGINNING
    for number in range(60):
        large = Decimal(10**17) if number > 30 else Decimal(1)
        drawn: Any = zip(random.integers(0, 8, 200), random.integers(0, 40, 200), strict=True)
        rows = table((5 * number + int(second), int(who), large + int(who), float(who)) for second, who in drawn)
        moment = Moment(0, before, before := (5 * number - 2) * SECOND)
        told, expected = (stage.process((rows,), moment).rows for stage in (summed, together))
        assert told.equals(expected.drop(["least"]))
    assert len(summed._cells.id) < 60 * 5 * 40 / 2
