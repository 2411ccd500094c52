"""The kernels of streams alone: no log, no contract, no live table. One function for each kernel.

Times are CPU time of the process, so that what else the machine does hardly counts.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench.figure import Figure, Outcome
from penstock.spec.stream import (
    Aggregate,
    Deduplicate,
    Direction,
    EventTime,
    Join,
    Measure,
    Running,
    Window,
    WindowKind,
)
from penstock.stream.deduplicate import DeduplicateStage
from penstock.stream.join import JoinStage
from penstock.stream.key_index import KeyIndex
from penstock.stream.running import RunningStage
from penstock.stream.schema import SYSTEM
from penstock.stream.stage import KeyedStage, Moment
from penstock.stream.watermark import BEGINNING
from penstock.stream.window import WindowStage

USERS = 1_000_000
BATCH = 50_000
ROUNDS = 24
PER_SECOND = 10_000  # events of one second of event time
LATENESS = 60_000_000
BEGIN = 1_767_225_600_000_000  # 2026-01-01, microseconds
AT = pa.timestamp("us", tz="UTC")
EVENTS = pa.schema([*SYSTEM, ("user", pa.string()), ("amount", pa.decimal128(18, 2)), ("at", AT)])
VISITS = pa.schema([*SYSTEM, ("who", pa.string()), ("came", AT), ("visit", pa.int64())])
SLIDING = (  # keys, rows a second of event time, rounds, rows of a round
    (20, 10_000, 40, BATCH),
    (1000, 500_000, 40, 200_000),
    (1000, 500_000, 160, BATCH),
    (1000, 10_000, 40, BATCH),
)
SUMS = (Aggregate("events", Measure.COUNT), Aggregate("total", Measure.SUM, "amount"))


class Traffic:
    """Events of users by Zipf's law with exponent 1.1, or of `users` that are equally busy."""

    def __init__(self, users: int = USERS, *, exponent: float = 1.1, per_second: float = PER_SECOND) -> None:
        self.random = np.random.default_rng(7)
        self.per_second, self.number = per_second, 0
        self.ids = pa.array([f"user-{number:08d}" for number in range(users)])
        weights = np.arange(1, users + 1, dtype=float) ** -exponent
        self._cumulated = np.cumsum(weights) / weights.sum()
        self._places = self.random.permutation(users)

    def users(self, count: int) -> pa.Array:
        drawn = np.searchsorted(self._cumulated, self.random.random(count))
        return self.ids.take(pa.array(self._places[np.minimum(drawn, len(self._places) - 1)]))

    def everybody(self) -> pa.Table:
        return self.events(len(self.ids), self.ids.take(pa.array(self.random.permutation(len(self.ids)))))

    def events(self, count: int = BATCH, users: pa.Array | None = None, schema: pa.Schema = EVENTS) -> pa.Table:
        first, self.number = self.number, self.number + count
        offsets = pa.array(np.arange(first, self.number))
        times = pa.array(BEGIN + (np.arange(first, self.number) * 1e6 / self.per_second).astype(np.int64)).view(AT)
        who = self.users(count) if users is None else users
        partition = pa.array(np.zeros(count, dtype=np.int32))
        if schema is VISITS:
            return pa.table([partition, offsets, who, times, offsets], schema=schema)
        cents = np.stack([self.random.integers(100, 100_000, count), np.zeros(count, dtype=np.int64)], axis=1)
        amounts = pa.Array.from_buffers(pa.decimal128(18, 2), count, [None, pa.py_buffer(np.ascontiguousarray(cents))])
        return pa.table([partition, offsets, who, amounts, times], schema=schema)

    @property
    def now(self) -> int:
        return BEGIN + int(self.number * 1e6 / self.per_second)


def run(_: Path) -> Outcome:
    figures: list[Figure] = []
    runs: dict[str, list[float]] = {}
    for measure in (key_index, running, windows, sliding, deduplicate, join, road):
        for figure, single in measure():
            print(f"  {figure.figure}: {figure.value:,.3g} {figure.unit}", flush=True)
            figures.append(figure)
            runs[figure.figure] = list(single)
    return Outcome(
        figures=figures,
        runs=runs,
        notes=[
            f"Batches of {BATCH:,} rows; medians of CPU time; deltas of the state are written in every round and are part of the time.",
            f"Load of the machine at the end (1, 5, 15 minutes): {', '.join(f'{load:.1f}' for load in os.getloadavg())}.",
        ],
    )


