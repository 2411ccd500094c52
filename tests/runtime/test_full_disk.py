"""On a full disk everything can be read, also while nobody holds a file open."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.log.protocol import LogStorageError
from penstock.runtime.installation import Installation
from penstock.runtime.stream import stream
from penstock.runtime.topics import append_lines
from tests.flows.command import call
from tests.full_disk import no_room_for_any_file
from tests.stream.lending import lending

WATCH = """\
  - name: watch
    input: loans_typed
    steps:
      - running: {key: [member], value: fee, count: earlier}
    outputs:
      - {topic: scored, key: [member], columns: [loan, member, earlier]}
      - {live: latest, key: [loan], columns: [loan, member, earlier]}
"""
LINE = b'{"loan": "L%d", "member": "m%d", "fee": 1.5, "lent": "2026-03-01T00:00:00Z"}'


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Loans went their way, and all who wrote them have ended."""
    lending(tmp_path, WATCH)
    installation = Installation.at(tmp_path)
    append_lines(installation, "loans_typed", [LINE % (number, number % 3) for number in range(20)])
    stream(installation, until_idle=True)
    return installation


@pytest.mark.parametrize(
    "look",
    [
        ("stream", "rows", "latest", "--json"),
        ("topics", "peek", "scored"),
        ("topics", "peek", "loans_typed"),
        ("topics", "list", "--json"),
        ("status", "--json"),
    ],
    ids=" ".join,
)
def test_a_look_shows_what_it_shows_where_there_is_room(installation: Installation, look: tuple[str, ...]) -> None:
    def shown() -> bytes:
        return call(*look, "--project", installation.project.root).expect(0).output

    before = shown()

    with no_room_for_any_file():
        found = shown()

    assert any(word in before for word in (b"L19", b"20"))
    assert (found, shown()) == (before, before)


def test_nothing_is_appended_until_there_is_room(installation: Installation) -> None:
    with no_room_for_any_file(), pytest.raises(LogStorageError, match="The disk is full"):
        append_lines(installation, "loans_typed", [LINE % (20, 0)])

    append_lines(installation, "loans_typed", [LINE % (20, 0)])

    topics = call("topics", "list", "--json", "--project", installation.project.root).expect(0).document
    assert {one["name"]: one["rows"] for one in topics}["loans_typed"] == 21
