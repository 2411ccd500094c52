"""What the page about streams shows is declared so, and does what it says."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from penstock.runtime.installation import Installation
from penstock.runtime.landing import land_topics
from penstock.runtime.live_rows import live_rows
from penstock.runtime.replaying import replay_topologies
from penstock.runtime.stream import stream
from penstock.runtime.topics import append_lines, peek

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "streams.md").read_text()


def block(language: str) -> str:
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(text)


@pytest.fixture
def library(tmp_path: Path) -> Installation:
    shutil.copytree(ROOT / "projects" / "library", tmp_path / "library", ignore=shutil.ignore_patterns(".penstock"))
    return Installation.at(tmp_path / "library")


def test_the_declaration_shown_is_the_whole_of_the_file() -> None:
    assert block("yaml") == (ROOT / "projects" / "library" / "streams" / "loans.yml").read_text()


def test_the_events_shown_go_the_way_that_is_told(library: Installation) -> None:
    appended = append_lines(library, "loan_events", [line.encode() for line in block("json").splitlines()])

    (state,) = stream(library, until_idle=True)

    assert f"{appended} rows appended" in block("console")
    assert (state.counts["accepted"], state.counts["quarantined"], state.lag) == (5, 1, 0)
    hours = live_rows(library, "loans_by_hour", order="fees desc", limit=9)
    assert [(row["loans"], str(row["fees"]), row["final"]) for row in hours] == [(1, "9.00", False), (3, "3.70", False)]
    (odd,) = peek(library, "odd_fees", limit=9)
    assert (odd["loan_id"], round(odd["fee_score"])) == ("L4", 31)
    (rejected,) = peek(library, "desk.rejected", limit=9)
    assert json.loads(rejected["raw"])["loan_id"] == "L5"


def test_what_was_landed_is_replayed_to_the_same_rows(library: Installation) -> None:
    append_lines(library, "loan_events", [line.encode() for line in block("json").splitlines()])
    stream(library, until_idle=True)

    (landed,) = land_topics(library, until_idle=True)
    (replayed,) = replay_topologies(library)

    assert (landed.rows, landed.settled, landed.quarantined) == (6, 4, 1)
    assert (replayed.rows, replayed.different) == (2, 0)


def test_every_command_of_the_page_is_one() -> None:
    from penstock.cli.main import app

    known = {"stream": {"run", "rows", "state"}, "topics": {"list", "peek", "tail", "append"}}
    for group in app.registered_groups:
        if group.name in known and group.typer_instance is not None:
            commands: Any = group.typer_instance.registered_commands
            assert known[group.name] <= {command.name for command in commands}
