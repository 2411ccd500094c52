"""A column that a topology looks up is personal as it was released, whatever it is called."""

from __future__ import annotations

from pathlib import Path

from penstock.runtime.installation import Installation
from penstock.runtime.live_agreement import problems_of_live
from tests.release.release_shapes import House, ModelColumn, model
from tests.stream.lending import lending

TOPOLOGY = """\
  - name: beside
    input: loans_typed
    steps:
      - {lookup: {table: gold.members, on: {member: id}, columns: {place: town, kind: status}}}
    outputs:
      - {live: towns, key: [loan], columns: [loan, place, kind]}
"""


def test_what_was_released_as_personal_is_refused(house: House, tmp_path: Path) -> None:
    columns = (ModelColumn("id", "string"), ModelColumn("town", "string", classification="personal"))
    house.release(model("members", [("m", "Ulm", "new")], *columns, ModelColumn("status", "string")))
    lending(tmp_path / "project", TOPOLOGY)
    (tmp_path / "project" / "endpoints").mkdir()
    served = "endpoints: []\nlive:\n  - {path: /towns, live: towns, columns: [loan, place, kind]}\n"
    (tmp_path / "project" / "endpoints" / "live.yml").write_text(served)

    (problem,) = problems_of_live(Installation.at(tmp_path / "project", house.root))

    assert "`place` is personal" in str(problem)
    assert "made of gold.members.town" in str(problem)
