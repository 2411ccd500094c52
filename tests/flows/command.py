"""The `penstock` command as a user calls it: in this process, where many calls need one start-up, or in its own."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from penstock.cli.main import answer
from tests.waiting import PATIENCE

ROOT = Path(__file__).parent.parent.parent
PENSTOCK = Path(sys.executable).parent / "penstock"


@dataclass(frozen=True)
class Done:
    """What a command left: exit code, standard output as bytes, standard error as text."""

    code: int
    output: bytes
    err: str

    @property
    def out(self) -> str:
        return self.output.decode()

    @property
    def document(self) -> Any:
        """Standard output as exactly one JSON document."""
        return json.loads(self.output)

    def expect(self, code: int) -> Done:
        """The same, if the exit code is the one expected; never with a traceback."""
        assert self.code == code, f"exit code {self.code}, not {code}\n{self.out}\n{self.err}"
        assert "Traceback" not in self.err + self.output.decode(errors="replace")
        return self


def call(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> Done:
    """Run the command in this process."""
    output = io.BytesIO()
    out, err = io.TextIOWrapper(output, encoding="utf-8", write_through=True), io.StringIO()
    with ExitStack() as stack:
        stack.enter_context(patch.object(sys, "argv", ["penstock", *map(str, arguments)]))
        stack.enter_context(patch.object(sys, "stdout", out))
        stack.enter_context(patch.object(sys, "stderr", err))
        stack.enter_context(patch.dict(os.environ, environment or {}))
        code = _code()
    out.flush()
    return Done(code, output.getvalue(), err.getvalue())


def _code() -> int:
    try:
        return answer()
    except SystemExit as leaving:
        return int(leaving.code or 0)


def start(
    *arguments: str | Path,
    environment: Mapping[str, str] | None = None,
    signalled: tuple[signal.Signals, str] | None = None,
) -> subprocess.Popen[str]:
    """Run the command in a process of its own, and do not wait. `signalled`: a signal that it gets, and the step that it
    has said to begin with just then."""
    program: list[str | Path] = [PENSTOCK]
    if signalled is not None:
        program = [sys.executable, "-m", "tests.flows.signalled_program", signalled[0].name, signalled[1]]
    return subprocess.Popen(
        [*program, *map(str, arguments)],
        cwd=None if signalled is None else ROOT,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> Done:
    out, err = process.communicate(timeout=PATIENCE)
    return Done(process.returncode, out.encode(), err)
