"""Operations of a graph at work: which kernel stands behind which declaration."""

from __future__ import annotations

from penstock.errors import DeclarationError
from penstock.stream.plan import Graph, Intake, Node, Select
from penstock.stream.stage import Stage


def make_stages(graph: Graph) -> dict[str, Stage]:
    """A stage with empty state for every node that is more than SQL over a row."""
    return {node.name: _stage(node) for node in graph.nodes if not isinstance(node.does, Intake | Select)}


def _stage(node: Node) -> Stage:
    match node.does:
        case _:
            raise DeclarationError(
                f"The embedded runner cannot run a step `{type(node.does).__name__.lower()}` yet", where=node.place
            )
