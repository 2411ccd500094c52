"""Which models run: an oracle walks the graph by brute force."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from penstock.lake.table import DataFile, FieldColumn, Scan
from penstock.transform.graph import Graph, Node, NodeType
from penstock.transform.result import ModelInput
from penstock.transform.selection import Change, change_of, select, signature
from penstock.transform.state import InputState, NodeState, WarehouseState

SOURCES = {"source.p.silver.a": "a", "source.p.silver.b": "b"}


def node(id: str, parents: tuple[str, ...], type: NodeType = NodeType.MODEL, code: str = "1") -> Node:
    return Node(
        id=id, type=type, name=id, selector=id, schema="gold", materialized="table", strategy=None,
        parents=parents, code=code, path=f"{id}.sql",
    )  # fmt: skip


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Models that read sources and earlier models, and tests that read models."""
    nodes: dict[str, Node] = {}
    for number in range(draw(st.integers(1, 7))):
        readable = [*SOURCES, *nodes]
        parents = draw(st.lists(st.sampled_from(readable), unique=True, max_size=3))
        nodes[f"m{number}"] = node(f"m{number}", tuple(parents))
    for number in range(draw(st.integers(0, 4))):
        parents = draw(st.lists(st.sampled_from(sorted(nodes)), unique=True, min_size=1, max_size=2))
        nodes[f"t{number}"] = node(f"t{number}", tuple(parents), NodeType.TEST)
    return Graph(nodes=nodes, sources=SOURCES)


def reads(graph: Graph, id: str, roots: set[str]) -> bool:
    """Whether the node is a root or reads one, directly or not."""
    if id in roots:
        return True
    return id in graph.nodes and any(reads(graph, parent, roots) for parent in graph.nodes[id].parents)


@given(
    graphs(),
    st.sampled_from(Change),
    st.sampled_from(Change),
    st.sets(st.sampled_from(["m0", "m1", "m2", "m3", "t0", "t1"])),
)
def test_what_reads_a_change_runs_and_what_reads_a_loss_or_new_code_is_rebuilt(
    graph: Graph, a: Change, b: Change, edited: set[str]
) -> None:
    built = WarehouseState("", {}, {id: NodeState("1") for id in graph.nodes})
    edited &= set(graph.nodes)
    graph = replace(graph, nodes={id: replace(n, code="2") if id in edited else n for id, n in graph.nodes.items()})
    changes = {"a": a, "b": b}
    models = [id for id in graph.nodes if id.startswith("m")]

    selection = select(graph, changes, built)

    lost = {id for id, dataset in SOURCES.items() if changes[dataset] is Change.OTHER} | edited
    more = {id for id, dataset in SOURCES.items() if changes[dataset] is not Change.NONE}
    assert selection.rebuild == {id for id in models if reads(graph, id, lost)}
    assert selection.run == {id for id in models if reads(graph, id, lost | more)}
    tests = {id for id in graph.nodes if id.startswith("t")}
    assert selection.tests == {
        id for id in tests if id in edited or any(parent in selection.run for parent in graph.nodes[id].parents)
    }


@given(graphs())
def test_a_first_build_makes_everything(graph: Graph) -> None:
    selection = select(graph, {"a": Change.OTHER, "b": Change.OTHER}, None)
    assert selection.run | selection.tests == set(graph.nodes)
    assert selection.run == selection.rebuild


COLUMNS = (FieldColumn(1, "x", "BIGINT"),)
NOW = Scan("silver.a", 5, (DataFile("1", 1, 1), DataFile("2", 1, 1)), COLUMNS)
NEW = replace(NOW, files=(DataFile("2", 1, 1),))
BUILT = InputState(4, signature(ModelInput(NOW)))


def test_a_dataset_of_the_same_snapshot_did_not_change() -> None:
    assert change_of(ModelInput(NOW), replace(BUILT, snapshot_id=5)) is Change.NONE


def test_a_snapshot_without_new_files_did_not_change_the_rows() -> None:
    assert change_of(ModelInput(NOW, added=replace(NOW, files=())), BUILT) is Change.NONE


def test_new_files_are_an_addition() -> None:
    assert change_of(ModelInput(NOW, added=NEW, since=4), BUILT) is Change.ADDED


def test_an_unknown_difference_is_no_addition() -> None:
    assert change_of(ModelInput(NOW), BUILT) is Change.OTHER


def test_an_addition_to_another_snapshot_than_the_base_has_is_not_trusted() -> None:
    assert change_of(ModelInput(NOW, added=NEW, since=3), BUILT) is Change.OTHER


def test_a_column_of_another_type_is_more_than_an_addition() -> None:
    wider = replace(NOW, columns=(FieldColumn(1, "x", "DOUBLE"),))
    assert change_of(ModelInput(wider, added=NEW, since=4), BUILT) is Change.OTHER


def test_a_dataset_the_base_never_saw_is_all_new() -> None:
    assert change_of(ModelInput(NOW, added=NEW), None) is Change.OTHER


def test_files_that_came_and_went_are_both_known() -> None:
    assert change_of(ModelInput(NOW, added=NEW, removed=NEW, since=4), BUILT) is Change.MIXED


def test_where_rows_went_what_only_appends_is_made_from_nothing() -> None:
    view = node("view", ("source.p.silver.a",))
    appends = replace(node("appends", ("view",)), materialized="incremental", strategy="append")
    graph = Graph({one.id: one for one in (view, appends, node("reads", ("appends",)))}, SOURCES)
    built = WarehouseState("", {}, {id: NodeState("1") for id in graph.nodes})
    selection = select(graph, {"a": Change.MIXED, "b": Change.NONE}, built)
    assert selection.rebuild == {"appends"}
    assert selection.run == set(graph.nodes)
    changes = {"a": Change.MIXED, "b": Change.NONE}
    assert select(graph, changes, built, {"gold.appends"}).rebuild == {"appends", "reads"}
