"""A full disk under `up`: nothing is acknowledged, everything can be read, and all goes on by itself when there is room."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows.command import ROOT
from tests.waiting import PATIENCE


def own_mounts() -> list[str]:
    """The command that gives what follows a view of its own of the file systems."""
    for options in (["--mount"], ["--mount", "--map-root-user"]):
        command = [shutil.which("unshare") or "unshare", *options]
        try:
            subprocess.run([*command, "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return command
    pytest.skip("NOT TESTED: no right to mount a file system of a limited size here")


def test_a_full_disk_stops_acknowledgements_and_nothing_else(tmp_path: Path) -> None:
    command = [
        *own_mounts(),
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "tests.stream.full_disk_program",
        str(tmp_path / "town"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as program:
        try:
            _, said = program.communicate(timeout=2 * PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(program.pid, signal.SIGKILL)
            raise

    assert program.returncode == 0, said
