"""Topologies become graphs of typed nodes, or are refused with everything that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest

from penstock.errors import DeclarationError
from penstock.stream.graph import Graph
from penstock.stream.picture import picture
from penstock.stream.plan import make_graphs
from tests.stream.lending import lending

WATCH = """\
  - name: watch
    input: loans_typed
    steps:
      - derive: {double: fee * 2, band: "CASE WHEN double > 10 THEN 'high' ELSE 'low' END"}
      - filter: band = 'high'
      - {name: fees, running: {key: [member], value: fee, count: earlier, score: oddness}}
      - {name: hourly, window: {size: PT1H, by: [member], aggregates: {loans: count, paid: sum(fee), titles: "top(2, title)"}}}
    outputs:
      - {topic: scored, from: fees}
      - {live: hours, key: [member, window_start]}
"""


def planned(root: Path, topologies: str, tables: Mapping[str, pa.Schema] | None = None) -> Mapping[str, Graph]:
    return make_graphs(lending(root, topologies), (tables or {}).get)


def problems(root: Path, topologies: str, tables: Mapping[str, pa.Schema] | None = None) -> list[str]:
    with pytest.raises(DeclarationError) as caught:
        planned(root, topologies, tables)
    return [str(problem) for problem in caught.value.problems]


def test_every_node_has_the_types_that_its_rows_will_have(tmp_path: Path) -> None:
    graph = planned(tmp_path, WATCH)["watch"]

    schemas = {node.name: node.schema for node in graph.nodes}

    assert schemas["derive"].field("double").type == pa.decimal128(18, 2)
    assert schemas["filter"].field("band").type == pa.string()
    assert schemas["fees"].names[-2:] == ["earlier", "oddness"]
    assert [schemas["hourly"].field(name).type for name in ("paid", "titles")] == [
        pa.decimal128(38, 2),
        pa.list_(pa.string()),
    ]


def test_a_topology_reads_what_another_one_writes(tmp_path: Path) -> None:
    after = "  - {name: after, input: scored, outputs: [{live: last, key: [member], columns: [member, oddness]}]}\n"

    graph = planned(tmp_path, after + WATCH)["after"]

    assert graph.sinks[0].schema.names == ["member", "oddness"]
    assert graph.nodes[0].time == "lent"


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("filter: fee >", "The filter is not a SQL expression"),
        ("filter: random() > 0.5", "The filter uses something that is not allowed in a filter"),
        ("filter: fine > 1", "The filter names a column that is not there"),
        ("filter: fee", "The filter is neither true nor false"),
        ("derive: {x: title + 1}", "The expression cannot be computed"),
        ("running: {key: [member], value: title, count: n}", "`title` is not a number"),
        ("window: {size: PT1M, aggregates: {x: sum(title)}}", "`title` is not a number"),
        ("lookup: {table: silver.members, on: {fee: id}, columns: {town: town}}", "`fee` and `id` are never equal"),
        ("lookup: {table: silver.members, on: {member: id}, columns: {town: city}}", "silver.members has no column `city`"),
        ("lookup: {table: gold.nobody, on: {member: id}, columns: {town: town}}", "There is no table gold.nobody to look up"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_step_is_told_where_it_stands(tmp_path: Path, step: str, says: str) -> None:
    members = pa.schema([("id", pa.string()), ("town", pa.string())])
    topology = f"  - {{name: t, input: loans_typed, steps: [{{{step}}}], outputs: [{{topic: out}}]}}\n"

    found = problems(tmp_path, topology, {"silver.members": members})

    assert found[0].startswith(f"streams/loans.yml:5:43: {says}")
    assert len(found) == 1


def test_a_column_that_no_release_has_yet_is_told_from_a_wrong_name(tmp_path: Path) -> None:
    said = {}
    for table in ("silver.members", "gold.readers"):
        step = f"lookup: {{table: {table}, on: {{member: id}}, columns: {{town: twon}}}}"
        topology = f"  - {{name: t, input: loans_typed, steps: [{{{step}}}], outputs: [{{topic: out}}]}}\n"
        folder = tmp_path / table
        folder.mkdir()
        (said[table],) = problems(folder, topology, {table: pa.schema([("id", pa.string()), ("town", pa.string())])})

    assert all("Did you mean `town`?" in text for text in said.values())
    assert [table for table, text in said.items() if "after the next `penstock run`" in text] == ["gold.readers"]


def test_rows_that_are_corrected_later_are_not_counted_again(tmp_path: Path) -> None:
    after = "  - {name: after, input: hourly_rows, steps: [{running: {key: [member], value: paid, count: n}}], outputs: [{topic: x}]}\n"

    found = problems(tmp_path, WATCH.replace("live: hours, key: [member, window_start]", "topic: hourly_rows") + after)

    assert "The rows of `hourly_rows` are corrected later" in found[0]


def test_windows_need_the_time_of_every_row(tmp_path: Path) -> None:
    after = "  - {name: after, input: bare, steps: [{window: {size: PT1M, aggregates: {n: count}}}], outputs: [{topic: x}]}\n"
    bare = "  - {name: t, input: loans_typed, outputs: [{topic: bare, columns: [member]}]}\n"

    assert "Nothing says when the rows of `bare` happened" in problems(tmp_path, bare + after)[0]


def test_a_graph_is_told_in_words(tmp_path: Path) -> None:
    lines = list(picture(planned(tmp_path, WATCH)["watch"]))

    assert (
        "hourly <- fees: tumbling windows of 1 hour by (member): count as loans, sum(fee) as paid, top(2, title) as titles"
        in lines
    )
    assert lines[0] == "loans_typed: typed rows of 2 partition(s), held to the contract of loans"


def test_a_list_names_no_row(tmp_path: Path) -> None:
    listed = WATCH.replace("key: [member, window_start]", "key: [member, titles]")

    assert "`titles` is a list, which names no row" in problems(tmp_path, listed)[0]


def test_a_window_is_by_no_column_that_it_adds_itself(tmp_path: Path) -> None:
    by = WATCH.replace("by: [member], aggregates: {loans", "by: [version], aggregates: {loans").replace(
        "{double: fee * 2,", "{version: fee, double: fee * 2,"
    )

    assert "A window has a column `version` of its own" in problems(tmp_path, by)[0]
