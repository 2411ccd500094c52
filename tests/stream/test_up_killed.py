"""Kill -9 of anything under `up`, itself included: a ledger outside finds every event once in topics, live, lake."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from plain_reader import read_tables

from penstock.runtime.installation import Installation
from penstock.runtime.parts import lives
from penstock.store.live import open_live
from tests.flows.command import PENSTOCK, ROOT
from tests.stream.ledger_program import MEMBERS, ROWS, rows_of
from tests.stream.lending import lending
from tests.stream.test_kill import WATCH, read
from tests.stream.test_up import pids, wait_for

BATCHES = 100  # in all, between the first kill and the last
PARTS = {"stream", "land"}


class Running:
    """`up` and an appender beside it, and whichever of their processes a test wants dead."""

    def __init__(self, root: Path) -> None:
        self.root, self.installation = root, Installation.at(root)
        self.up = self._up()
        self.appender = self._append(0)

    def _up(self) -> subprocess.Popen[bytes]:
        command = [PENSTOCK, "up", "--every", "1", "--project", self.root]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _append(self, batches: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.stream.ledger_program", self.root, self.root / "ledger", str(batches)]
        return subprocess.Popen(command, cwd=ROOT)

    def append(self, batches: int) -> None:
        """Go on appending up to so many batches in all, beside everything else."""
        self.appender.wait()
        self.appender = self._append(batches)

    def kill(self, victim: str) -> None:
        """Kill a part, `up` or `appender`, and wait until the part or `up` is there again."""
        wait_for(lambda: pids(self.installation).keys() >= PARTS)
        before = pids(self.installation)
        if victim == "appender":
            self.appender.kill()
        elif victim == "up":
            self.up.kill()
            self.up.wait()
            wait_for(lambda: not any(lives(pid) for pid in before.values()))
            self.up = self._up()
            wait_for(lambda: pids(self.installation).keys() >= PARTS)
        else:
            os.kill(before[victim], signal.SIGKILL)
            wait_for(lambda: pids(self.installation).get(victim, before[victim]) != before[victim])

    def end(self) -> int:
        self.appender.wait()
        self.up.send_signal(signal.SIGINT)
        return self.up.wait(60)


def kill_and_compare(root: Path, victims: list[str], choice: random.Random) -> None:
    lending(root, WATCH)
    running = Running(root)
    try:
        for number, victim in enumerate(victims, start=1):
            running.append(BATCHES * number // len(victims))
            time.sleep(choice.random())
            running.kill(victim)
        running.append(BATCHES)
        expected = [row["loan"] for batch in range(BATCHES) for row in rows_of(batch)]
        wait_for(lambda: len(read(running.installation, "scored")) >= len(expected))
        wait_for(lambda: len(_bronze(root)) >= len(expected))
    finally:
        code = running.end()

    assert code == 0
    assert _never_taken_back(root)
    scored = read(running.installation, "scored")
    assert Counter(row["loan"] for row in scored) == Counter(expected)
    assert {row["loan"]: row["earlier"] for row in scored} == {
        f"L{number}": number // MEMBERS for number in range(BATCHES * ROWS)
    }
    assert Counter(_bronze(root)) == Counter(expected)
    days = open_live(running.installation.place.root / "live", "days").rows(limit=1000)
    assert sum(row["loans"] for row in days) == len(expected)


def _bronze(root: Path) -> list[str]:
    tables = read_tables(Installation.at(root).place.root)
    return [row["loan"] for row in tables["bronze.loans_typed"].rows] if "bronze.loans_typed" in tables else []


def _never_taken_back(root: Path) -> bool:
    """Whether no batch was appended again once it was acknowledged, as one must be that was lost."""
    lines = (root / "ledger").read_text().splitlines()
    acknowledged = {line.split()[1]: number for number, line in enumerate(lines) if line.startswith("acknowledged")}
    meant = {line.split()[1]: number for number, line in enumerate(lines) if line.startswith("meant")}
    return all(meant[batch] < at for batch, at in acknowledged.items()) and len(meant) == BATCHES


def test_three_kills_under_load_lose_double_and_alter_nothing(tmp_path: Path) -> None:
    kill_and_compare(tmp_path, ["appender", "stream", "up"], random.Random(1))


@pytest.mark.faults
def test_thirty_kills_under_load_lose_double_and_alter_nothing(tmp_path: Path) -> None:
    choice = random.Random(2)
    kill_and_compare(tmp_path, [choice.choice(["appender", "stream", "land", "up"]) for _ in range(30)], choice)
