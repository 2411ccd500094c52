"""Help is everywhere, and looking is quick: nothing heavy is imported before it is needed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from penstock import __version__
from tests.flows.command import PENSTOCK, call
from tests.flows.library import Library

COMMANDS = ("init", "validate", "plan", "explain", "run", "status", "history", "query", "export", "doctor", "demo")
HEAVY = {"dbt", "pyiceberg", "duckdb", "pyarrow", "jsonschema", "sqlglot", "sqlalchemy", "numpy"}
MOST = 450  # modules that `--help` imports, so that it is there at once; Python itself takes some thirty


def imported(library: Library, *arguments: str) -> list[str]:
    """The modules that a command imports, in a process of its own."""
    command = [sys.executable, "-X", "importtime", str(PENSTOCK), *arguments]
    measured = {name for name in os.environ if name.startswith("COV")}
    environment = {name: value for name, value in os.environ.items() if name not in measured}
    done = subprocess.run(
        command, env={**environment, **library.environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if "|" in line]


def packages(modules: list[str]) -> set[str]:
    return {name.split(".")[0] for name in modules}


def test_help_imports_nothing_heavy_and_little_else(library: Library) -> None:
    modules = imported(library, "--help")
    assert packages(modules) & HEAVY == set()
    assert len(modules) < MOST


@pytest.mark.parametrize("command", ["run", "plan", "status", "history"])
def test_a_look_with_nothing_new_opens_no_lake_and_no_dbt(library: Library, command: str) -> None:
    library.run()  # the ledger is read once after it changed, and remembered
    modules = imported(library, command, *library.place)
    assert packages(modules) & {"dbt", "pyiceberg", "duckdb", "sqlalchemy"} == set()


@pytest.mark.parametrize("command", [*COMMANDS, "quarantine list", "quarantine show", "quarantine replay"])
def test_every_command_says_what_it_does(command: str) -> None:
    shown = call(*command.split(), "--help").expect(0).out
    assert f"penstock {command}" in shown
    assert "--json" in shown or command == "init"
    assert call(*command.split(), "-h").expect(0).out == shown


def test_the_first_help_lists_every_command() -> None:
    shown = call("--help").expect(0).out
    assert all(f" {command} " in shown for command in (*COMMANDS, "quarantine"))


def test_the_version_is_told() -> None:
    assert call("--version").expect(0).out == f"penstock {__version__}\n"
