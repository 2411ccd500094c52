"""Kill -9 of anything under `up`, itself included: a ledger outside finds every event once in topics, live, lake, and every
row of a delivered file once in gold and the API."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.stream.supervised import Running

VICTIMS = ["appender", "stream", "land", "run", "serve", "up"]


def kill_and_compare(root: Path, victims: list[str], choice: random.Random) -> None:
    running = Running(root)
    try:
        for victim in victims:
            time.sleep(choice.random() / 2)
            running.deliver()
            running.kill(victim)
    except BaseException:
        running.end()
        raise
    running.finish()


def test_kills_of_every_kind_under_load_lose_double_and_alter_nothing(tmp_path: Path) -> None:
    kill_and_compare(tmp_path, ["appender", "stream", "run", "serve", "up"], random.Random(1))


@pytest.mark.faults
def test_thirty_kills_under_load_lose_double_and_alter_nothing(tmp_path: Path) -> None:
    choice = random.Random(2)
    kill_and_compare(tmp_path, [choice.choice(VICTIMS) for _ in range(30)], choice)
