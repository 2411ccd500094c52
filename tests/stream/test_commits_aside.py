"""Large rounds are committed while the next is worked on: what comes of it is what comes of one after the other."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.log.protocol import LogStorageError
from penstock.stream.runner import Limits, Runner
from tests.stream.running_topology import Desk, loan
from tests.stream.test_state_beside import PROJECT, TOPICS, Later, events

LIMITS = replace(Limits(), rows=3, rounds_per_snapshot=3, rows_aside=2)


def desk_of(history: list[tuple[str, int, int]], *, aside: Executor | None, limits: Limits = LIMITS) -> Desk:
    desk = Desk(PROJECT, "watch", limits=limits, aside=aside)
    desk.clock.sleep(400 * 60)
    desk.lend([loan(n, who, fee=f"{fee}.25", at=minute * 60) for n, (who, minute, fee) in enumerate(history)])
    return desk


def goes_on(runner: Runner) -> bool:
    return runner.turn() is not None or runner.is_committing


def finished(desk: Desk, *, restart_every: int = 1000) -> dict[str, list[dict[str, object]]]:
    unfinished = True
    while unfinished:
        with desk.running() as runner:
            unfinished = all(goes_on(runner) for _ in range(restart_every))
    return {topic: desk.rows(topic) for topic in TOPICS}


@settings(max_examples=25)
@given(history=events, restart_every=st.integers(1, 12))
def test_rows_are_the_same_wherever_the_commits_are_made(
    history: list[tuple[str, int, int]], restart_every: int
) -> None:
    within = finished(desk_of(history, aside=None))
    with ThreadPoolExecutor(1) as aside:
        assert finished(desk_of(history, aside=aside), restart_every=restart_every) == within


def test_a_round_is_told_of_once_it_is_committed() -> None:
    later = Later()
    desk = desk_of([("a", minute, 1) for minute in range(3)], aside=later)
    with desk.running() as runner:
        assert (runner.turn(), runner.is_committing, runner.is_through(), desk.rows("scored")) == (
            None,
            True,
            False,
            [],
        )
        later.work()
        told = runner.turn()
        later.work()
    assert told is not None
    assert (told.number, told.rows, len(desk.rows("scored"))) == (0, 3, 3)


def test_a_small_round_is_committed_within_its_turn() -> None:
    desk = desk_of([("a", 0, 1)], aside=Later())
    with desk.running() as runner:
        told = runner.turn()
        assert (told, runner.is_committing) == (runner.last, False)
    assert len(desk.rows("scored")) == 1


def test_after_a_commit_that_failed_there_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    history = [("a", minute, 1) for minute in range(12)]
    within = finished(desk_of(history, aside=None))
    with ThreadPoolExecutor(1) as aside:
        desk = desk_of(history, aside=aside)
        with desk.running() as runner, monkeypatch.context() as broken:
            broken.setattr(
                runner.job, "commit", lambda **_: (_ for _ in ()).throw(LogStorageError("The broker is away"))
            )
            runner.turn()
            broken.undo()
            for _ in range(2):
                with pytest.raises(LogStorageError, match="away"):
                    runner.turn()
        assert (desk.rows("scored"), finished(desk)) == ([], within)
