"""Operations of a graph at work: which kernel stands behind which declaration."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from penstock.errors import DeclarationError
from penstock.spec.stream import Deduplicate, Lookup, Running, Window, WindowKind
from penstock.stream.deduplicate import DeduplicateStage
from penstock.stream.plan import Graph, Intake, Node, Select
from penstock.stream.reference import LookupStage
from penstock.stream.running import RunningStage
from penstock.stream.stage import Stage
from penstock.stream.window import WindowStage


def make_stages(graph: Graph, connection: duckdb.DuckDBPyConnection) -> dict[str, Stage]:
    """A stage with empty state for every node that is more than SQL over a row."""
    schemas = {node.name: node.schema for node in graph.nodes}
    return {
        node.name: _stage(node, schemas[node.reads[0]], connection)
        for node in graph.nodes
        if not isinstance(node.does, Intake | Select)
    }


def _stage(node: Node, rows: pa.Schema, connection: duckdb.DuckDBPyConnection) -> Stage:
    match node.does:
        case Deduplicate() as deduplicate if node.time is not None:
            return DeduplicateStage(deduplicate, rows, node.time)
        case Running() as running:
            return RunningStage(running, rows)
        case Window(kind=WindowKind.TUMBLING | WindowKind.SLIDING) as window if node.time is not None:
            return WindowStage(window, rows, node.time)
        case Lookup() as lookup:
            return LookupStage(connection, lookup, node.name)
        case _:
            raise DeclarationError(
                f"The embedded runner cannot run a step `{type(node.does).__name__.lower()}` yet", where=node.place
            )
