"""Run a command and know what it cost: seconds, and peak memory of the process with all its children."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

INTERVAL = 0.05  # seconds between two looks at the tree
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes


class CommandFailed(Exception):
    """A command of the benchmark ended with an error; its output is in the message."""


@dataclass(frozen=True)
class Cost:
    """`peak_mb` is resident memory summed over the process tree, in megabytes (shared pages count once per process),
    and never below the highest that the kernel saw in one of the processes."""

    seconds: float
    peak_mb: float
    output: str


def run(command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Cost:
    """Run to the end; CommandFailed when the exit code is not 0."""
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        child = subprocess.Popen(
            list(map(str, command)), env={**os.environ, **(env or {})}, cwd=cwd, stdout=output, stderr=subprocess.STDOUT
        )
        watch = _Watch(child.pid)
        watch.start()
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        watch.stop()
        output.seek(0)
        text = output.read().decode("utf-8", errors="replace")
    if child.returncode != 0:
        raise CommandFailed(f"{' '.join(map(str, command))} ended with {child.returncode}:\n{text[-4000:]}")
    return Cost(seconds, (watch.peak or usage.ru_maxrss * MAXRSS_UNIT) / 1e6, text)


class _Watch(threading.Thread):
    """Looks at the process tree until stopped; where there is no /proc it sees nothing.

    The kernel's `ru_maxrss` of a child is no help: it begins with the memory of the process that forked it.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._pid = pid
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(INTERVAL):
            resident, highest = zip(*map(_memory, _tree(self._pid)), strict=True)
            self.peak = max(self.peak, sum(resident), *highest)

    def stop(self) -> None:
        self._ended.set()
        self.join()


def _tree(pid: int) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                waiting += map(int, children.read_text().split())
            except OSError:  # it ended while we looked
                continue
    return found


def _memory(pid: int) -> tuple[int, int]:
    """Resident memory now and at its highest since the program was loaded, bytes."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0, 0
    found = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", status, re.MULTILINE))
    return int(found.get("VmRSS", 0)) * 1024, int(found.get("VmHWM", 0)) * 1024
