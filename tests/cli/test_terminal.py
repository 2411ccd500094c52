"""What a command does at a terminal that is not as one would wish, and at Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.flows.command import PENSTOCK
from tests.flows.library import Library, loan
from tests.waiting import PATIENCE


def shown(terminal: int) -> bytes:
    """All that came to a terminal until nobody had its other end any more."""
    told = b""
    with os.fdopen(terminal, "rb", buffering=0) as stream, suppress(OSError):  # how Linux says so
        while part := stream.read(10_000):
            told += part
    return told


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_letters_that_a_terminal_does_not_know_are_escaped(library: Library, encoding: str) -> None:
    library.loans("tuesday", "6,Łukasz")
    library.run()
    environment = {**os.environ, **library.environment, "PYTHONIOENCODING": encoding}
    for form in ((), ("--json",)):
        command = [PENSTOCK, "quarantine", "show", "loans", *form, *library.place]
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        shown = done.stdout.decode(encoding)
        if form:
            assert "6,Łukasz" in [row["read"] for row in json.loads(shown)]
        else:
            assert ("Łukasz" if encoding == "utf-8" else "\\u0141ukasz") in shown


def test_a_run_that_is_interrupted_says_what_becomes_of_its_work(library: Library) -> None:
    library.loans("tuesday", loan(6))
    running = library.start("run", signalled=(signal.SIGINT, "read loans"))
    _, told = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    assert "stopped; what was committed stays, and the next run finishes the rest" in told
    assert library.run()["release"] == 2


def test_a_line_is_not_broken_at_the_edge_of_a_terminal(library: Library) -> None:
    library.loans("tuesday", "6," + "long " * 40 + "reader")
    library.run()
    ours, theirs = pty.openpty()
    environment = {**os.environ, **library.environment, "COLUMNS": "40"}
    subprocess.run(
        [PENSTOCK, "quarantine", "show", "loans", *library.place], env=environment, stdout=theirs, check=True
    )
    os.close(theirs)
    assert b"  read: 6," + b"long " * 40 + b"reader" in shown(ours)


def test_what_takes_long_is_told_at_a_terminal(library: Library) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, **library.environment, "TERM": "xterm", "COLUMNS": "100"}
    command: list[str | Path] = [PENSTOCK, "validate", *library.place]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=theirs, text=True) as validating:
        os.close(theirs)
        told = shown(ours)
        assert validating.stdout is not None
        assert "is valid" in validating.stdout.read()
    for step in ("compile the contracts", "read the models", "compile the metrics", "ask the checks"):
        assert step in told.decode()


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_a_reader_that_has_seen_enough_ends_a_query_quietly(library: Library, form: str) -> None:
    sql = "SELECT repeat('x', 100) AS x FROM range(100000)"
    command: list[str | Path] = [PENSTOCK, "query", sql, "--limit", "0", "--format", form, *library.place]
    query = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert query.stdout is not None
    assert query.stderr is not None
    query.stdout.readline()
    query.stdout.close()
    told = query.stderr.read()
    query.stderr.close()
    assert (query.wait(timeout=PATIENCE), told) == (0, b"")


def test_a_reader_that_has_seen_enough_ends_any_command_quietly(library: Library) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run([PENSTOCK, "status", *library.place], stdout=theirs, stderr=subprocess.PIPE, check=False)
    os.close(theirs)
    assert (done.returncode, done.stderr) == (0, b"")


def test_many_files_that_tell_the_same_are_told_once(library: Library) -> None:
    for number in range(6):
        library.loans(f"copy{number}", loan(20 + number))
    library.run()
    for path in library.inbox.glob("loans_copy*"):
        os.utime(path, (1, 1))

    told = library.call("run").expect(0).output.decode()

    assert told.count("identical: ") == 4
    assert "identical: loans: and 3 more files" in told


def test_a_command_ends_after_its_threads_and_what_was_left_for_the_end() -> None:
    program = (
        "import atexit, sys, threading, time\n"
        "from penstock.cli.main import main\n"
        "atexit.register(print, 'at the end')\n"
        "threading.Thread(target=lambda: time.sleep(0.2) or print('a thread')).start()\n"
        "sys.argv = ['penstock', 'status', '--project', '/nowhere/at/all']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "a thread\nat the end\n")
    assert done.stderr.startswith("error: ")
