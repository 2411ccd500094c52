"""Event time: how far it has come, whatever single events say and whoever is silent.

      lateness
    <---------->
----W----------L------------------H---->      W watermark, L latest event that counts, H clock + skew
"""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from penstock.spec.stream import EventTime
from penstock.stream.watermark import BEGINNING, Progress, advanced, horizon

SECOND = 1_000_000
TIME = EventTime(lateness=timedelta(seconds=10), skew=timedelta(seconds=5), idle=timedelta(seconds=30))
A, B = ("loans", 0), ("loans", 1)


def started(*parts: tuple[str, int], now: int = 0) -> Progress:
    return Progress().looked_at(parts, now)


def test_the_watermark_lies_the_lateness_behind_the_slowest_partition() -> None:
    progress = advanced(started(A, B), TIME, {A: 100 * SECOND, B: 70 * SECOND}, 101 * SECOND)

    assert progress.watermark == 60 * SECOND


def test_a_partition_that_was_never_heard_of_holds_the_others_back_until_it_is_idle() -> None:
    early = advanced(started(A, B), TIME, {A: 100 * SECOND}, 1 * SECOND)
    later = advanced(early, TIME, {A: 101 * SECOND}, 31 * SECOND)

    assert early.watermark == BEGINNING
    assert later.watermark == 91 * SECOND


def test_a_partition_with_unread_rows_is_not_idle() -> None:
    progress = advanced(started(A, B), TIME, {A: 100 * SECOND}, 90 * SECOND, behind={B})

    assert progress.watermark == BEGINNING


def test_an_event_of_the_future_lies_beyond_the_horizon() -> None:
    assert horizon(TIME, 100 * SECOND) == 105 * SECOND


def test_time_goes_on_by_the_clock_when_nobody_is_heard_of() -> None:
    progress = advanced(started(A), TIME, {A: 100 * SECOND}, 100 * SECOND)

    assert advanced(progress, TIME, {}, 125 * SECOND).watermark == 90 * SECOND
    assert advanced(progress, TIME, {}, 150 * SECOND).watermark == 110 * SECOND


@given(st.lists(st.tuples(st.sampled_from([A, B]), st.integers(0, 500), st.integers(0, 60)), max_size=30))
def test_the_watermark_never_goes_back_and_never_runs_ahead_of_the_clock(
    events: list[tuple[tuple[str, int], int, int]],
) -> None:
    progress, now = started(A, B), 0
    for part, at, wait in events:
        now += wait * SECOND
        before = progress.watermark
        counts = {part: at * SECOND} if at * SECOND <= horizon(TIME, now) else {}
        progress = advanced(progress, TIME, counts, now)
        assert before <= progress.watermark <= horizon(TIME, now)


def test_progress_survives_its_record() -> None:
    progress = advanced(started(A, B), TIME, {A: 7}, 9)

    assert Progress.of_record(progress.as_record()) == progress
