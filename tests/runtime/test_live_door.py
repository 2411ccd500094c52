"""What the server is told of live tables: the columns that their topologies make of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.runtime.installation import Installation
from penstock.runtime.serving import live_door
from tests.stream.lending import lending

TOPOLOGY = """\
  - name: watch
    input: loans_typed
    steps:
      - {derive: {late: "fee > 1"}}
      %s
    outputs:
      - {live: last, key: [loan], columns: [loan, fee, lent, late]}
      - {live: unserved, key: [loan], columns: [loan]}
"""
SERVED = "live:\n  - {path: /last, live: last, columns: [loan, fee, lent, late]}\n"
UNRELEASED = "- {lookup: {table: gold.members, on: {member: id}, columns: {town: town}}}"
KINDS = {"last": {"loan": "text", "fee": "decimal(10,2)", "lent": "instant", "late": "boolean"}}


@pytest.mark.parametrize(("step", "kinds"), [("", KINDS), (UNRELEASED, {})])
def test_columns_have_types_as_soon_as_the_topology_can_be_planned(
    tmp_path: Path, step: str, kinds: dict[str, dict[str, str]]
) -> None:
    lending(tmp_path, TOPOLOGY % step)
    (tmp_path / "endpoints").mkdir()
    (tmp_path / "endpoints" / "live.yml").write_text(SERVED)

    door = live_door(Installation.at(tmp_path))

    assert {name: {one.name: one.kind for one in shape.columns} for name, shape in door.shapes.items()} == kinds
    assert door.topologies == {"last": "watch", "unserved": "watch"}
