"""Readers that the project no longer declares: named when they hold rows back, and forgotten when told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from penstock.errors import UsageError
from penstock.log.protocol import beginning, end
from penstock.runtime.doctor import examine
from penstock.runtime.event_log import open_log
from penstock.runtime.installation import Installation
from penstock.runtime.readers import Unread, forget_reader, held_back
from penstock.runtime.topics import append_lines
from penstock.runtime.topology import declared_topic
from tests.flows.command import call
from tests.stream.lending import lending

COPY = "  - {name: copy, input: loans_typed, outputs: [{topic: copied}]}\n"
LINES = [b'{"loan": "L%d", "member": "m%d", "fee": 1, "lent": "2026-03-01T00:00:00Z"}' % (n, n % 5) for n in range(10)]
GONE = Unread("elsewhere", "loans_typed", len(LINES))


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Ten rows that no reader has read, neither a declared one nor the one that is gone."""
    lending(tmp_path, COPY)
    installation = Installation.at(tmp_path)
    append_lines(installation, "loans_typed", LINES)
    with open_log(installation) as log:
        for reader in ("elsewhere", "lake.loans_typed", "copy"):
            log.save_positions(reader, beginning(log, "loans_typed"))
    return installation


def keep(installation: Installation, retention: timedelta) -> None:
    with open_log(installation) as log:
        log.ensure(replace(declared_topic(installation.project, "loans_typed"), retention=retention))


def test_only_an_undeclared_reader_of_rows_beyond_retention_holds_back(installation: Installation) -> None:
    assert held_back(installation) == ()
    keep(installation, timedelta(days=1))
    assert held_back(installation) == ()
    keep(installation, timedelta(0))
    assert held_back(installation) == (GONE,)
    with open_log(installation) as log:
        log.save_positions("elsewhere", end(log, "loans_typed"))
    assert held_back(installation) == ()


def test_a_forgotten_reader_holds_back_nothing(installation: Installation) -> None:
    keep(installation, timedelta(0))
    assert forget_reader(installation, "elsewhere") == (GONE,)
    assert held_back(installation) == ()
    with pytest.raises(UsageError, match="knows no such reader"):
        forget_reader(installation, "elsewhere")


@pytest.mark.parametrize("reader", ["lake.loans_typed", "copy"])
def test_a_declared_reader_is_not_forgotten(installation: Installation, reader: str) -> None:
    with pytest.raises(UsageError, match="declares this reader"):
        forget_reader(installation, reader)
    with open_log(installation) as log:
        assert reader in log.readers()


def test_doctor_names_who_holds_back_and_the_command_says_what_is_given_up(installation: Installation) -> None:
    keep(installation, timedelta(0))
    named = {one.subject: one for one in examine(installation) if one.subject.startswith("reader")}
    assert set(named) == {"reader elsewhere"}
    found = named["reader elsewhere"]
    assert not found.ok
    assert "10 rows of loans_typed wait for it" in found.text
    assert "penstock topics forget elsewhere" in found.text
    told = call("topics", "forget", "elsewhere", "--json", "--project", installation.project.root).expect(0).document
    assert told == {"reader": "elsewhere", "given_up": [{"topic": "loans_typed", "rows": 10}]}
