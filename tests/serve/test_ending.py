"""Before there is a server, the word to end just ends the process; afterwards everything is as it was."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from penstock.runtime.shutdown import exit_on_stop
from tests.waiting import PATIENCE

LOADING = """
import threading
from penstock.runtime.shutdown import exit_on_stop
with exit_on_stop():
    print("loading", flush=True)
    threading.Event().wait(600)
"""


@pytest.mark.parametrize("word", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_still_loads_ends_without_complaint(word: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", LOADING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "loading\n"

    process.send_signal(word)
    _, err = process.communicate(timeout=PATIENCE)

    assert (process.returncode, err) == (0, "")


def test_handlers_are_given_back() -> None:
    before = [signal.getsignal(word) for word in (signal.SIGTERM, signal.SIGINT)]

    with exit_on_stop():
        assert signal.getsignal(signal.SIGTERM) is not before[0]

    assert [signal.getsignal(word) for word in (signal.SIGTERM, signal.SIGINT)] == before
