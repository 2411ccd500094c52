"""A server that a test starts, and ends by its process id."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from typing import Any

from tests.waiting import PATIENCE, wait_for


@contextmanager
def served(process: subprocess.Popen[str], address: str, *said: str) -> Iterator[str]:
    """Its address once it answers. Being told to end is no failure; before, it said all this."""
    try:
        until_answered(process, address)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err
    for words in said:
        assert words in out


def until_answered(process: subprocess.Popen[str], address: str) -> None:
    def answers() -> bool:
        assert process.poll() is None, "the server has ended"
        with suppress(OSError, HTTPException):
            get(f"{address}/health")
            return True
        return False

    wait_for(answers, pause=0.05)


def get(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
        return json.load(answer)
