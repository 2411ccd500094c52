"""What steps receive of a topic: a change of its contract that cannot alter that is no change of theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.runtime.installation import Installation
from penstock.runtime.live_rows import live_rows
from penstock.runtime.stream import stream
from penstock.runtime.topics import append_lines
from penstock.spec.loading import load_project
from penstock.spec.project import Project
from penstock.stream.plan import make_graphs
from penstock.stream.state import _of_whole_contracts, check_same, fingerprints
from tests.stream.lending import COUNT, lending

STEPS = """\
  - name: steps
    input: loans_typed
    steps:
      - running: {key: [member], value: fee, count: earlier}
      - {name: near, join: {with: loans_json, on: {member: member}, identity: [loan], tolerance: PT1H, columns: {other: loan}}}
    outputs:
      - {live: latest, key: [member], columns: [member, earlier]}
"""
TITLE = "{id: title, name: title, logicalType: string}"
NOTE = f"{TITLE}\n      - {{id: note, name: note, logicalType: string}}"
PROPERTIES = "    properties:\n"
OWN = "    customProperties: [{property: "
OF_THE_DATASET = {
    "version": ("version: 1.0.0", "version: 1.1.0"),
    "owner": ("status: active", "status: active\nteam: {name: Desk}"),
    "description": (TITLE, TITLE.replace("}", ", description: What it is called}")),
    "classification": (TITLE, TITLE.replace("}", ", classification: personal}")),
    "freshness": ("schema:\n", "slaProperties: [{property: freshness, value: 2, unit: d}]\nschema:\n"),
    "winner": (PROPERTIES, f"{OWN}penstock.dedupe, value: {{order_by: lent}}}}]\n{PROPERTIES}"),
    "evolution": (PROPERTIES, f"{OWN}penstock.evolution, value: freeze}}]\n{PROPERTIES}"),
}
OF_THE_ROWS = {
    "bound": ("minimum: 0", "minimum: 1"),
    "required": (TITLE, TITLE.replace("}", ", required: true}")),
    "type": (TITLE, TITLE.replace("string", "integer")),
    "pattern": (TITLE, TITLE.replace("}", ", logicalTypeOptions: {pattern: E}}")),
    "checked column": (TITLE, f"{TITLE}\n      - {{id: pages, name: pages, logicalType: integer}}"),
    "spelled alike": (TITLE, f"{TITLE}\n      - {{id: mem, name: mem_ber, logicalType: string}}"),
    "pseudonym": ("primaryKey: true, required: true", "primaryKey: true, required: true, classification: personal"),
}


def changed(root: Path, old: str, new: str, *, topologies: str = STEPS) -> tuple[Project, Project]:
    """The project before and after a change of its contract."""
    before = lending(root, topologies)
    contract = root / "contracts" / "loans.yml"
    text = contract.read_text()
    contract.write_text(text.replace(old, new))
    assert contract.read_text() != text
    return before, load_project(root)


def changes(before: Project, after: Project) -> set[str]:
    was, now = (fingerprints(make_graphs(one, lambda _: None)["steps"]) for one in (before, after))
    return {name for name in now if now[name] != was[name]}


@pytest.mark.parametrize(("old", "new"), OF_THE_DATASET.values(), ids=OF_THE_DATASET)
def test_what_the_dataset_alone_is_about_changes_no_step(tmp_path: Path, old: str, new: str) -> None:
    assert changes(*changed(tmp_path, old, new)) == set()


def test_a_column_that_takes_any_value_changes_joins_alone_for_they_remember_whole_rows(tmp_path: Path) -> None:
    assert changes(*changed(tmp_path, TITLE, NOTE)) == {"near"}


@pytest.mark.parametrize(("old", "new"), OF_THE_ROWS.values(), ids=OF_THE_ROWS)
def test_what_decides_rows_changes_the_steps_behind_them(tmp_path: Path, old: str, new: str) -> None:
    assert changes(*changed(tmp_path, old, new)) == {"loans_typed", "loans_json", "running", "near"}


def test_where_an_unknown_column_leaves_rows_out_each_column_counts(tmp_path: Path) -> None:
    leaving_out = f"{OWN}penstock.evolution, value: discard_row}}]\n{PROPERTIES}"
    with_note = leaving_out + "      - {id: note, name: note, logicalType: string}\n"
    before, after = (changed(tmp_path, PROPERTIES, text)[1] for text in (leaving_out, with_note))
    assert changes(before, after) == {"loans_typed", "loans_json", "running", "near"}


def test_statistics_go_on_when_a_column_was_added(tmp_path: Path) -> None:
    lending(tmp_path, COUNT)
    line = b'{"loan": "L%d", "member": "m", "fee": 1, "lent": "2026-03-01T00:00:00Z"}'
    append_lines(Installation.at(tmp_path), "loans_typed", [line % 1, line % 2])
    stream(Installation.at(tmp_path), until_idle=True)
    changed(tmp_path, TITLE, NOTE, topologies=COUNT)

    append_lines(Installation.at(tmp_path), "loans_typed", [line % 3])
    stream(Installation.at(tmp_path), until_idle=True)

    assert [row["earlier"] for row in live_rows(Installation.at(tmp_path), "latest", order=None, limit=9)] == [2]


def test_state_that_was_made_before_contracts_were_told_apart_is_taken_over(tmp_path: Path) -> None:
    graph = make_graphs(lending(tmp_path, STEPS), lambda _: None)["steps"]
    assert set(check_same(graph, _of_whole_contracts(graph), adopt=False)) == set(fingerprints(graph))
