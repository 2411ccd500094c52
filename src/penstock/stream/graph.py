"""A topology as a graph of typed nodes: pure, and the same for the runner, the replay and whatever compiles it."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from penstock.spec.contract import Contract
from penstock.spec.stream import LATE, REJECTED, Operation, Output, Topic, Topology

ROWS = "rows"  # the relation that the SQL of a node reads


@dataclass(frozen=True)
class Intake:
    """Rows of a topic; held to `contract` where the topic has one. `received` is a fingerprint of what decides them."""

    topic: str
    declared: Topic | None
    contract: Contract | None
    received: str


@dataclass(frozen=True)
class Select:
    """SQL over rows, which keeps their order and their system columns: `head`, where the rows are from, `tail`."""

    head: str
    tail: str

    @property
    def sql(self) -> str:
        """Over the relation `rows`."""
        return f"{self.head}{ROWS}{self.tail}"

    def over(self, query: str) -> str:
        """Over what a query gives."""
        return f"{self.head}({query}){self.tail}"


@dataclass(frozen=True)
class Node:
    """One step. `schema` is without system columns; `time` names the column of event time. `corrected`: a row may
    replace an earlier one, which has other values in columns that are not `settled`."""

    name: str
    reads: tuple[str, ...]
    does: Intake | Select | Operation
    schema: pa.Schema
    time: str | None
    corrected: bool = False
    place: str = ""
    settled: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Sink:
    """Where rows of `reads` go, of columns `schema`: those that `sql` selects; without `sql` those with the `flag`, or
    all of them. A row without a whole key is in no live table."""

    output: Output
    reads: str
    sql: str | None
    schema: pa.Schema
    time: str | None
    corrected: bool
    settled: frozenset[str]
    flag: str | None = None


@dataclass(frozen=True)
class Graph:
    """`nodes` stand after those they read. Rows that are refused or late go to topics of their own."""

    topology: Topology
    nodes: tuple[Node, ...]
    sinks: tuple[Sink, ...]

    @property
    def intakes(self) -> tuple[tuple[Node, Intake], ...]:
        return tuple((node, node.does) for node in self.nodes if isinstance(node.does, Intake))

    @property
    def rejected(self) -> str:
        return f"{self.topology.name}{REJECTED}"

    @property
    def late(self) -> str:
        return f"{self.topology.name}{LATE}"
