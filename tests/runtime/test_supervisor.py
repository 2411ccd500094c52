"""Parts are begun, begun again when they die, and ended together."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from penstock.runtime.supervisor import Kept, Part, Supervisor
from penstock.world import real_world
from tests.waiting import PATIENCE


class Told:
    """What the supervisor told, and an end to it once enough was."""

    def __init__(self, enough: Callable[[list[str]], bool]) -> None:
        self.words: list[str] = []
        self.pids: list[int] = []
        self.enough = enough

    def __call__(self, words: str, kept: Sequence[Kept]) -> None:
        self.words.append(words)
        self.pids += [one.pid for one in kept if one.pid is not None]

    def stopped(self) -> bool:
        return self.enough(self.words)


def supervise(told: Told, *parts: Part) -> Supervisor:
    supervisor = Supervisor(parts, real_world().clock, told)
    supervisor.run(told.stopped, look=0.01)
    return supervisor


def python(name: str, code: str, every: float | None = None) -> Part:
    return Part(name, (sys.executable, "-c", code), every)


def began(name: str, times: int) -> Callable[[list[str]], bool]:
    return lambda words: sum(one.startswith(f"{name} began") for one in words) >= times


def test_a_part_that_dies_is_begun_again_after_a_longer_pause_each_time() -> None:
    told = Told(began("dying", 3))

    supervisor = supervise(told, python("dying", "import os; os.kill(os.getpid(), 9)"))

    again = [words for words in told.words if "begins again" in words]
    assert again[:2] == [
        "dying died (SIGKILL) and begins again in 0.5 s",
        "dying died (SIGKILL) and begins again in 1 s",
    ]
    assert supervisor.kept[0].restarts >= 2


def test_a_part_of_wrong_use_is_given_up_and_the_others_go_on() -> None:
    told = Told(lambda words: any("given up" in one for one in words) and began("well", 1)(words))

    supervisor = supervise(told, python("wrong", "raise SystemExit(2)"), python("well", "import time; time.sleep(60)"))

    assert [one.given_up for one in supervisor.kept] == [True, False]


def test_a_part_with_a_time_is_begun_again_by_it_whatever_its_exit_code() -> None:
    told = Told(began("timed", 3))

    supervisor = supervise(told, python("timed", "raise SystemExit(1)", every=0.05))

    assert supervisor.kept[0].restarts == 0
    assert "timed ended with 1" in told.words


def test_a_part_waits_until_it_is_ready(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    first = Part("first", (sys.executable, "-c", f"open({str(ready)!r}, 'w')"), every=3600)
    second = Part("second", (sys.executable, "-c", "import time; time.sleep(60)"), ready=ready.exists)
    told = Told(began("second", 1))

    supervise(told, second, first)

    assert told.words[0].startswith("first began")
    assert any(words.startswith("second began") for words in told.words)


def ended(folder: Path, before: str, *, stop_seconds: float) -> Supervisor:
    """Two parts that do this and then sleep, told to end when both sleep."""
    marks = [folder / "a", folder / "b"]
    sleeping = "import pathlib, signal, time; {}; pathlib.Path({!r}).touch(); time.sleep(600)"
    told = Told(lambda _: all(mark.exists() for mark in marks))
    parts = [python(mark.name, sleeping.format(before, str(mark))) for mark in marks]
    supervisor = Supervisor(parts, real_world().clock, told, stop_seconds=stop_seconds)

    supervisor.run(told.stopped, look=0.01)

    assert not any(_lives(pid) for pid in told.pids)
    return supervisor


def test_all_are_ended_when_it_is_told_to(tmp_path: Path) -> None:
    supervisor = ended(tmp_path, "pass", stop_seconds=PATIENCE)

    assert [one.last_exit for one in supervisor.kept] == [-signal.SIGTERM] * 2


def test_those_that_will_not_end_are_killed(tmp_path: Path) -> None:
    supervisor = ended(tmp_path, "signal.signal(signal.SIGTERM, signal.SIG_IGN)", stop_seconds=0.1)

    assert [one.last_exit for one in supervisor.kept] == [-signal.SIGKILL] * 2


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
