"""`penstock stream --replay`: topologies over history, held against what they made live."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from penstock.errors import UsageError
from penstock.log.protocol import OFFSET, SYSTEM, Log, Part, beginning
from penstock.runtime.event_log import open_log
from penstock.runtime.installation import Installation
from penstock.runtime.reference_table import read_reference
from penstock.runtime.topology import MEMORY, derived_topics, live_shape, make_pipeline
from penstock.runtime.topology_graphs import chosen_graphs
from penstock.spec.stream import Topic
from penstock.sql.connection import connect
from penstock.sql.names import literal, quote
from penstock.store.live_file import live_file
from penstock.store.live_table import LiveTable
from penstock.stream.graph import Graph
from penstock.stream.journal import Round
from penstock.stream.pipeline import Pipeline
from penstock.stream.reference import LookupStage
from penstock.stream.replay import History, replay
from penstock.stream.schema import PARTITION

_ROWS_AT_ONCE = 200_000


@dataclass(frozen=True)
class Replayed:
    """A live table made again: its rows, and how many differ from those that are served."""

    topology: str
    table: str
    rounds: int
    rows: int
    different: int


def replay_topologies(installation: Installation, names: Sequence[str] = ()) -> tuple[Replayed, ...]:
    """Take every round of the journals again, from bronze where the topic is there and from the log otherwise, and
    compare the live tables that result with those that are served.

    Raises LeaseHeld while a topology runs, UsageError when it never ran, or its journal does not go back to its first
    round.
    """
    with ExitStack() as opened:
        log = opened.enter_context(open_log(installation))
        return tuple(one for graph in chosen_graphs(installation, names) for one in _replayed(installation, log, graph))


def _replayed(installation: Installation, log: Log, graph: Graph) -> Iterable[Replayed]:
    if not log.topics().keys() >= set(graph.topology.inputs()):
        raise UsageError(
            "The topology has no history yet",
            where=graph.topology.name,
            remedy="Let it run first: `penstock stream`.",
        )
    rounds = _rounds(installation, log, graph)
    with (
        TemporaryDirectory(prefix="penstock-replay-", dir=installation.place.cache) as folder,
        closing(connect(memory_limit=MEMORY, threads=1)) as connection,
    ):
        connection.execute("SET preserve_insertion_order = true")
        history, texts = _history(installation, log, graph)
        pipeline = make_pipeline(installation, graph, connection, texts=texts)
        sinks = [sink for sink in graph.sinks if sink.output.live]
        tables = {sink.output.topic: LiveTable(Path(folder), live_shape(graph, sink)) for sink in sinks}
        for outcome in replay(pipeline, history, rounds, prepare=partial(_look_up, installation, pipeline)):
            for topic, table in tables.items():
                table.apply(outcome.outputs[topic], "replayed")
        for table in tables.values():
            table.close()
        served = installation.place.root / "live"
        for sink in sinks:
            name = sink.output.name
            rows, different = _differences(live_file(Path(folder), name), live_file(served, name))
            yield Replayed(graph.topology.name, name, len(rounds), rows, different)


def _rounds(installation: Installation, log: Log, graph: Graph) -> list[Round]:
    """The whole journal; the job is held meanwhile, so that it does not grow."""
    specs = derived_topics(installation.project, graph)
    with closing(log.job(graph.topology.name, list(graph.topology.inputs()), specs)) as job:
        rounds = [Round.of_bytes(entry) for entry in job.journal()]
        begun = job.restore().snapshot is not None
    if (rounds[0].number > 0) if rounds else begun:
        raise UsageError(
            "The journal of the topology does not go back to its first round",
            where=graph.topology.name,
            found=f"round {rounds[0].number}" if rounds else "no round",
            remedy="What it made before is in its topics and live tables; only a whole journal can be taken again.",
        )
    return rounds


def _look_up(installation: Installation, pipeline: Pipeline, one: Round) -> None:
    """Bring looked-up tables to the release that the round had them at."""
    for name, stage in pipeline.stages.items():
        if isinstance(stage, LookupStage) and stage.version != one.tables[name]:
            release = one.tables[name]
            stage.refresh(read_reference(installation, stage.lookup.table, stage.columns, release=release))


def _history(installation: Installation, log: Log, graph: Graph) -> tuple[History, frozenset[str]]:
    """The rows of every input, and which of them come from bronze, as text."""
    parts: dict[Part, pa.Table] = {}
    texts = set()
    for _, intake in graph.intakes:
        rows = None if intake.declared is None else _bronze(installation, log, intake.declared)
        if rows is None:
            parts |= _topic(log, intake.topic)
        else:
            parts |= rows
            texts.add(intake.topic)
    return History(parts), frozenset(texts)


def _bronze(installation: Installation, log: Log, topic: Topic) -> dict[Part, pa.Table] | None:
    """The rows of a topic in bronze by partition; None when bronze does not have all that the log has."""
    from penstock.lake.lake import Lake
    from penstock.load.tables import SYSTEM_COLUMNS
    from penstock.load.topic import landed_positions
    from penstock.sql.scan import read_scan

    if not topic.lake:
        return None
    with Lake.open(installation.place.root, installation.world) as lake:
        landed = landed_positions(lake, topic.name)
        ends = {part: next for part, (_, next) in log.bounds(topic.name).items()}
        if any(next > 0 and (part not in landed or landed[part].offset < next) for part, next in ends.items()):
            return None
        if lake.head(f"bronze.{topic.name}") is None:
            return None
        scan = lake.scan(f"bronze.{topic.name}")
        system = {column.name for column in SYSTEM_COLUMNS}
        names = [column.name for column in scan.columns if column.name not in system]
        listed = ", ".join(map(quote, names))
        read = read_scan(scan.files, scan.columns)
        with closing(connect(memory_limit=MEMORY)) as connection:
            return {
                (topic.name, part): connection.sql(
                    f"SELECT {listed}, CAST({part} AS INTEGER) AS {PARTITION}, _line AS {OFFSET} FROM ({read})"
                    f" WHERE _file = {literal(f'{topic.name}/{part}')} ORDER BY _line"
                ).to_arrow_table()
                for part in ends
            }


def _topic(log: Log, topic: str) -> dict[Part, pa.Table]:
    """The rows of a topic in the log by partition."""
    found: dict[Part, list[pa.Table]] = {}
    schema = log.topics()[topic].spec.read_schema
    with closing(log.reader(beginning(log, topic), bare=True)) as reader:
        while chunks := reader.poll(_ROWS_AT_ONCE, 0.0):
            for chunk in chunks:
                found.setdefault((topic, chunk.partition), []).append(pa.Table.from_batches([chunk.records]))
    made = {}
    for part in log.bounds(topic):
        rows = pa.concat_tables([schema.empty_table(), *found.get((topic, part), [])])
        partition = pa.repeat(pa.scalar(part, pa.int32()), rows.num_rows)
        names = [name for name in rows.column_names if name not in SYSTEM.names]
        made[topic, part] = rows.select(names).append_column(PARTITION, partition)
    return made


def _differences(made: Path, served: Path) -> tuple[int, int]:
    """The rows of the table that was made again, and how many keys differ from the one that is served."""
    with closing(sqlite3.connect(made)) as db:
        ((shape,),) = db.execute("SELECT value FROM about WHERE name = 'shape'").fetchall()
        ((rows,),) = db.execute("SELECT count(*) FROM rows").fetchall()
        key = ", ".join(quote(name) for name in json.loads(shape)["key"])
        db.execute("ATTACH ? AS served", [str(served)])
        differing = "SELECT * FROM {a} EXCEPT SELECT * FROM {b}"
        sides = [differing.format(a=a, b=b) for a, b in (("main.rows", "served.rows"), ("served.rows", "main.rows"))]
        union = " UNION ".join(f"SELECT {key} FROM ({side})" for side in sides)
        ((different,),) = db.execute(f"SELECT count(*) FROM ({union})").fetchall()
    return int(rows), int(different)
