"""What changed models cost: which tables the next release makes from nothing, why, and what that took the last time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.lake.records import read_heads, read_table_summary
from penstock.release.record import Release, latest_release
from penstock.runtime.installation import Installation
from penstock.runtime.models import read_models
from penstock.runtime.plan import Leaving, Migration, Rebuild

if TYPE_CHECKING:
    from penstock.transform.graph import Graph, Node
    from penstock.transform.state import NodeState, WarehouseState


def migration(installation: Installation) -> Migration:
    """The tables that changed models or new columns of silver make anew, each after those it reads, and those that no
    model makes any more; none where the models are those of the last release. Reads the models when they differ, so it
    may take seconds."""
    project, place = installation.project, installation.place
    last = latest_release(place.root)
    if project.models is None or last is None:
        return Migration()
    from penstock.runtime.built_upon import built_upon
    from penstock.transform.build import engine
    from penstock.transform.warehouse import read_state, unlocked

    _, base = built_upon(place, last)
    with nullcontext() if base is None else unlocked(base) as free:
        built = None if free is None else read_state(free)
    added = {} if built is None else _added_columns(installation, built)
    if last.models == project.models_fingerprint and built is not None and built.engine == engine() and not added:
        return Migration()
    graph = read_models(installation)
    rebuilt = _rebuilt(installation, graph, built if built and built.engine == engine() else None, added)
    return Migration(rebuilt, tuple(_leaving(last, graph)))


def _leaving(last: Release, graph: Graph) -> Iterator[Leaving]:
    made = {node.table for node in graph.nodes.values() if node.stored}
    for name, table in sorted(last.gold.items()):
        if name not in made:
            yield Leaving(name, table.rows)


def _rebuilt(
    installation: Installation, graph: Graph, built: WarehouseState | None, added: Mapping[str, str]
) -> tuple[Rebuild, ...]:
    from penstock.transform.runner import in_order
    from penstock.transform.selection import Change, select

    changes = {dataset: Change.OTHER if dataset in added else Change.NONE for dataset in graph.sources.values()}
    chosen = select(graph, changes, built).rebuild
    known = {} if built is None else built.nodes
    sizes = _Sizes(graph, known, read_heads(installation.place.root))
    return tuple(
        sizes.rebuild(node, _reason(node, graph, known, chosen, added))
        for node in (graph.nodes[id] for id in in_order(graph, chosen))
        if node.stored and node.materialized != "view"
    )


def _reason(
    node: Node, graph: Graph, known: Mapping[str, NodeState], rebuilt: frozenset[str], added: Mapping[str, str]
) -> str:
    from penstock.transform.runner import stored_above

    if not known:
        return "there is no warehouse to build on"
    if node.id not in known:
        return "it is new"
    if known[node.id].code != node.code:
        return "its code changed"
    above = stored_above(graph, node)
    datasets = [graph.sources[id] for id in above if graph.sources.get(id) in added]
    if datasets:
        return f"silver.{datasets[0]} has the new column {added[datasets[0]]}"
    cause = graph.nodes[next(id for id in above if id in rebuilt)]
    if cause.materialized == "view" and cause.id in known and known[cause.id].code == cause.code:
        return _reason(cause, graph, known, rebuilt, added)
    return f"{cause.table} above it changed"


def _added_columns(installation: Installation, built: WarehouseState) -> dict[str, str]:
    """Per dataset the first column that its contract has and the warehouse has not seen."""
    added: dict[str, str] = {}
    for dataset, contract in installation.project.contracts.items():
        if dataset in built.inputs:
            seen = built.inputs[dataset].columns
            unseen = [c.name for c in contract.columns if not re.search(rf"(^|, ){re.escape(c.name)} ", seen)]
            added |= {dataset: unseen[0]} if unseen else {}
    return added


@dataclass(frozen=True)
class _Sizes:
    """How large things were in the last build and in the lake."""

    graph: Graph
    known: Mapping[str, NodeState]
    heads: Mapping[str, str]

    def rebuild(self, node: Node, reason: str) -> Rebuild:
        before = self.known.get(node.id)
        gold = self.heads.get(node.table)
        return Rebuild(
            table=node.table,
            reason=reason,
            rows_read=sum(self._rows(id) for id in self._read(node)),
            rows=None if before is None else before.rows,
            bytes=None if gold is None else read_table_summary(gold).bytes,
            seconds=None if before is None else before.seconds,
        )

    def _read(self, node: Node) -> set[str]:
        """The tables and sources that a model reads, through views too."""
        from penstock.transform.runner import stored_above

        found: set[str] = set()
        for id in stored_above(self.graph, node):
            above = self.graph.nodes.get(id)
            found |= {id} if above is None or above.materialized != "view" else self._read(above)
        return found

    def _rows(self, id: str) -> int:
        if id not in self.graph.sources:
            state = self.known.get(id)
            return 0 if state is None or state.rows is None else state.rows
        location = self.heads.get(f"silver.{self.graph.sources[id]}")
        return 0 if location is None else read_table_summary(location).rows
