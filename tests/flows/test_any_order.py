"""However the same files arrive, one by one or together, twice, or with stops in between: silver and gold are the same."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.flows.command import ROOT
from tests.flows.library import LOAN, MEMBER
from tests.waiting import PATIENCE

SEEDS = (1, 2)
MORE_SEEDS = range(3, 40)


def result(kind: str, folder: Path, seed: int) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-m", "tests.flows.order_program", kind, str(folder), str(seed)]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=3 * PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def write_files(folder: Path) -> None:
    """Loans with corrections, ties, repetitions, dirt and versions beyond the horizon; three versions of two lists."""
    chance = random.Random(0)
    folder.mkdir()
    for number in range(16):
        lines = [LOAN] + [line(chance) for _ in range(12)]
        (folder / f"loans_{number:02}.csv").write_text("".join(f"{text}\n" for text in lines))
    for branch in ("north", "south"):
        for version in (1, 2, 10):
            members = [
                f"m{branch[0]}{n},a{n}@example.org,20{n:02}-0{version % 9 + 1}-01" for n in range(8 - version % 3)
            ]
            (folder / f"members_{branch}_v{version}.csv").write_text("\n".join([MEMBER, *members]) + "\n")


def line(chance: random.Random) -> str:
    if chance.random() < 0.05:
        return '7,"an unclosed quote,mn1'
    loan = f"{chance.randrange(30)},m{chance.choice('ns')}{chance.randrange(9)},{chance.choice(('Dune', 'Emma', ''))}"
    status, fee = chance.choice(("out", "back", "back", "lost")), chance.choice(("", "0.50", "1.5", "-1"))
    return f"{loan},{status},{fee},2024-{chance.randrange(1, 4):02}-{chance.choice((1, 1, 15, 28)):02}T10:00:00Z"


@pytest.fixture(scope="module")
def loans(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("orders")
    write_files(folder / "files")
    return folder, result("library", folder, 0)


def check(kind: str, folder: Path, expected: dict[str, Any], seed: int) -> int:
    """Compare what this seed comes to; how many runs it stopped."""
    found = result(kind, folder, seed)
    assert found["rows"] == expected["rows"]
    assert found["digests"] == expected["digests"]
    return int(found["stops"])


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_arrival_changes_nothing(loans: tuple[Path, dict[str, Any]], seed: int) -> None:
    folder, expected = loans
    assert 20 <= expected["rows"]["silver.loans"] <= 30
    assert check("library", folder, expected, seed) > 0


@pytest.mark.faults
@pytest.mark.parametrize("seed", MORE_SEEDS)
def test_no_order_of_arrival_changes_anything(loans: tuple[Path, dict[str, Any]], seed: int) -> None:
    check("library", *loans, seed)


@pytest.fixture(scope="module")
def days(online_retail: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Five days of the shop, from all over the year, and what they come to when all arrive at once."""
    folder = tmp_path_factory.mktemp("days")
    (folder / "files").mkdir()
    for file in sorted(online_retail.glob("*.csv"))[::61]:
        shutil.copyfile(file, folder / "files" / file.name)
    return folder, result("retail", folder, 0)


@pytest.mark.real
def test_the_days_of_the_shop_may_arrive_in_any_order(days: tuple[Path, dict[str, Any]]) -> None:
    folder, expected = days
    assert expected["rows"]["gold.fact_sales"] == expected["rows"]["silver.order_lines"] > 10_000
    assert check("retail", folder, expected, 1) > 0


@pytest.mark.real
@pytest.mark.faults
@pytest.mark.parametrize("seed", range(2, 12))
def test_the_days_of_the_shop_may_arrive_in_every_order(days: tuple[Path, dict[str, Any]], seed: int) -> None:
    check("retail", *days, seed)
