"""A topology put together for this installation: its topics made, its job taken over, its live tables opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial

import duckdb
import pyarrow as pa

from penstock.conform.columns import pseudonym_domains
from penstock.log.protocol import Job, Log, TopicSpec
from penstock.runtime.following import LiveTables
from penstock.runtime.installation import Installation
from penstock.runtime.latency import COMMITTED, VISIBLE, Latency
from penstock.runtime.lookup_releases import take_up
from penstock.runtime.rate import Rate
from penstock.runtime.reference_table import newest_release
from penstock.runtime.scoring import models_of
from penstock.runtime.secret import pseudonym_key
from penstock.spec.project import Project
from penstock.sql.connection import connect
from penstock.store.live_shape import LiveShape
from penstock.stream.graph import Graph, Sink
from penstock.stream.incoming import REJECTED_SCHEMA, Incoming, payload_schema
from penstock.stream.journal import Round
from penstock.stream.pipeline import LATE_SCHEMA, Pipeline
from penstock.stream.reference import References
from penstock.stream.runner import Limits, Runner
from penstock.stream.schema import DELETED
from penstock.stream.stages import make_stages

MEMORY = "512MB"
DEAR_ROWS = 1_000_000  # of a round where each that it makes is a message: of rows with equal keys the last is told


@dataclass
class Running:
    """A topology at work, with the live tables that follow it."""

    runner: Runner
    live: LiveTables
    job: Job
    connection: duckdb.DuckDBPyConnection
    rounds: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    latency: Latency = field(default_factory=Latency)
    rate: Rate = field(default_factory=Rate)

    @property
    def name(self) -> str:
        return self.runner.graph.topology.name

    def turn(self, *, timeout: float = 0.0) -> bool:
        """One round and what the live tables make of it; whether there was anything to do."""
        done = self.runner.turn(timeout=timeout)
        if done is not None:
            self.rounds += 1
            self.counts.update(done.counts)
            self.latency.observe(COMMITTED, self.runner.arrived, self.runner.clock.now())
        if done is None and self.runner.is_committing:
            return True
        behind = done is not None and self._is_behind(done)
        applied = self.live.turn(worked=done is not None, behind=behind, arrived=self.runner.arrived)
        if self.live.seen:
            self.latency.observe(VISIBLE, self.live.seen, self.runner.clock.now())
        return done is not None or applied or self.runner.is_committing

    def is_through(self) -> bool:
        """Whether nothing is left to take, nor to show, be it on its way to being readable."""
        return self.runner.is_through() and self.live.is_through()

    def _is_behind(self, done: Round) -> bool:
        """Whether so much waits that live tables may follow later. A process of their own is worth more than a round."""
        limits = self.runner.limits
        if self.runner.log.capabilities.apart:
            return done.rows >= limits.rows and self.runner.lag() >= limits.rows_apart
        return done.rows >= limits.rows_aside and self.runner.lag() >= limits.rows_aside

    def close(self) -> None:
        self.live.close()
        self.runner.close()
        self.job.close()
        self.connection.close()


def live_shape(graph: Graph, sink: Sink, *, indexed: Collection[str] = ()) -> LiveShape:
    """What the live table of a sink holds. Another condition, or rows of another step, make it anew."""
    output = sink.output
    columns = pa.schema([one for one in sink.schema if one.name != DELETED])
    version = f"{graph.topology.name} {output.source} {output.where}"
    return LiveShape.of(
        output.name, columns, output.key, version=version, description=output.description, indexed=tuple(indexed)
    )


def indexed_columns(project: Project, sink: Sink) -> tuple[str, ...]:
    """The columns that the API finds rows of a live table by: parents and filters, and what it sorts by or takes the
    newest of where that stays as it is, for an index is written anew whenever its column changes."""
    key, served = sink.output.key, [one for one in project.live if one.table == sink.output.name]
    chosen = [name for one in served for name in (one.parent, *one.filters) if name is not None]
    sorted_by = [one.order[0].column for one in served if one.order and one.parent is None]
    newest = [one.time for one in project.measures if one.table == sink.output.name]
    stays = [name for name in (*sorted_by, *newest) if name in key or not sink.corrected]
    return tuple(sorted({*chosen, *stays} - {key[0]}))


def declared_topic(project: Project, name: str) -> TopicSpec:
    """A declared topic as the log makes it."""
    topic = project.streams.topics[name]
    schema = payload_schema(topic, project.contracts[topic.dataset])
    return TopicSpec(name, topic.partitions, schema, topic.retention, topic.max_bytes)


def derived_topics(project: Project, graph: Graph) -> list[TopicSpec]:
    """The topics that the job writes. What was refused may be personal: it is kept as long as such bytes are."""
    kept = project.retention.raw_quarantine_for
    outputs = [TopicSpec(sink.output.topic, 1, sink.schema, sink.output.retention) for sink in graph.sinks]
    return [*outputs, TopicSpec(graph.rejected, 1, REJECTED_SCHEMA, kept), TopicSpec(graph.late, 1, LATE_SCHEMA, kept)]


def open_topology(
    installation: Installation,
    log: Log,
    graph: Graph,
    *,
    adopt: bool = False,
    limits: Limits | None = None,
    beside: Executor | None = None,
    aside: Executor | None = None,
) -> Running:
    """Take over the topology's job and go to where it was left. The whole state is written `beside` its rounds; where
    a commit waits for brokers, that of a large round is made `aside`.

    Raises LeaseHeld while another process runs it, StateMismatch when it was declared otherwise.
    """
    project = installation.project
    for _, intake in graph.intakes:
        if intake.declared is not None:
            log.ensure(declared_topic(project, intake.topic))
    name = graph.topology.name
    job = log.job(name, list(graph.topology.inputs()), derived_topics(project, graph))
    connection = connect(memory_limit=MEMORY, threads=1)
    connection.execute("SET preserve_insertion_order = true")
    pipeline = make_pipeline(installation, graph, connection)
    references = References(partial(newest_release, installation), partial(take_up, installation, name))
    runner = Runner(
        graph,
        pipeline,
        log,
        job,
        installation.world.clock,
        project.tenant,
        references=references,
        limits=limits or limits_of(log),
        beside=beside,
        aside=None if log.capabilities.apart else aside,
    )
    runner.resume(adopt=adopt)
    shapes = {
        sink.output.topic: live_shape(graph, sink, indexed=indexed_columns(project, sink))
        for sink in graph.sinks
        if sink.output.live
    }
    live = LiveTables.open(log, installation.place.root, shapes, installation.world)
    return Running(runner, live, job, connection)


def limits_of(log: Log) -> Limits:
    """How much a round takes from this log, unless told otherwise."""
    return Limits() if log.capabilities.apart else Limits(rows=DEAR_ROWS)


def make_pipeline(
    installation: Installation, graph: Graph, connection: duckdb.DuckDBPyConnection, *, texts: Collection[str] = ()
) -> Pipeline:
    """The graph with empty state. Rows of the topics `texts` come as bronze keeps them."""
    project = installation.project
    incoming, secret = {}, b""
    for node, intake in graph.intakes:
        if intake.declared is not None and intake.contract is not None:
            domains = pseudonym_domains(intake.contract, project.contracts)
            if domains and not secret:
                secret = _secret(installation)
            incoming[node.name] = Incoming(
                connection,
                intake.declared,
                intake.contract,
                tenant=project.tenant,
                pseudonym_key=secret,
                domains=domains,
                texts=node.name in texts,
            )
    return Pipeline(graph, connection, incoming, make_stages(graph, connection, models=models_of(project, graph)))


def _secret(installation: Installation) -> bytes:
    """The key of the pseudonyms; its proof is kept in the catalogue, which may not be there yet."""
    if not installation.place.exists:
        from penstock.lake.lake import Lake

        Lake.open(installation.place.root, installation.world).close()
    return pseudonym_key(installation.place, installation.world)