Measured = Iterator[tuple[Figure, Sequence[float]]]


def key_index() -> Measured:
    traffic, index = Traffic(), KeyIndex()
    filling = _timed(lambda: index.slots(traffic.ids))
    yield Figure("key index: a million new keys", filling, "s", bar=2.0), [filling]
    for count in (20_000, 50_000, 100_000):
        batches = [traffic.users(count) for _ in range(ROUNDS)]
        rates = [count / _timed(lambda batch=batch: index.slots(batch)) for batch in batches]  # type: ignore[misc]
        yield _rate(f"key index: look-ups in batches of {count:,}", rates, bar=3e6)


def running() -> Measured:
    traffic, stage = Traffic(), _running()
    _round(stage, traffic.everybody(), traffic)
    yield _rate("running z-score of a million users", _rates(stage, traffic))
    snapshot, deltas = stage.snapshot()(), []
    for _ in range(ROUNDS):
        _round(stage, traffic.events(), traffic, delta=False)
        deltas.append(stage.delta())
    other = _running()
    restoring = _timed(lambda: other.restore(snapshot, tuple(deltas)))
    if other.snapshot()() != stage.snapshot()():
        raise AssertionError("the restored state differs")
    yield Figure(f"running: restore of a million keys and {ROUNDS} deltas", restoring, "s", bar=2.0), [restoring]


def windows() -> Measured:
    for name, size in (("minute", timedelta(minutes=1)), ("day", timedelta(days=1))):
        traffic = Traffic()
        stage = _window(Window(WindowKind.TUMBLING, ("user",), SUMS, size=size))
        yield _rate(f"count and sum by user and {name}", _rates(stage, traffic))


def sliding() -> Measured:
    """The same rows in each window, from the first row until all windows were told of; 5 s of lateness. What a key has
    for every slide is told of and written as state, so where it has about a row in a slide a window of that length is
    the nearer comparison."""
    size, slide = timedelta(seconds=10), timedelta(milliseconds=100)
    declared = (
        Window(WindowKind.SLIDING, ("user",), SUMS, size=size, slide=slide),
        Window(WindowKind.TUMBLING, ("user",), SUMS, size=size),
        Window(WindowKind.TUMBLING, ("user",), SUMS, size=slide),
    )
    for keys, per_second, rounds, count in SLIDING:
        of_each = [_finalised([_window(one) for one in declared], keys, per_second, (rounds, count)) for _ in range(3)]
        for place, other, bar in ((1, "10 s", 1.3), (2, "100 ms", None)):
            ratios = [seconds[0] / seconds[place] for seconds in of_each]
            name = f"sliding 10 s / 100 ms against tumbling {other}"
            traffic = f"{keys:,} keys at {per_second:,} rows/s, rounds of {count:,}"
            yield Figure(f"{name}, {traffic}", statistics.median(ratios), "x", bar=bar), ratios


def _finalised(stages: Sequence[KeyedStage], keys: int, per_second: float, rounds_of: tuple[int, int]) -> list[float]:
    """CPU seconds of each stage for so many rounds of so many rows, and the windows that are left at the end."""
    rounds, count = rounds_of
    traffic, seconds, watermark = Traffic(keys, exponent=0.0, per_second=per_second), [0.0] * len(stages), BEGINNING
    for number in range(rounds + 1):
        rows = traffic.events(count if number < rounds else 0)
        after = traffic.now + (-5_000_000 if number < rounds else 20_000_000)
        for turn in range(len(stages)):  # each is as often the first, for whom the rows are new to the caches
            stage = stages[place := (number + turn) % len(stages)]
            begin = time.process_time()
            while stage.process((rows,), Moment(traffic.now, watermark, after)).more and number == rounds:
                stage.delta()  # what ends at once is told of over several rounds
            stage.delta()
            seconds[place] += time.process_time() - begin
        watermark = after
    if any(stage.size() for stage in stages):
        raise AssertionError("a window is not final")
    return seconds


