"""Steps in SQL are computed together where nobody sees the rows between them, with the same rows in the same order."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.stream import pipeline
from penstock.stream.fused import Computed, fused
from penstock.stream.graph import Graph, Select
from penstock.stream.plan import make_graphs
from penstock.stream.runner import Limits
from tests.stream.lending import lending
from tests.stream.running_topology import Desk, loan

STEPS = """\
  - name: steps
    input: loans_typed
    time: {lateness: PT1H, skew: PT1H, idle: PT5S}
    steps:
      - {name: known, filter: title <> 'from rows'}
      - {name: priced, derive: {double: fee * 2, band: "CASE WHEN double > 5 THEN 'high' ELSE 'low' END"}}
      - {name: high, filter: band = 'high'}
      - {name: low, from: priced, filter: band = 'low'}
      - {name: both, union: [high]}
      - {name: marked, derive: {mark: "concat(band, ' rows')"}}
      - {name: counted, running: {key: [member], value: fee, count: earlier, mean: usual}}
      - {name: seen, from: known, derive: {half: fee / 2}}
    outputs:
      - {topic: all_counted, from: counted}
      - {topic: all_known, from: known}
      - {topic: all_seen, from: seen, where: half > 1}
"""
PROJECT = lending(Path(tempfile.mkdtemp()), STEPS)
GRAPH = make_graphs(PROJECT, lambda _: None)["steps"]


def test_what_nobody_sees_is_computed_within_what_reads_it() -> None:
    made = {one.node.name: one for one in fused(GRAPH)}

    assert list(made) == ["loans_typed", "known", "marked", "counted", "seen"]
    assert made["marked"].reads == ("known",)  # an output shows it


def one_by_one(graph: Graph) -> tuple[Computed, ...]:
    return tuple(
        Computed(node, node.reads, node.does.sql if isinstance(node.does, Select) else None) for node in graph.nodes
    )


@pytest.fixture(scope="module")
def apart() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


LOAN = st.tuples(
    st.sampled_from("ab"), st.one_of(st.none(), st.integers(0, 9)), st.sampled_from(["t", "from rows", None])
)


@settings(max_examples=15)
@given(st.lists(LOAN, min_size=1, max_size=12), st.integers(1, 5))
def test_the_rows_are_those_of_each_step_by_itself(
    apart: pytest.MonkeyPatch, loans: list[tuple[str, int | None, str | None]], cut: int
) -> None:
    rows = [
        loan(number, member, fee=None if fee is None else f"{fee}.50", title=title, at=number)
        for number, (member, fee, title) in enumerate(loans)
    ]
    found = []
    for way in (fused, one_by_one):
        apart.setattr(pipeline, "fused", way)
        desk = Desk(PROJECT, "steps", limits=replace(Limits(), rows=cut))
        desk.lend(rows)
        desk.finish()
        found.append([desk.rows(topic) for topic in ("all_counted", "all_known", "all_seen")])

    assert found[0] == found[1]
