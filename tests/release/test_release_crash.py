"""A release that is stopped at any point leaves the last one intact, and the next run finishes the work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pyiceberg.catalog.sql import SqlCatalog

from penstock.release import slices
from penstock.release.record import latest_release
from penstock.testing.disk import DeadDisk, FaultyDisk, Mode, Point, Stopped
from tests.release.release_shapes import House, ModelColumn, model

# A process that was stopped closes no files; here its objects outlive it.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

HELD = [(number,) for number in range(10, 42)]
BEFORE = (
    model("a", [1, 2]),
    model("t", [(1,)], ModelColumn("old", id="x")),
    model("log", [1], kind="append"),
    model("loans", HELD),
)
AFTER = (
    model("a", [3]),
    model("t", [("one",)], ModelColumn("new", "string", id="x")),
    model("log", [1, 2], kind="append", status="appended", new=1),
    model("loans", [*HELD[1:], (50,)], status="moved", came=((50,),), went=(HELD[0],)),
)
OLD = {
    "gold.a": [{"n": 1}, {"n": 2}],
    "gold.t": [{"old": 1}],
    "gold.log": [{"n": 1}],
    "gold.loans": [{"n": n} for (n,) in HELD],
}
NEW = {
    "gold.a": [{"n": 3}],
    "gold.t": [{"new": "one"}],
    "gold.log": [{"n": 1}, {"n": 2}],
    "gold.loans": [*OLD["gold.loans"][1:], {"n": 50}],
}


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "FILE_ROWS", 8)


def second_release(house: House, disk: FaultyDisk) -> None:
    stopped = House(house.root, replace(house.world, disk=disk))
    stopped.release(*AFTER, built_on=1)


def seen(house: House) -> dict[str, list[dict[str, object]]]:
    return {name: house.rows(name) for name in OLD}


def by_others(root: Path) -> dict[str, list[dict[str, object]]]:
    """The gold tables as stock PyIceberg reads them."""
    catalog = SqlCatalog("penstock", uri=f"sqlite:///{root / 'catalog.db'}", warehouse=str(root / "lake"))
    try:
        tables = {name: catalog.load_table(name).scan().to_arrow() for name in OLD}
    finally:
        catalog.engine.dispose()
    return {
        name: sorted(
            table.select([column for column in table.column_names if not column.startswith("_retired_")]).to_pylist(),
            key=repr,
        )
        for name, table in tables.items()
    }


def points(folder: Path) -> list[Point]:
    """Every point of an undisturbed second release."""
    found: list[Point] = []
    house = House(folder)
    house.release(*BEFORE)
    second_release(house, FaultyDisk(seen=found.append))
    assert seen(house) == NEW
    assert any("deletes" in point.kind for point in found)
    return found


def check_point(folder: Path, point: Point, mode: Mode) -> None:
    house = House(folder / f"{point.number}-{mode}")
    house.release(*BEFORE)
    with pytest.raises(Stopped):
        second_release(house, DeadDisk(stop_at=point.number, mode=mode))
    last = latest_release(house.root)
    assert last is not None
    assert seen(house) == (OLD if last.number == 1 else NEW)
    again = house.release(*AFTER, built_on=last.number)
    assert (seen(house), by_others(house.root)) == (NEW, NEW)
    assert again.number == last.number + 1
    assert {name: house.rows(name, release=1) for name in OLD} == OLD


@pytest.mark.parametrize(("mode", "kinds"), [(Mode.KILL, ""), (Mode.VANISH, "transaction")])
def test_stopped_at_one_point_of_each_kind(tmp_path: Path, mode: Mode, kinds: str) -> None:
    chosen = {point.kind: point for point in points(tmp_path / "reference") if kinds in point.kind}
    assert any("transaction" in kind for kind in chosen)
    for point in chosen.values():
        check_point(tmp_path, point, mode)


@pytest.mark.faults
@pytest.mark.parametrize("mode", list(Mode))
def test_stopped_at_every_point(tmp_path: Path, mode: Mode) -> None:
    for point in points(tmp_path / "reference"):
        check_point(tmp_path, point, mode)
