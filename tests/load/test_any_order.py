"""Final silver and open quarantine depend on what was delivered alone: not on the order, not on the runs."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from penstock.spec.contract import Contract, PartitionField
from penstock.spec.source import Delivery
from tests.load.load_shapes import BY_COLUMN, BY_NAME, HEADER, Road, contract, road, staying
from tests.load.road_oracle import Delivered, Rules, judge

DAYS = [f"2024-01-{day:02}" for day in range(1, 6)]
DELIVERIES = {None: Delivery(), "name": BY_NAME, "column": BY_COLUMN}

rules = st.one_of(
    st.builds(Rules, replace=st.sampled_from([None, "name", "column"])),
    st.builds(
        Rules,
        key=st.just(True),
        horizon=st.sampled_from([None, timedelta(0), timedelta(days=1), timedelta(days=2)]),
        replace=st.sampled_from([None, "name", "column"]),
    ),
)
lines = st.one_of(
    st.builds(
        "{},{},{},{}".format,
        st.sampled_from(["1", "2", "2", "3", ""]),
        st.sampled_from(["Dune", "Emma", ""]),
        st.sampled_from(["1.50", "1.5", "", "free"]),
        st.sampled_from([*DAYS, ""]),
    ),
    st.sampled_from(["1,Dune", "1,2,3,4,5,6,7"]),
)


@dataclass(frozen=True)
class Step:
    """A delivery, and how far the road goes before the next one: 0 nowhere, 1 to bronze, 2 to silver."""

    file: Delivered
    go: int


@st.composite
def histories(draw: st.DrawFn) -> tuple[Rules, list[Step]]:
    declared = draw(rules)
    files = draw(st.lists(delivered(declared), min_size=1, max_size=7))
    again = draw(st.lists(st.sampled_from(files), max_size=2))
    order = draw(st.permutations([*files, *again]))
    return declared, [Step(file, draw(st.integers(0, 2))) for file in order]


@st.composite
def delivered(draw: st.DrawFn, declared: Rules) -> Delivered:
    content = draw(st.lists(lines, max_size=4))
    folder, name = draw(st.sampled_from("ab")), draw(st.sampled_from("xyz"))
    if declared.replace == "column":
        version = draw(st.integers(8, 11))
        return Delivered(f"{name}.csv", tuple(f"{line},{version}" for line in content), f"{HEADER},version")
    version = draw(st.integers(8, 11))
    return Delivered(f"{folder}/{name}_v{version}.csv", tuple(content), HEADER)


@settings(max_examples=40, phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink])
@given(histories(), st.booleans(), st.booleans())
def test_what_was_delivered_decides_whatever_the_order_and_the_runs(
    history: tuple[Rules, list[Step]], files_stay: bool, by_day: bool
) -> None:
    declared, steps = history
    place, loans = tempfile.TemporaryDirectory(), _contract(declared, by_day=by_day)
    with place as folder, staying(files_stay), road(Path(folder), loans, _source(declared)) as way:
        _walk(way, steps)
        expected = judge(declared, [step.file for step in steps])
        assert _silver(way, declared) == expected.rows
        assert sorted((file, line, stage) for file, line, stage, _ in way.refused()) == expected.refused
        for values, found in _places(way):
            assert found in expected.places[values]
        way.assert_conserved()


def _walk(way: Road, steps: list[Step]) -> None:
    waiting: set[str] = set()
    for step in steps:
        if step.file.path in waiting:  # the file that lies there would never be seen
            way.take()
            waiting.clear()
        way.deliver_bytes(step.file.path, step.file.content)
        waiting.add(step.file.path)
        if step.go:
            way.take()
            waiting.clear()
        if step.go == 2:
            way.settle()
    way.run()


def _contract(declared: Rules, *, by_day: bool) -> Contract:
    key = ("loan",) if declared.key else ()
    order = "at" if declared.key else None
    partitions = (PartitionField("at", "day"),) if by_day else ()
    return contract(key=key, order_by=order, horizon=declared.horizon, partitions=partitions)


def _source(declared: Rules) -> dict[str, object]:
    return {"glob": "**/*.csv", "delivery": DELIVERIES[declared.replace]}


def _silver(way: Road, declared: Rules) -> Counter[tuple[object, ...]]:
    opened = ["_opened"] if declared.horizon is not None else []
    rows = way.values("silver.loans", "loan", "title", "fee", "at", *opened)
    return Counter(row if opened else (*row, None) for row in rows)


def _places(way: Road) -> list[tuple[tuple[object, ...], tuple[str, int]]]:
    rows = way.values("silver.loans", "loan", "title", "fee", "at", "_file", "_line")
    return [(row[:4], (row[4], row[5])) for row in rows]
