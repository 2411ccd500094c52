"""Whatever sequence of states is released, every release reads back as its own state, for ever."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.lake.lake import Lake
from penstock.lake.upkeep import Retention, expire
from penstock.release.pin import pins
from penstock.release.reader import open_reader
from penstock.release.record import releases
from tests.release.release_shapes import House, Model, ModelColumn, model

VALUES = {
    "long": st.integers(-(2**63), 2**63 - 1),
    "string": st.text("abcé'\"\n", max_size=4),
    "boolean": st.booleans(),
}
columns = st.lists(
    st.builds(
        ModelColumn,
        name=st.sampled_from("xyz"),
        lake_type=st.sampled_from(sorted(VALUES)),
        id=st.sampled_from(["", "k"]),
    ),
    min_size=1,
    max_size=3,
    unique_by=(lambda column: column.name, lambda column: column.id),
).map(tuple)


@st.composite
def table(draw: st.DrawFn, name: str, before: Model | None) -> Model:
    """The next state of a table: grown, or anything else."""
    grown = before if before is not None and before.kind == "append" and draw(st.booleans()) else None
    shape = draw(columns) if grown is None else grown.columns
    row = st.tuples(*(st.none() | VALUES[column.lake_type] for column in shape))
    rows = draw(st.lists(row, max_size=4))
    if grown is not None:
        return Model(name, shape, (*grown.data, *rows), "append", "appended", len(rows))
    return Model(name, shape, tuple(rows), draw(st.sampled_from(["append", "replace"])))


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Model]]:
    history: list[dict[str, Model]] = []
    for _ in range(draw(st.integers(1, 5))):
        before = history[-1] if history else {}
        names = draw(st.lists(st.sampled_from("ab"), unique=True))
        history.append({name: draw(table(name, before.get(name))) for name in names})
    return history


def state(tables: dict[str, Model]) -> dict[str, list[str]]:
    """The oracle: table -> its rows as text, sorted."""
    return {
        f"gold.{one.name}": sorted(repr(dict(zip([c.name for c in one.columns], row, strict=True))) for row in one.data)
        for one in tables.values()
    }


def read_back(house: House, number: int) -> dict[str, list[str]]:
    with open_reader(house.root, house.world, release=number) as reader:
        return {
            name: sorted(map(repr, reader.connection.sql(f"FROM {name}").to_arrow_table().to_pylist()))
            for name in reader.tables
            if not name.startswith("quality.")
        }


@settings(max_examples=15)
@given(histories())
def test_every_release_reads_back_as_its_own_state(history: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder))
        for number, tables in enumerate(history):
            house.release(*tables.values(), built_on=number)
        with Lake.open(house.root, house.world) as lake, lake.lease("upkeep", holder="test") as lease:
            nothing = Retention(snapshots=0, slack=0, grace=timedelta(0))
            expire(lake, nothing, lease=lease, pinned=pins(house.root))
        assert [one.number for one in releases(house.root)] == list(range(1, len(history) + 1))
        for number, tables in enumerate(history, start=1):
            assert read_back(house, number) == state(tables)


def test_a_state_that_comes_back_is_read_back_too(house: House) -> None:
    states = [[1], [1, 2], [], [1]]
    for values in states:
        house.release(model("a", values))
    for number, values in enumerate(states, start=1):
        assert house.rows("gold.a", release=number) == [{"n": value} for value in values]
