"""A graph as it runs: one round of rows through every node, and the state of all nodes as one value."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from penstock.conform.counts import Counts
from penstock.errors import PenstockError
from penstock.spec.stream import Lookup, Score
from penstock.sql.planned import PlannedQuery
from penstock.stream.fused import fused
from penstock.stream.graph import ROWS, Graph, Intake, Node, Sink
from penstock.stream.incoming import REJECTED_SCHEMA, Incoming
from penstock.stream.schema import OFFSET, PARTITION, SYSTEM
from penstock.stream.stage import Frozen, KeyedStage, Moment, Stage
from penstock.stream.state import pack, unpack

LATE_SCHEMA = pa.schema(
    [
        pa.field("step", pa.string()),
        pa.field("topic", pa.string()),
        pa.field("partition", pa.int32()),
        pa.field("offset", pa.int64()),
        pa.field("watermark", pa.timestamp("us", tz="UTC")),
    ]
)
_PARTITION_BITS = 20  # within the graph the number of the topic stands above those of the partition


class RowsLost(PenstockError):
    """Rows were lost or doubled between a topic and what was made of it."""


@dataclass(frozen=True)
class Came:
    """The rows of each intake that met their contract, those that did not, and how many there were."""

    rows: Mapping[str, pa.Table]
    rejected: pa.Table
    counts: Counts


@dataclass(frozen=True)
class Outcome:
    """What a round made: rows by topic, and what became of every row that came in. `made`: whether a step that
    remembers made rows, be it that no topic takes them; `more`: whether one will in the next round, though none come."""

    outputs: Mapping[str, pa.Table]
    counts: Counts
    late: int
    made: bool = False
    more: bool = False


@dataclass
class Pipeline:
    """The nodes of a graph with their state. `incoming` checks the rows of each declared topic; `stages` are the
    operations by node. One thread uses it."""

    graph: Graph
    connection: duckdb.DuckDBPyConnection
    incoming: Mapping[str, Incoming]
    stages: Mapping[str, Stage]

    def __post_init__(self) -> None:
        self._computed = fused(self.graph)
        self._planned: dict[tuple[str, pa.Schema], PlannedQuery] = {}

    def take(self, taken: Mapping[str, pa.Table], unreadable: pa.Table | None = None) -> Came:
        """Hold the rows of each topic, payload with partition and offset, to their contracts. `unreadable` are of
        REJECTED_SCHEMA: rows that the log itself could not read."""
        poison = REJECTED_SCHEMA.empty_table() if unreadable is None else unreadable
        rows, rejected = dict[str, pa.Table](), [poison]
        counts = Counts(poison.num_rows, quarantined=poison.num_rows)
        for node, intake in self.graph.intakes:
            came = taken.get(node.name)
            schema = pa.schema([*SYSTEM, *node.schema])
            if came is None or came.num_rows == 0:
                rows[node.name] = schema.empty_table()
            elif intake.declared is None:
                rows[node.name] = came.select(schema.names).cast(schema)
                counts += Counts(came.num_rows, accepted=came.num_rows)
            else:
                held = self.incoming[node.name].take(came)
                rows[node.name] = held.rows
                rejected.append(held.rejected)
                counts += held.counts
        if not counts.balanced:
            raise RowsLost(
                "Rows do not add up, so nothing was committed",
                where=self.graph.topology.name,
                found=str(counts),
                remedy="This is a defect of Penstock: please report it with this message.",
            )
        return Came(rows, pa.concat_tables(rejected), counts)

    def process(self, came: Came, moment: Moment) -> Outcome:
        """Take what came in through the graph."""
        rows, late = self._numbered(came.rows), [LATE_SCHEMA.empty_table()]
        made = more = False
        for one in self._computed:
            node = one.node
            if isinstance(node.does, Intake):
                continue
            inputs = tuple(rows[name] for name in one.reads)
            if (one.sql is not None or isinstance(node.does, Lookup | Score)) and inputs[0].num_rows == 0:
                rows[node.name] = _nothing(node)
                continue
            if one.sql is not None:
                rows[node.name] = self._sql(one.sql, inputs[0])
                continue
            produced = self.stages[node.name].process(inputs, moment)
            rows[node.name] = produced.rows
            made, more = made or produced.rows.num_rows > 0, more or produced.more
            if produced.late is not None and produced.late.num_rows:
                late.append(self._late_rows(node.name, produced.late, moment))
        outputs = {sink.output.topic: self._selected(sink, rows[sink.reads]) for sink in self.graph.sinks}
        outputs[self.graph.rejected] = came.rejected
        outputs[self.graph.late] = pa.concat_tables(late)
        return Outcome(outputs, came.counts, outputs[self.graph.late].num_rows, made, more)

    def delta(self, facts: Mapping[str, object]) -> bytes:
        return pack({name: stage.delta() for name, stage in self._keyed()}, facts)

    def snapshot(self, facts: Mapping[str, object]) -> Frozen:
        parts = {name: stage.snapshot() for name, stage in self._keyed()}
        return lambda: pack({name: part() for name, part in parts.items()}, facts)

    def restore(self, snapshot: bytes | None, deltas: Sequence[bytes], *, only: Collection[str]) -> None:
        """Bring the nodes `only` to where they were after the last of `deltas`; the others begin anew."""
        whole = {} if snapshot is None else unpack(snapshot)
        parts = [unpack(delta) for delta in deltas]
        for name, stage in self._keyed():
            if name in only:
                stage.restore(whole.get(name), tuple(part[name] for part in parts if name in part))

    def sizes(self) -> dict[str, int]:
        """How much each node remembers."""
        return {name: stage.size() for name, stage in self._keyed()}

    def _keyed(self) -> list[tuple[str, KeyedStage]]:
        return [(name, stage) for name, stage in self.stages.items() if isinstance(stage, KeyedStage)]

    def _selected(self, sink: Sink, rows: pa.Table) -> pa.Table:
        if rows.num_rows == 0:
            return sink.schema.empty_table()
        if sink.sql is not None:
            return self._sql(sink.sql, rows).cast(sink.schema)
        if sink.flag is not None:
            rows = rows.filter(rows[sink.flag])
        for name in sink.output.key if sink.output.live else ():
            if rows[name].null_count:
                rows = rows.filter(pc.is_valid(rows[name]))
        return rows.select(sink.schema.names).cast(sink.schema)

    def _numbered(self, came: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
        """The rows of each intake, with its number in the partition: a step may read rows of several."""
        found = dict(came)
        for number, (node, _) in enumerate(self.graph.intakes):
            if number and found[node.name].num_rows:
                marked = pc.add(found[node.name][PARTITION], pa.scalar(number << _PARTITION_BITS, pa.int32()))
                place = found[node.name].schema.get_field_index(PARTITION)
                found[node.name] = found[node.name].set_column(place, PARTITION, marked)
        return found

    def _late_rows(self, step: str, late: pa.Table, moment: Moment) -> pa.Table:
        count, marked = late.num_rows, late[PARTITION].to_numpy()
        topics = pa.array([intake.topic for _, intake in self.graph.intakes])
        columns = [
            pa.repeat(pa.scalar(step), count),
            topics.take(pa.array(marked >> _PARTITION_BITS)),
            pa.array(marked & ((1 << _PARTITION_BITS) - 1)),
            late[OFFSET],
            pa.repeat(pa.scalar(moment.before, LATE_SCHEMA.field("watermark").type), count),
        ]
        return pa.table(columns, schema=LATE_SCHEMA)

    def _sql(self, sql: str, rows: pa.Table) -> pa.Table:
        form = (sql, rows.schema)
        if form not in self._planned:
            self._planned[form] = PlannedQuery(
                self.connection, rows.schema, lambda held: f"WITH {ROWS} AS (SELECT * FROM {held}) {sql}"
            )
        return self._planned[form].over(rows)


def _nothing(node: Node) -> pa.Table:
    """No rows of a node that looks at single rows."""
    return pa.schema([*SYSTEM, *node.schema]).empty_table()
