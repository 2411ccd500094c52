"""Pieces of work side by side, and what they tell one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from threading import Event, Lock
from typing import Any, TypeAlias

Tell: TypeAlias = "Callable[..., None]"
"""Called with a function and its arguments: to be called when it is this work's turn."""
Work: TypeAlias = "Callable[[Tell], None]"
_LOOK = 0.1  # seconds between two looks whether to go on waiting


def in_lanes(works: Sequence[Work], *, at_a_time: int) -> None:
    """Do the works, some at a time. What each tells happens in the caller's thread, in the order of the works: as if
    they had been done one after the other.

    The first error ends all: works under way stop where they tell something next, others do not begin. Works begin in
    their order, so one may wait for what those before it make.
    """
    if at_a_time == 1 or len(works) < 2:
        for work in works:
            work(at_once)
        return
    stop, turn = Event(), Lock()
    lanes = [_Lane(stop) for _ in works]
    waiting = zip(lanes, works, strict=True)

    def begin() -> tuple[_Lane, Work] | None:
        with turn:  # whatever was taken out is done
            return None if stop.is_set() else next(waiting, None)

    def go_on() -> None:
        while (taken := begin()) is not None:
            lane, work = taken
            lane.go(work)

    with ThreadPoolExecutor(at_a_time, thread_name_prefix="lane") as pool:
        try:
            for _ in range(at_a_time):
                pool.submit(go_on)
            for lane in lanes:
                lane.drain()
        finally:
            stop.set()


def at_once(function: Callable[..., object], *arguments: Any, **named: Any) -> None:
    """How a work tells that has the caller's thread to itself."""
    function(*arguments, **named)


def heard(tell: Tell) -> None:
    """Wait until all that the work told was heard. It stops here where another failed meanwhile."""
    done = Event()
    while not done.is_set():
        tell(done.set)
        done.wait(_LOOK)


class _Stopped(Exception):
    """Another work failed: what this one would tell, nobody hears."""


class _Lane:
    """What one work tells, from its thread to the caller; None ends it."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop
        self._told: SimpleQueue[Callable[[], object] | BaseException | None] = SimpleQueue()

    def go(self, work: Work) -> None:
        ending: BaseException | None = None
        try:
            work(self._tell)
        except BaseException as error:  # noqa: BLE001 (handed to the caller's thread, which raises it)
            ending = error
        self._told.put(ending)

    def drain(self) -> None:
        while (told := self._told.get()) is not None:
            if isinstance(told, BaseException):
                raise told
            told()

    def _tell(self, function: Callable[..., object], *arguments: Any, **named: Any) -> None:
        if self._stop.is_set():
            raise _Stopped
        self._told.put(partial(function, *arguments, **named))
