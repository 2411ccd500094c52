"""The quickstart is run as a reader would type it, and must print what it shows."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
BLOCK = re.compile(r"^```(bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LOOSELY = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def steps(page: str) -> Iterator[tuple[str, str | None]]:
    """(what is typed, what is then shown or None) in order. In a console block `$ ` begins what is typed."""
    for kind, block in BLOCK.findall(page):
        if kind == "bash":
            yield block, None
            continue
        for command in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            typed, _, shown = command.partition("\n")
            yield typed, shown


def type_in(folder: Path, typed: str) -> str:
    """Standard output of a command typed in the folder; its exit code is not judged, a refused row gives 1."""
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "100"}
    done = subprocess.run(["bash", "-uc", typed], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout if done.returncode == 0 else done.stdout + done.stderr


def test_the_quickstart_prints_what_it_shows(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
    for typed, shown in steps(page):
        printed = type_in(tmp_path, typed)
        if shown is not None and not doctest.OutputChecker().check_output(shown, printed, LOOSELY):
            pytest.fail(f"$ {typed}\n--- the page shows\n{shown}\n--- it printed\n{printed}")
