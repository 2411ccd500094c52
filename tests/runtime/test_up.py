"""What `penstock up` keeps running, and when each part may begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.runtime import up
from penstock.runtime.installation import Installation
from tests.stream.lending import lending

LOOKED_UP = """\
  - name: told
    input: loans_typed
    steps:
      - lookup: {table: TABLE, on: {member: member}, columns: {town: TOWN}}
    outputs: [{topic: told_loans}]
"""


@pytest.mark.parametrize(
    ("table", "town", "released", "begins"),
    [
        ("gold.members", "town", False, False),
        ("gold.members", "town", True, True),
        ("silver.loans", "title", False, True),
    ],
)
def test_streams_that_look_up_what_is_not_released_wait_for_the_first_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, town: str, released: bool, begins: bool
) -> None:
    lending(tmp_path, LOOKED_UP.replace("TABLE", table).replace("TOWN", town))

    stream = {part.name: part for part in up.parts_of(Installation.at(tmp_path))}["stream"]
    monkeypatch.setattr(up, "latest_release", lambda _: object() if released else None)

    assert stream.ready() == begins
