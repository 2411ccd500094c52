import sys

import pytest

from bench.process import CommandFailed, run

HOLDS_100_MB = "held = b'x' * 100_000_000; import subprocess, sys; "
CHILD_HOLDS_100_MB = (
    "subprocess.run([sys.executable, '-c', \"held = b'x' * 100_000_000; import time; time.sleep(0.4)\"])"
)


@pytest.mark.skipif(sys.platform != "linux", reason="the process tree is read from /proc")
def test_memory_is_counted_over_the_whole_process_tree() -> None:
    cost = run([sys.executable, "-c", HOLDS_100_MB + CHILD_HOLDS_100_MB])
    assert cost.peak_mb > 200
    assert cost.seconds > 0.4


@pytest.mark.skipif(sys.platform != "linux", reason="the process tree is read from /proc")
def test_the_memory_of_the_one_who_measures_is_not_counted() -> None:
    held = bytearray(b"x") * 200_000_000
    assert run([sys.executable, "-c", "import time; time.sleep(0.2)"]).peak_mb < 100
    assert len(held) == 200_000_000


def test_a_command_that_fails_says_what_it_printed() -> None:
    with pytest.raises(CommandFailed, match=r"ended with 3:\nbroken"):
        run([sys.executable, "-c", "print('broken'); raise SystemExit(3)"])
