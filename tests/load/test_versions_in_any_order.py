"""Versions and sightings depend on what was delivered alone; the oracle is plain Python and shares no code."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from penstock.spec.contract import LogicalType
from penstock.spec.source import Delivery, DeliveryMode
from tests.load.load_shapes import COLUMNS, HEADER, Road, column, contract, road, staying
from tests.sql.canonical_oracle import row_hash

LOANS = replace(contract(*COLUMNS, column("listed", LogicalType.DATE, required=True), key=("loan",)), history="listed")
SNAPSHOT = Delivery(DeliveryMode.SNAPSHOT, pattern=r"list_(?P<version>[0-9-]+)\.csv", version="listed", max_deleted=1)
UPSERT = Delivery(DeliveryMode.UPSERT, version="listed")

Version = tuple[str, str, str | None]
Sighting = tuple[str, str | None, bool]


@dataclass(frozen=True)
class File:
    """A content at a path; every row of it is of one day."""

    folder: str
    day: int
    lines: tuple[str, ...]

    @property
    def moment(self) -> str:
        return f"2024-01-{self.day:02}"

    @property
    def path(self) -> str:
        return f"{self.folder}/list_{self.moment}.csv"

    def content(self, mode: DeliveryMode) -> bytes:
        dated = mode is DeliveryMode.UPSERT
        lines = (
            [f"{HEADER},listed", *(f"{line},{self.moment}" for line in self.lines)] if dated else [HEADER, *self.lines]
        )
        return "".join(f"{line}\n" for line in lines).encode()


def expected(files: set[File]) -> tuple[set[Version], set[Sighting]]:
    """Of each key and day the version with the highest hash; and which keys each day held, if that is known."""
    best: dict[tuple[str, str], tuple[str, str | None]] = {}
    seen: set[tuple[str, str | None]] = set()
    blind: set[str] = set()
    for file in files:
        seen.add((file.moment, None))
        for line in file.lines:
            fields = line.split(",")
            if len(fields) != 4 or fields[0] == "":
                blind.add(file.moment)
                continue
            seen.add((file.moment, fields[0]))
            if fields[2] == "":
                title = fields[1] or None
                values = (fields[0], title, None, None, date.fromisoformat(file.moment))
                ids = ("id_loan", "id_title", "id_fee", "id_at", "id_listed")
                version = (row_hash("default", dict(zip(ids, values, strict=True))), title)
                best[file.moment, fields[0]] = max(best.get((file.moment, fields[0]), ("", None)), version)
    versions = {(moment, key, title) for (moment, key), (_, title) in best.items()}
    return versions, {(moment, key, moment not in blind) for moment, key in seen}


files = st.builds(
    File,
    st.sampled_from("ab"),
    st.integers(1, 3),
    st.lists(
        st.one_of(
            st.builds("{},{},{},".format, st.sampled_from("123"), st.sampled_from(["Dune", "Emma", ""]), st.just("")),
            st.sampled_from(["1,Dune,free,", ",Dune,,", "2,Dune"]),
        ),
        max_size=3,
    ).map(tuple),
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[DeliveryMode, list[tuple[File, int]]]:
    """Files in an order, some twice, each with how far the road goes after it: nowhere, to bronze, to silver."""
    delivered = draw(st.lists(files, min_size=1, max_size=6))
    again = draw(st.lists(st.sampled_from(delivered), max_size=2))
    order = draw(st.permutations([*delivered, *again]))
    mode = draw(st.sampled_from([DeliveryMode.SNAPSHOT, DeliveryMode.SNAPSHOT, DeliveryMode.UPSERT]))
    return mode, [(file, draw(st.integers(0, 2))) for file in order]


@settings(max_examples=20, phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink])
@given(histories(), st.booleans())
def test_what_was_delivered_decides_versions_and_sightings(
    history: tuple[DeliveryMode, list[tuple[File, int]]], files_stay: bool
) -> None:
    mode, steps = history
    facts = {"glob": "**/*.csv", "delivery": SNAPSHOT if mode is DeliveryMode.SNAPSHOT else UPSERT}
    with tempfile.TemporaryDirectory() as folder, staying(files_stay), road(Path(folder), LOANS, facts) as way:
        walk(way, mode, steps)
        versions, sightings = expected({file for file, _ in steps})
        found = way.values("silver.loans", "listed", "loan", "title")
        assert sorted(found, key=repr) == sorted(
            ((date.fromisoformat(moment), *rest) for moment, *rest in versions), key=repr
        )
        if mode is DeliveryMode.SNAPSHOT:
            held = way.values("silver.loans_snapshots", "listed", "loan", "is_whole")
            assert {(str(moment), key, whole) for moment, key, whole in held} == sightings
        way.assert_conserved()


def walk(way: Road, mode: DeliveryMode, steps: list[tuple[File, int]]) -> None:
    waiting: set[str] = set()
    for file, go in steps:
        if file.path in waiting:  # the file that lies there would never be seen
            way.take()
            waiting.clear()
        way.deliver_bytes(file.path, file.content(mode))
        waiting.add(file.path)
        if go:
            way.take()
            waiting.clear()
        if go == 2:
            way.settle()
    way.run()
