"""`penstock up` on a disk of its own that becomes full and has room again.

    unshare --mount python -m tests.stream.full_disk_program FOLDER

The data directory is a file system in memory that only this process and those it begins see, and that ends with them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

from penstock.runtime.parts import read_parts
from tests.flows.command import call
from tests.stream.supervised import Running
from tests.stream.test_kill import read
from tests.stream.test_up import pids
from tests.waiting import wait_for

MEBIBYTES = 256  # what is appended meanwhile takes some fifty
PARTS = {"stream", "land", "serve"}
LOOKS = (
    ("status", "--json"),
    ("stream", "rows", "latest"),
    ("topics", "peek", "scored"),
    ("query", "SELECT count(*) FROM gold.dim_member"),
)


def main() -> None:
    root = Path(sys.argv[1])
    data = root / ".penstock"
    data.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={MEBIBYTES}m", "none", data], check=True)
    running = Running(root)
    try:
        wait_for(lambda: pids(running.installation).keys() >= PARTS and running.answer("/members?limit=1") is not None)
        wait_for(lambda: (running.answer("/latest?limit=1") or {"total": 0})["total"] > 0)
        running.deliver()
        fill_up(running, data / "ballast")
    except BaseException:
        running.appender.kill()
        running.end()
        raise
    running.finish()
    assert not any(one.given_up for one in read_parts(running.installation))


def fill_up(running: Running, ballast: Path) -> None:
    """Take all room for a while: nothing is acknowledged, everything can be read."""
    with ballast.open("ab", buffering=0) as stream:
        for _ in range(3):
            refused_only(running, stream)
            seen = read(running.installation, "scored")
            for look in LOOKS:
                call(*look, "--project", running.root).expect(0)
            assert running.answer("/latest?limit=1")["total"] > 0
            assert running.answer("/members?limit=1")["total"] > 0
            assert len(seen) > 0
    ballast.unlink()


def refused_only(running: Running, stream: BinaryIO) -> None:
    """Wait until appends are refused one after the other, whatever room others gave back meanwhile."""

    def three_refused() -> bool:
        take_all(stream)
        accepted, refused = len(running.ledger("acknowledged")), len(running.ledger("refused"))
        wait_for(lambda: len(running.ledger("refused")) >= refused + 3 or has_more(running, accepted))
        return not has_more(running, accepted)

    wait_for(three_refused)


def has_more(running: Running, accepted: int) -> bool:
    return len(running.ledger("acknowledged")) > accepted


def take_all(stream: BinaryIO) -> None:
    for size in (1 << 20, 1 << 12, 1):
        try:
            while stream.write(b"\0" * size):
                continue
        except OSError:
            continue


if __name__ == "__main__":
    main()
