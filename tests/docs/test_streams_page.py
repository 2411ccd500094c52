"""What the page about streams shows is declared so, and does what it says."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest

from penstock.runtime.installation import Installation
from penstock.runtime.landing import land_topics
from penstock.runtime.live_rows import live_rows
from penstock.runtime.replaying import replay_topologies
from penstock.runtime.stream import stream
from penstock.runtime.topics import append_lines, peek
from penstock.spec.stream import Operation

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "streams.md").read_text()


def block(language: str, *, below: str = "# Streams") -> str:
    """The first block of a language below a heading."""
    found = re.search(rf"```{language}\n(.*?)```", PAGE[PAGE.index(f"{below}\n") :], re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "projects" / "library", tmp_path / "library", ignore=shutil.ignore_patterns(".penstock"))
    return tmp_path / "library"


@pytest.fixture
def library(folder: Path) -> Installation:
    return Installation.at(folder)


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

    assert (landed.rows, landed.settled, landed.quarantined, landed.duplicates) == (6, 4, 1, 1)
    assert (replayed.rows, replayed.different) == (2, 0)


def test_the_model_shown_scores_the_rows_as_told(folder: Path) -> None:
    section = "## Score with a model"
    (folder / "scoring").mkdir()
    (folder / "streams" / "disputes.yml").write_text(block("yaml", below=section))
    (folder / "scoring" / "dispute_odds.py").write_text(block("python", below=section))
    library = Installation.at(folder)

    append_lines(library, "loan_events", [line.encode() for line in block("json").splitlines()])
    stream(library, until_idle=True)

    scored = live_rows(library, "disputes", order="odds desc", limit=9)
    odds = {row["loan_id"]: row["odds"] and f"{row['odds']:.4f}" for row in scored}
    assert odds == {"L4": "0.9996", "L2": "0.6225", "L3": "0.4875", "L1": None}
    sentence = PAGE[PAGE.index(section) :]
    assert all(name in sentence and (value is None or value in sentence) for name, value in odds.items())


def test_every_operation_stands_in_the_table() -> None:
    table = PAGE[PAGE.index("| step |") : PAGE.index("A row of a topic is held")]

    listed = {line.split("`")[1] for line in table.splitlines()[2:] if line}

    assert listed == {operation.__name__.lower() for operation in get_args(Operation)}


def test_every_command_of_the_page_is_one() -> None:
    from penstock.cli.commands import app

    known = {"stream": {"run", "rows", "state"}, "topics": {"list", "peek", "tail", "append"}}
    for group in app.registered_groups:
        if group.name in known and group.typer_instance is not None:
            commands: Any = group.typer_instance.registered_commands
            assert known[group.name] <= {command.name for command in commands}
