"""Steps in SQL that follow each other as one query: a query costs as much as thousands of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from penstock.spec.stream import Union
from penstock.stream.graph import Graph, Node, Select


@dataclass(frozen=True)
class Computed:
    """A node whose rows are made: by `sql` over those of the one that it `reads`, otherwise by what the node does."""

    node: Node
    reads: tuple[str, ...]
    sql: str | None = None


def fused(graph: Graph) -> tuple[Computed, ...]:
    """The nodes to compute, in order. One in SQL that only such nodes read is computed within them; a union of such
    nodes that begin with the same rows is one of them."""
    within, found, above = _within(graph), dict[str, Computed](), dict[str, Computed]()
    for node in graph.nodes:
        found[node.name] = one = _computed(node, above)
        if node.name in within and one.sql is not None:
            above[node.name] = one
    needed = {sink.reads for sink in graph.sinks}
    for one in reversed(found.values()):  # readers stand after what they read
        if one.node.name in needed or not isinstance(one.node.does, Select | Union):
            needed.update((one.node.name, *one.reads))
    return tuple(one for one in found.values() if one.node.name in needed)


def _within(graph: Graph) -> set[str]:
    """The nodes in SQL that nobody but such nodes reads."""
    kinds = {node.name for node in graph.nodes if isinstance(node.does, Select | Union)}
    read = {sink.reads for sink in graph.sinks}
    read |= {name for node in graph.nodes if node.name not in kinds for name in node.reads}
    return kinds - read


def _computed(node: Node, above: Mapping[str, Computed]) -> Computed:
    """The node over the rows that those above it begin with."""
    if isinstance(node.does, Select):
        (source,) = node.reads
        inner = above.get(source)
        if inner is None or inner.sql is None:
            return Computed(node, node.reads, node.does.sql)
        return Computed(node, inner.reads, node.does.over(inner.sql))
    sources = [above[name] for name in node.reads if name in above]
    begins = {one.reads for one in sources}
    if isinstance(node.does, Union) and len(sources) == len(node.reads) and len(begins) == 1:
        return Computed(node, begins.pop(), " UNION ALL BY NAME ".join(f"({one.sql})" for one in sources))
    return Computed(node, node.reads)
