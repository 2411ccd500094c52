"""Which models a build must run, which of them from nothing, and which tests: a pure decision."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from penstock.transform.graph import Graph, Node, NodeType
from penstock.transform.result import ModelInput, ModelKind
from penstock.transform.state import InputState, WarehouseState


class Change(StrEnum):
    """none: the rows are those the base was built from. added: there are more. mixed: some came and some went.
    other: one cannot tell."""

    NONE = "none"
    ADDED = "added"
    MIXED = "mixed"
    OTHER = "other"


@dataclass(frozen=True)
class Selection:
    """Ids of the nodes to run (in no order), of those among them to make from nothing, and of the tests to run."""

    run: frozenset[str]
    rebuild: frozenset[str]
    tests: frozenset[str]


def change_of(given: ModelInput, built: InputState | None) -> Change:
    """How a dataset differs from what the base was built from. Other columns or types count as `other`."""
    if built is None or built.columns != signature(given):
        return Change.OTHER
    if built.snapshot_id == given.scan.snapshot_id:
        return Change.NONE
    if given.added is None or (given.since is not None and given.since != built.snapshot_id):
        return Change.OTHER
    if given.gone:
        return Change.MIXED
    return Change.ADDED if given.added.files else Change.NONE


def signature(given: ModelInput) -> str:
    """Names and types of a dataset's columns, as text."""
    return ", ".join(f"{column.name} {column.duckdb_type}" for column in given.scan.columns)


def select(
    graph: Graph, changes: Mapping[str, Change], built: WarehouseState | None, asked: Collection[str] = ()
) -> Selection:
    """What to run, given how each dataset changed and what the base holds.

    A node whose code changed is made from nothing, and so is all that reads it or a dataset of which one cannot tell
    what came and went. What reads a dataset with more rows is run; where rows went, what only appends is made from
    nothing, and what reads that too if it is among the tables `asked` for their changes. A test is run when one of the nodes it reads is, or when it changed.
    """
    known = {} if built is None else built.nodes
    changed = {node.id for node in graph.nodes.values() if node.id not in known or known[node.id].code != node.code}
    lost = {source for source, dataset in graph.sources.items() if changes[dataset] is Change.OTHER}
    mixed = {source for source, dataset in graph.sources.items() if changes[dataset] is Change.MIXED}
    more = {source for source, dataset in graph.sources.items() if changes[dataset] is Change.ADDED}
    rebuild = graph.downstream({id for id in changed if graph.nodes[id].type is not NodeType.TEST} | lost)
    run = rebuild | graph.downstream(more | mixed)
    again = {id for id in graph.downstream(mixed) if id in graph.nodes and _only_appends(graph.nodes[id])}
    rebuild |= again | graph.downstream({id for id in again if graph.nodes[id].table in asked})
    tests = {test.id for test in graph.tests if test.id in changed or any(parent in run for parent in test.parents)}
    return Selection(
        run=frozenset(id for id in run if id in graph.nodes),
        rebuild=frozenset(id for id in rebuild if id in graph.nodes),
        tests=frozenset(tests),
    )


def _only_appends(node: Node) -> bool:
    return node.kind is ModelKind.APPEND


def without_keys(selection: Selection, graph: Graph) -> Selection:
    """The same where rows cannot be made anew by key: those models are made from nothing."""
    by_key = {id for id in selection.run if graph.nodes[id].moves_by_key}
    return replace(selection, rebuild=selection.rebuild | by_key)
