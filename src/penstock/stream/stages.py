"""Operations of a graph at work: which kernel stands behind which declaration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import duckdb

from penstock.errors import DeclarationError
from penstock.spec.stream import Deduplicate, EventTime, Join, Lookup, Running, Score, Union, Window, WindowKind
from penstock.stream.deduplicate import DeduplicateStage
from penstock.stream.graph import Graph, Intake, Node, Select
from penstock.stream.join import JoinStage
from penstock.stream.reference import LookupStage
from penstock.stream.running import RunningStage
from penstock.stream.score import Model, ScoreStage
from penstock.stream.session import SessionStage
from penstock.stream.stage import Stage
from penstock.stream.union import UnionStage
from penstock.stream.window import WindowStage


def make_stages(
    graph: Graph, connection: duckdb.DuckDBPyConnection, *, models: Mapping[str, Model] = MappingProxyType({})
) -> dict[str, Stage]:
    """A stage with empty state for every node that is more than SQL over a row. `models` by the names that steps use."""
    nodes = {node.name: node for node in graph.nodes}
    return {
        node.name: _stage(node, [nodes[name] for name in node.reads], graph.topology.time, connection, models)
        for node in graph.nodes
        if not isinstance(node.does, Intake | Select)
    }


def _stage(
    node: Node,
    reads: Sequence[Node],
    time: EventTime,
    connection: duckdb.DuckDBPyConnection,
    models: Mapping[str, Model],
) -> Stage:
    rows = reads[0].schema
    match node.does:
        case Deduplicate() as deduplicate if node.time is not None:
            return DeduplicateStage(deduplicate, rows, node.time, time)
        case Running() as running:
            return RunningStage(running, rows)
        case Join() as join if node.time is not None and reads[1].time is not None:
            return JoinStage(join, rows, reads[1].schema, time=node.time, other_time=reads[1].time)
        case Window(kind=WindowKind.TUMBLING | WindowKind.SLIDING) as window if node.time is not None:
            return WindowStage(window, rows, node.time)
        case Window() as window if node.time is not None:
            return SessionStage(window, rows, node.time)
        case Lookup() as lookup:
            return LookupStage(connection, lookup, node.name)
        case Union():
            return UnionStage(node.schema)
        case Score() as score if score.model in models:
            return ScoreStage(score, models[score.model])
        case _:
            raise DeclarationError(
                f"The embedded runner cannot run a step `{type(node.does).__name__.lower()}` yet", where=node.place
            )
