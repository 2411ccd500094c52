"""A topology at work on the log in memory, for tests: its rows as plain values, and restarts at will."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from penstock.log.protocol import OFFSET, TopicSpec
from penstock.runtime.scoring import models_of
from penstock.spec.project import Project
from penstock.sql.connection import connect
from penstock.stream.graph import Graph
from penstock.stream.incoming import REJECTED_SCHEMA, Incoming, payload_schema
from penstock.stream.journal import Round
from penstock.stream.outgoing import records
from penstock.stream.pipeline import LATE_SCHEMA, Pipeline
from penstock.stream.plan import make_graphs
from penstock.stream.reference import LookupStage, Reference, References
from penstock.stream.replay import History, replay
from penstock.stream.runner import Limits, Runner
from penstock.stream.schema import PARTITION
from penstock.stream.stages import make_stages
from penstock.testing.world import ManualClock
from tests.stream.memory_log import MemoryLog

START = datetime(2020, 1, 1, tzinfo=UTC)
Row = dict[str, Any]


def loan(number: int, member: str = "m", *, fee: str | None = "1.00", at: float = 0, title: str | None = None) -> Row:
    """A loan lent `at` seconds after the clock's beginning."""
    lent = START + timedelta(seconds=at)
    return {
        "loan": f"L{number}",
        "member": member,
        "title": title,
        "fee": None if fee is None else Decimal(fee),
        "lent": lent,
    }


@dataclass
class Desk:
    """A topology of a project on a log; `restart` is what a new process does."""

    project: Project
    name: str
    log: MemoryLog = field(default_factory=MemoryLog)
    clock: ManualClock = field(default_factory=ManualClock)
    limits: Limits = field(default_factory=Limits)
    beside: Executor | None = None
    aside: Executor | None = None
    tables: Mapping[str, pa.Table] = field(default_factory=dict)  # that are looked up, as released last
    releases: list[Mapping[str, pa.Table]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name, topic in self.project.streams.topics.items():
            contract = self.project.contracts[topic.dataset]
            self.log.ensure(TopicSpec(name, topic.partitions, payload_schema(topic, contract)))
        self.release(self.tables)

    def release(self, tables: Mapping[str, pa.Table]) -> None:
        """Look these up from now on."""
        self.tables = tables
        self.releases.append(tables)

    def _table(self, lookup: str, columns: Sequence[str], version: int) -> Reference:
        return Reference(version, self.releases[version - 1][lookup].select(list(columns)))

    @property
    def graph(self) -> Graph:
        return make_graphs(self.project, {name: table.schema for name, table in self.tables.items()}.get)[self.name]

    def lend(self, rows: Sequence[Row], *, topic: str = "loans_typed", partition: int = 0) -> None:
        schema = self.log.topics()[topic].spec.schema
        table = pa.Table.from_pylist(list(rows), schema=schema)
        self.log.append(topic, records(table, tenant="default"), partition)

    @contextmanager
    def running(self, *, adopt: bool = False) -> Iterator[Runner]:
        graph = self.graph
        outputs = [TopicSpec(sink.output.topic, 1, sink.schema) for sink in graph.sinks]
        outputs += [TopicSpec(graph.rejected, 1, REJECTED_SCHEMA), TopicSpec(graph.late, 1, LATE_SCHEMA)]
        job = self.log.job(self.name, list(graph.topology.inputs()), outputs)
        with self._pipeline(graph) as pipeline:
            newest = len(self.releases)
            references = References(lambda: newest, lambda name, columns: self._table(name, columns, newest))
            runner = Runner(
                graph,
                pipeline,
                self.log.as_log(),
                job,
                self.clock,
                "default",
                self.limits,
                references,
                beside=self.beside,
                aside=self.aside,
            )
            runner.resume(adopt=adopt)
            yield runner
            runner.close()

    @contextmanager
    def _pipeline(self, graph: Graph) -> Iterator[Pipeline]:
        with connect(threads=1) as connection:
            connection.execute("SET preserve_insertion_order = true")
            incoming = {}
            for node, intake in graph.intakes:
                if intake.declared is not None and intake.contract is not None:
                    incoming[node.name] = Incoming(
                        connection, intake.declared, intake.contract, tenant="default", pseudonym_key=b"k", domains={}
                    )
            yield Pipeline(
                graph, connection, incoming, make_stages(graph, connection, models=models_of(self.project, graph))
            )

    def replayed(self, topics: Collection[str]) -> dict[str, list[Row]]:
        """What the rounds of the journal make when they are taken again."""
        graph = self.graph
        rounds = [Round.of_bytes(entry) for entry in self.log.jobs[self.name].journal()]
        parts = {}
        for (topic, part), batches in self.log.parts.items():
            if topic in graph.topology.inputs():
                schema = pa.schema([*self.log.topics()[topic].spec.schema, pa.field(OFFSET, pa.int64())])
                rows = pa.Table.from_batches([one.select(schema.names) for one in batches], schema)
                parts[topic, part] = rows.append_column(
                    PARTITION, pa.repeat(pa.scalar(part, pa.int32()), rows.num_rows)
                )
        made: dict[str, list[Row]] = {topic: [] for topic in topics}
        with self._pipeline(graph) as pipeline:

            def prepare(one: Round) -> None:
                for name, version in one.tables.items():
                    stage = pipeline.stages[name]
                    assert isinstance(stage, LookupStage)
                    stage.refresh(self._table(stage.lookup.table, stage.columns, version))

            for outcome in replay(pipeline, History(parts), rounds, prepare=prepare):
                for topic, found in made.items():
                    found += outcome.outputs[topic].to_pylist()
        return made

    def finish(self) -> None:
        """Run until nothing is left."""
        with self.running() as runner:
            while runner.turn() is not None:
                pass

    def rows(self, topic: str) -> list[Row]:
        system = ("_key", "_timestamp", "_headers", "_offset")
        return [{name: value for name, value in row.items() if name not in system} for row in self.log.rows(topic)]


def final(rows: Sequence[Row], *key: str) -> dict[tuple[object, ...], Row]:
    """The row with the highest version of every key."""
    found: dict[tuple[object, ...], Row] = {}
    for row in rows:
        name = tuple(row[one] for one in key)
        if name not in found or row["version"] >= found[name]["version"]:
            found[name] = row
    return found
