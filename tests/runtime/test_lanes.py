"""Works side by side tell as if they had been done one after the other."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

import pytest

from penstock.runtime.lanes import Tell, heard, in_lanes
from tests.waiting import PATIENCE


@pytest.mark.parametrize("at_a_time", [1, 2, 3])
def test_what_works_tell_comes_in_the_order_of_the_works_in_the_thread_of_the_caller(at_a_time: int) -> None:
    told: list[tuple[int, int, str]] = []

    def hear(work: int, number: int, *, among: str) -> None:
        assert threading.current_thread() is threading.main_thread()
        told.append((work, number, among))

    def work(own: int, tell: Tell) -> None:
        for number in range(3):
            tell(hear, own, number, among="many")

    in_lanes([partial(work, own) for own in range(20)], at_a_time=at_a_time)
    assert told == [(own, number, "many") for own in range(20) for number in range(3)]


def test_two_works_are_under_way_at_once() -> None:
    both = threading.Barrier(2, timeout=PATIENCE)

    def meet(_: Tell) -> None:
        both.wait()

    in_lanes([meet, meet], at_a_time=2)


def test_the_first_error_is_raised_and_nothing_is_told_after_it() -> None:
    told: list[str] = []
    failed = threading.Event()

    def fail(tell: Tell) -> None:
        tell(told.append, "before")
        raise ValueError("broken")

    def endless(tell: Tell) -> None:
        failed.wait(PATIENCE)
        while True:
            tell(told.append, "after")

    def hear_and_fail(tell: Tell) -> None:
        try:
            fail(tell)
        finally:
            failed.set()

    with pytest.raises(ValueError, match="broken"):
        in_lanes([hear_and_fail, endless, endless], at_a_time=2)
    assert told == ["before"]


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads that take turns after every few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("at_a_time", [2, 3])
def test_a_work_that_waits_for_one_before_it_does_not_wait_for_ever_when_the_first_fails(at_a_time: int) -> None:
    missed: list[str] = []

    def fail(_: Tell) -> None:
        raise ValueError("broken")

    def make(made: Future[None], _: Tell) -> None:
        made.set_result(None)

    def wait(made: Future[None], _: Tell) -> None:
        try:
            made.result(PATIENCE)
        except TimeoutError:
            missed.append("what the work before it makes")

    for _ in range(600):
        made: Future[None] = Future()
        with suppress(ValueError):
            in_lanes([fail, partial(make, made), partial(wait, made)], at_a_time=at_a_time)
        assert missed == []


@pytest.mark.parametrize("at_a_time", [1, 2])
def test_a_work_may_wait_until_what_it_told_was_heard(at_a_time: int) -> None:
    told: list[str] = []

    def wait(tell: Tell) -> None:
        tell(told.append, "of this one")
        heard(tell)
        told.append("afterwards")

    in_lanes([lambda tell: tell(told.append, "of one before"), wait], at_a_time=at_a_time)
    assert told == ["of one before", "of this one", "afterwards"]


def test_nobody_waits_to_be_heard_by_a_caller_that_is_interrupted() -> None:
    went_on: list[str] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    def wait(tell: Tell) -> None:
        tell(interrupt)
        heard(tell)
        went_on.append("afterwards")

    with pytest.raises(KeyboardInterrupt):
        in_lanes([wait, lambda _: None], at_a_time=2)
    assert went_on == []
