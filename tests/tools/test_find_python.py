from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.finding import ROOT


def find(python: str = "", *, path: str = "/usr/bin:/bin") -> subprocess.CompletedProcess[str]:
    """The search, told to look at this interpreter alone, or on this path."""
    search = ["/bin/sh", str(ROOT / "tools" / "find_python")]
    return subprocess.run(search, env={"PYTHON": python, "PATH": path}, capture_output=True, text=True, check=False)


@pytest.fixture
def interpreter(tmp_path: Path) -> Callable[..., str]:
    """A stand-in for an interpreter that answers by this shell script."""

    def make(script: str, name: str = "python3") -> str:
        path = tmp_path / "a place" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)

    return make


def test_a_good_interpreter_is_taken() -> None:
    assert find(sys.executable).stdout.strip() == sys.executable


def test_an_old_interpreter_is_named_with_its_version(interpreter: Callable[..., str]) -> None:
    found = find(interpreter('case "$1" in --version) echo Python 3.9.2;; *) exit 1;; esac'))
    assert found.returncode == 1
    assert "needs Python 3.11 or newer; " in found.stderr
    assert "is Python 3.9.2" in found.stderr


def test_an_interpreter_without_venv_says_which_package_to_install(interpreter: Callable[..., str]) -> None:
    found = find(interpreter('case "$2" in *venv*) exit 1;; esac'))
    assert found.returncode == 1
    assert "apt-get install python3-venv" in found.stderr


def test_no_interpreter_at_all_is_said_in_one_sentence() -> None:
    found = find("/nowhere/python3")
    assert found.returncode == 1
    assert "none was found" in found.stderr


def test_a_shim_that_cannot_run_is_passed_over(interpreter: Callable[..., str]) -> None:
    broken = Path(interpreter("exit 127", "python3.11"))
    interpreter(f'exec "{sys.executable}" "$@"')
    assert find(path=str(broken.parent)).stdout.strip() == "python3"
