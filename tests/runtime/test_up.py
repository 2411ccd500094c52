"""What `penstock up` keeps running, and when each part may begin."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from penstock.errors import LeaseHeld, UsageError
from penstock.log.lock import FolderLock
from penstock.runtime import up
from penstock.runtime.installation import Installation
from penstock.runtime.parts import read_parts
from penstock.runtime.supervisor import Part
from tests.stream.lending import lending

COPY = "  - {name: copy, input: loans_typed, outputs: [{topic: copied}]}\n"
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


def test_parts_import_nothing_from_the_folder_where_they_are_begun(tmp_path: Path) -> None:
    lending(tmp_path, COPY)
    (tmp_path / "typer.py").write_text("raise SystemExit(7)")

    for part in up.parts_of(Installation.at(tmp_path)):
        python = part.command[: part.command.index("-c") + 2]
        assert subprocess.run([*python, "--version"], cwd=tmp_path, capture_output=True).returncode == 0


def test_a_second_one_on_a_data_directory_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    lending(tmp_path, COPY)
    installation, said = Installation.at(tmp_path), list[str]()
    parts = up.parts_of(installation)
    lock = FolderLock.take(installation.place.root / "locks" / "up.lock", "parts", installation.world)

    with pytest.raises(LeaseHeld, match=f"Another `penstock up` keeps .* found pid {os.getpid()}"):
        up.up(installation, parts, say=said.append)

    lock.release()
    assert (said, read_parts(installation)) == ([], ())


def test_a_port_that_is_taken_is_told_before_anything_runs() -> None:
    serve = Part("serve", ("true",))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match="The port is taken"):
            up.require_address([serve], "127.0.0.1", port)
        up.require_address([], "127.0.0.1", port)
