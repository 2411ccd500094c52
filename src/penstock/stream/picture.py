"""A graph in words: a line for each node, its operation in one sentence."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.spec.duration import spoken_duration
from penstock.spec.stream import (
    Deduplicate,
    Join,
    Lookup,
    Running,
    Score,
    TopicFormat,
    Union,
    Window,
    WindowKind,
)
from penstock.stream.graph import Graph, Intake, Node, Select, Sink


def picture(graph: Graph) -> Iterator[str]:
    """The nodes in order, each with what it reads and does; then where rows go."""
    for node in graph.nodes:
        reads = f" <- {', '.join(node.reads)}" if node.reads else ""
        yield f"{node.name}{reads}: {_does(node)}"
    for sink in graph.sinks:
        yield f"{sink.output.topic} <- {sink.reads}: {_goes(sink)}"
    yield f"{graph.rejected} <- every intake: rows that break their contract, with reasons and bytes"
    yield f"{graph.late} <- windows, joins: rows behind the watermark"


def _does(node: Node) -> str:
    match node.does:
        case Intake(_, declared, contract) if declared is not None and contract is not None:
            form = "typed rows" if declared.format is TopicFormat.COLUMNS else "JSON objects"
            return f"{form} of {declared.partitions} partition(s), held to the contract of {contract.dataset}"
        case Intake(topic):
            return f"rows of {topic}, made by another topology"
        case Select() as select:
            return select.sql
        case Deduplicate(key, horizon):
            return f"the first row of each ({', '.join(key)}) within {spoken_duration(horizon)}"
        case Lookup(table, on, columns):
            added = ", ".join(f"{theirs} as {name}" for name, theirs in columns)
            return f"with {added} of {table} where {' and '.join(f'{mine} = {theirs}' for mine, theirs in on)}"
        case Running() as running:
            return (
                f"earlier {running.value} of each ({', '.join(running.key)}) in the order of the log:"
                f" {', '.join(running.added)}; scored from {running.minimum} rows on, flagged above {running.threshold}"
            )
        case Window() as window:
            measures = ", ".join(f"{one} as {one.name}" for one in window.aggregates)
            return f"{_kind(window)} by ({', '.join(window.by)}): {measures}"
        case Join() as join:
            equal = " and ".join(f"{mine} = {theirs}" for mine, theirs in join.on)
            near = f"{join.direction} within {spoken_duration(join.tolerance)}"
            return f"with the row of {join.other} {near} where {equal}"
        case Union():
            return "the rows of all of them"
        case Score() as score:
            return f"{score.into} by the model {score.model} of {', '.join(score.columns)}"
        case other:
            return type(other).__name__.lower()


def _kind(window: Window) -> str:
    lengths = {
        WindowKind.TUMBLING: (window.size,),
        WindowKind.SLIDING: (window.size, window.slide),
        WindowKind.SESSION: (window.gap,),
    }[window.kind]
    return f"{window.kind} windows of {' / '.join(spoken_duration(one) for one in lengths if one is not None)}"


def _goes(sink: Sink) -> str:
    kind = f"the live table {sink.output.name} by ({', '.join(sink.output.key)})" if sink.output.live else "a topic"
    where = f" where {sink.output.where}" if sink.output.where is not None else ""
    return f"{kind}{where}: {', '.join(sink.schema.names)}"
