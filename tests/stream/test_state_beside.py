"""The whole state is written while rounds go on: what a restart finds is the same, whenever the writing ends."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.stream.runner import Limits
from tests.stream.lending import lending
from tests.stream.running_topology import Desk, loan

WATCH = """\
  - name: watch
    input: loans_typed
    time: {lateness: PT10M, skew: PT1H, idle: PT5S}
    steps:
      - {name: fees, running: {key: [member], value: fee, count: earlier, mean: usual}}
      - {name: first, deduplicate: {key: [member], horizon: PT30M}}
      - {name: hours, window: {size: PT1H, by: [member], aggregates: {loans: count, paid: sum(fee), who: distinct(loan)}}}
      - {name: visits, from: fees, window: {gap: PT20M, by: [member], aggregates: {loans: count, dearest: max(fee)}}}
    outputs:
      - {topic: scored, from: fees}
      - {topic: hourly, from: hours}
      - {topic: visited, from: visits}
"""
PROJECT = lending(Path(tempfile.mkdtemp()), WATCH)
TOPICS = ("scored", "hourly", "visited")
events = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 300), st.integers(0, 500)), min_size=1, max_size=30)


class Later(Executor):
    """Does what it was given when it is told to."""

    def __init__(self) -> None:
        self.given: list[Callable[[], None]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.given.append(lambda: future.set_result(fn(*args, **kwargs)))
        return future

    def work(self) -> None:
        while self.given:
            self.given.pop(0)()


def run(history: list[tuple[str, int, int]], *, later: Later | None, every: int = 1, restart_every: int = 1000) -> Desk:
    """Round by round; what is written beside them is there after `every` rounds, and lost by a restart before."""
    desk = Desk(PROJECT, "watch", limits=replace(Limits(), rows=2, rounds_per_snapshot=3), beside=later)
    desk.clock.sleep(400 * 60)
    desk.lend([loan(n, who, fee=f"{fee}.25", at=minute * 60) for n, (who, minute, fee) in enumerate(history)])
    unfinished = True
    while unfinished:
        with desk.running() as runner:
            for number in range(restart_every):
                unfinished = runner.turn() is not None
                if later is not None and number % every == every - 1:
                    later.work()
            if later is not None:
                later.work()
    return desk


@settings(max_examples=25)
@given(history=events, every=st.integers(1, 6), restart_every=st.integers(1, 12))
def test_rows_are_the_same_whenever_the_state_is_there(
    history: list[tuple[str, int, int]], every: int, restart_every: int
) -> None:
    within = run(history, later=None)

    beside = run(history, later=Later(), every=every, restart_every=restart_every)

    assert {topic: beside.rows(topic) for topic in TOPICS} == {topic: within.rows(topic) for topic in TOPICS}


def test_rounds_go_on_while_the_state_is_written() -> None:
    history = [("a", minute, 1) for minute in range(30)]

    desk = run(history, later=Later(), every=4)

    job = desk.log.jobs["watch"]
    assert job.snapshot is not None
    assert 1 < len(job.deltas) <= 7
