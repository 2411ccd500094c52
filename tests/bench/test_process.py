import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import process
from bench.process import CommandFailed, run

HELD = 100_000_000  # bytes
HOLDS = f"held = b'x' * {HELD}; import subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]])"


@pytest.fixture
def until_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], str]:
    """Makes Python code that ends when a look has met so many processes that hold a hundred megabytes each."""
    memory, large = process._memory, set[int]()
    seen = tmp_path / "seen"

    def look(pid: int) -> tuple[int, int]:
        resident, highest = memory(pid)
        large.update({pid} if resident > HELD else ())
        (seen / str(len(large))).mkdir(parents=True, exist_ok=True)
        return resident, highest

    monkeypatch.setattr(process, "_memory", look)
    waiting = "import os, time\nwhile not os.path.exists({!r}): time.sleep(0.01)"
    return lambda number: waiting.format(str(seen / str(number)))


@pytest.mark.skipif(sys.platform != "linux", reason="the process tree is read from /proc")
def test_memory_is_counted_over_the_whole_process_tree(until_looked: Callable[[int], str]) -> None:
    held = f"held = b'x' * {HELD}\n"
    cost = run([sys.executable, "-c", HOLDS, "-c", held + until_looked(2)])
    assert cost.peak_mb > 200
    assert cost.seconds > 0


@pytest.mark.skipif(sys.platform != "linux", reason="the process tree is read from /proc")
def test_the_memory_of_the_one_who_measures_is_not_counted(until_looked: Callable[[int], str]) -> None:
    held = bytearray(b"x") * 200_000_000
    assert run([sys.executable, "-c", until_looked(0)]).peak_mb < 100
    assert len(held) == 200_000_000


def test_a_command_that_fails_says_what_it_printed() -> None:
    with pytest.raises(CommandFailed, match=r"ended with 3:\nbroken"):
        run([sys.executable, "-c", "print('broken'); raise SystemExit(3)"])
