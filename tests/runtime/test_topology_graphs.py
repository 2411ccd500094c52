"""The topologies of a project, planned for an installation."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.errors import DeclarationError, UsageError
from penstock.runtime.explain import explain
from penstock.runtime.installation import Installation
from penstock.runtime.replaying import replay_topologies
from penstock.runtime.stream import stream
from tests.stream.lending import COUNT, lending

WAITING = (
    COUNT
    + """\
  - name: waiting
    input: loans_typed
    steps: [{lookup: {table: gold.members, on: {member: id}, columns: {town: town}}}]
    outputs: [{topic: with_towns}]
"""
)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    lending(tmp_path, WAITING)
    return Installation.at(tmp_path)


def test_a_topology_is_explained_and_runs_while_another_one_waits_for_a_release(installation: Installation) -> None:
    assert explain(installation, "counted").kind == "topology"
    assert [state.topology for state in stream(installation, ["counted"], until_idle=True)] == ["counted"]

    with pytest.raises(DeclarationError):
        stream(installation, until_idle=True)


def test_what_never_ran_has_no_history_to_take_again(installation: Installation) -> None:
    with pytest.raises(UsageError, match="no history yet"):
        replay_topologies(installation, ["counted"])