def deduplicate() -> Measured:
    traffic = Traffic(exponent=0.0)
    stage = DeduplicateStage(Deduplicate(("user",), timedelta(seconds=30)), _payload(EVENTS), "at", EventTime())
    yield _rate("de-duplication of a million keys", _rates(stage, traffic))


def join() -> Measured:
    """10,000 rows of this side and 10,000 of the other in every round, all history within the tolerance."""
    sides = [_Joining(history) for history in (100_000, 10_000_000)]
    for _ in range(2 * ROUNDS):  # in turn, so that both meet the same machine
        for side in sides:
            side.round()
    for side in sides:
        yield Figure(f"temporal join, 10,000 rows at {side.history:,} of history", side.median, "ms"), side.took
    ratio = sides[1].median / sides[0].median
    yield Figure("temporal join, 10 million rows against 100,000", ratio, "x", bar=1.2), []


class _Joining:
    """A join with so many rows of the other side."""

    def __init__(self, history: int) -> None:
        self.history = history
        self.took: list[float] = []
        self._traffic = Traffic(100_000, exponent=0.0, per_second=20_000_000 / 3600)
        self._stage, self._watermark = _join(), BEGINNING
        for _ in range(history // 10_000):
            self._take(0)
        for _ in range(ROUNDS):
            self._take(10_000)

    @property
    def median(self) -> float:
        return 1000 * statistics.median(self.took)

    def round(self) -> None:
        self.took.append(self._take(10_000))

    def _take(self, count: int) -> float:
        rows = (self._traffic.events(count), self._traffic.events(10_000, schema=VISITS))
        after = self._traffic.now - LATENESS
        begin = time.process_time()
        self._stage.process(rows, Moment(self._traffic.now, self._watermark, after))
        self._stage.delta()
        self._watermark = after
        return time.process_time() - begin


def road() -> Measured:
    traffic = Traffic()
    stages: list[KeyedStage] = [
        _running(),
        _window(Window(WindowKind.TUMBLING, ("user",), SUMS, size=timedelta(minutes=1))),
        _window(Window(WindowKind.TUMBLING, ("user",), SUMS, size=timedelta(days=1))),
    ]
    for stage in stages:
        _round(stage, traffic.everybody(), traffic)
    rates = []
    for _ in range(ROUNDS):
        rows = traffic.events()
        rates.append(BATCH / sum(_round(stage, rows, traffic) for stage in stages))
    yield _rate("z-score, 1-minute and 1-day windows of a million users", rates, bar=500_000)


def _running() -> RunningStage:
    names = {"count": "n", "mean": "mean", "deviation": "deviation", "score": "score", "flag": "flag"}
    return RunningStage(Running(("user",), "amount", minimum=10, **names), _payload(EVENTS))


def _window(window: Window) -> WindowStage:
    return WindowStage(window, _payload(EVENTS), "at")


def _join() -> JoinStage:
    join = Join(
        other="visits",
        on=(("user", "who"),),
        tolerance=timedelta(hours=2),
        direction=Direction.BACKWARD,
        columns=(("visit", "visit"),),
        identity=("user",),
    )
    return JoinStage(join, _payload(EVENTS), _payload(VISITS), time="at", other_time="came")


def _payload(schema: pa.Schema) -> pa.Schema:
    return pa.schema(list(schema)[len(SYSTEM) :])


def _rates(stage: KeyedStage, traffic: Traffic) -> list[float]:
    """Rows a second of each round but the first ones, in which memory grows."""
    seconds = [_round(stage, traffic.events(), traffic) for _ in range(ROUNDS + 4)]
    return [BATCH / one for one in seconds[4:]]


def _round(stage: KeyedStage, rows: pa.Table, traffic: Traffic, *, delta: bool = True) -> float:
    after = traffic.now - LATENESS
    moment = Moment(traffic.now, after - int(rows.num_rows * 1e6 / traffic.per_second), after)
    begin = time.process_time()
    stage.process((rows,), moment)
    if delta:
        stage.delta()
    return time.process_time() - begin


def _timed(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def _rate(name: str, rates: Sequence[float], bar: float | None = None) -> tuple[Figure, Sequence[float]]:
    return Figure(name, statistics.median(rates), "rows/s", bar=bar, higher_is_better=True), rates
