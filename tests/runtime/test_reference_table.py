"""What streams look up: a table as it was at a release, and only that table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from penstock.lake.lake import Lake
from penstock.lake.records import stored_records
from penstock.log.embedded import EmbeddedLog
from penstock.runtime.installation import Installation
from penstock.runtime.landing import land_topics
from penstock.runtime.lookup_releases import KIND, named_releases
from penstock.runtime.reference_table import read_reference
from penstock.runtime.stream import stream
from penstock.runtime.topics import append_lines
from penstock.stream.journal import Round
from tests.release.release_shapes import House, model
from tests.stream.lending import lending

NAMED = """\
  - name: named
    input: loans_typed
    steps:
      - {lookup: {table: silver.loans, on: {loan: loan}, columns: {known: member}}}
    outputs:
      - {live: latest, key: [loan], columns: [loan, known]}
"""


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    lending(tmp_path, "")
    return Installation.at(tmp_path)


def land(installation: Installation, loan: str) -> int:
    """Bring one more loan to silver; the snapshot of silver.loans with it."""
    line = f'{{"loan": "{loan}", "member": "m1", "fee": 1, "lent": "2026-03-01T00:00:00Z"}}'
    append_lines(installation, "loans_typed", [line.encode()])
    land_topics(installation, ["loans_typed"], until_idle=True)
    with Lake.open(installation.place.root, installation.world) as lake:
        head = lake.head("silver.loans")
    assert head is not None
    assert head.snapshot_id is not None
    return head.snapshot_id


def loans(installation: Installation, release: int | None = None) -> tuple[int, list[str]]:
    found = read_reference(installation, "silver.loans", ("loan",), release=release)
    return found.version, sorted(found.rows.column("loan").to_pylist())


def test_silver_is_looked_up_as_it_was_at_the_newest_release(installation: Installation) -> None:
    house = House(installation.place.root, installation.world)
    first = land(installation, "L1")
    assert loans(installation) == (0, ["L1"])
    house.release(model("a", [1]), loans=first)
    second = land(installation, "L2")
    assert loans(installation) == (1, ["L1"])
    house.release(model("a", [2]), loans=second)

    assert loans(installation) == (2, ["L1", "L2"])
    assert loans(installation, release=1) == (1, ["L1"])


def test_only_the_table_that_is_looked_up_is_planned(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = land(installation, "L1")
    House(installation.place.root, installation.world).release(model("a", [1]), model("b", [1]), loans=snapshot)
    planned, scan = [], Lake.scan
    monkeypatch.setattr(Lake, "scan", lambda lake, name, **given: planned.append(name) or scan(lake, name, **given))

    found = read_reference(installation, "gold.a", ("n",))

    assert (found.rows.column("n").to_pylist(), set(planned)) == ([1], {"gold.a"})


def test_the_releases_that_rounds_name_must_stay_and_those_between_need_not(tmp_path: Path) -> None:
    lending(tmp_path, NAMED)
    installation = Installation.at(tmp_path)
    assert named_releases(installation) == set()
    house = House(installation.place.root, installation.world)
    first = land(installation, "L1")
    house.release(model("a", [1]), loans=first)
    house.release(model("a", [2]), loans=first)
    stream(installation, until_idle=True)
    for number in (3, 4):
        house.release(model("a", [number]), loans=land(installation, f"L{number}"))
    stream(installation, until_idle=True)

    assert named_releases(installation) == {2, 4}


def test_a_log_that_is_older_than_the_first_release_names_those_that_its_rounds_do(tmp_path: Path) -> None:
    lending(tmp_path, NAMED)
    installation = Installation.at(tmp_path)
    house = House(installation.place.root, installation.world)
    first = land(installation, "L1")
    stream(installation, until_idle=True)
    house.release(model("a", [1]), loans=first)
    house.release(model("a", [2]), loans=first)
    assert named_releases(installation) == set()
    land(installation, "L2")
    stream(installation, until_idle=True)

    assert named_releases(installation) == {2}


def test_a_journal_that_cannot_be_taken_again_names_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lending(tmp_path, NAMED)
    installation = Installation.at(tmp_path)
    House(installation.place.root, installation.world).release(model("a", [1]), loans=land(installation, "L1"))
    stream(installation, until_idle=True)
    assert named_releases(installation) == {1}
    whole = EmbeddedLog.oldest_entry

    def later(log: EmbeddedLog, job: str) -> bytes:
        return replace(Round.of_bytes(whole(log, job) or b""), number=1).as_bytes()

    monkeypatch.setattr(EmbeddedLog, "oldest_entry", later)
    assert named_releases(installation) == set()
    assert stored_records(installation.place.root, KIND) == []
