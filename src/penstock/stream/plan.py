"""Topologies made into graphs: every expression is typed, and every problem is told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from penstock.conform.columns import pseudonym_domains
from penstock.errors import DeclarationError, PenstockError
from penstock.spec.problems import did_you_mean
from penstock.spec.project import Project
from penstock.spec.stream import (
    Deduplicate,
    Derive,
    Filter,
    Join,
    Lookup,
    Measure,
    Operation,
    Output,
    Running,
    Score,
    Step,
    Topology,
    Union,
    Window,
)
from penstock.sql.connection import connect
from penstock.sql.expression import row_expression
from penstock.sql.names import quote
from penstock.stream.correction import marked, may_stop_to_hold, settled, taken_back
from penstock.stream.graph import ROWS, Graph, Intake, Node, Select, Sink
from penstock.stream.received import received
from penstock.stream.schema import DELETED, SYSTEM, contract_schema, join_fields, running_fields, window_schema

Describe = Callable[[str], pa.Schema | None]
"""The columns of a table `layer.name` that may be looked up; None when there is none."""


class NotReleased(DeclarationError):
    """A table that is looked up is not in any release (yet)."""


def make_graphs(project: Project, describe: Describe, *, only: Collection[str] = ()) -> Mapping[str, Graph]:
    """The graph of every topology, or of those called `only` and of what they read, those first whose rows others read;
    DeclarationError with every problem."""
    problems: list[PenstockError] = []
    with connect(threads=1) as connection:
        planning = _Planning(project, describe, connection, problems)
        for name, topology in project.streams.topologies.items():
            if not only or name in only:
                planning.graph(topology)
    if problems:
        raise DeclarationError("The streams cannot be run as they are declared", problems=tuple(problems))
    return {name: graph for name, graph in planning.graphs.items() if graph is not None}


@dataclass
class _Planning:
    project: Project
    describe: Describe
    connection: duckdb.DuckDBPyConnection
    problems: list[PenstockError]
    graphs: dict[str, Graph | None] = field(default_factory=dict)

    def graph(self, topology: Topology) -> Graph | None:
        """The graph, or None when something about it or about what it reads is wrong."""
        if topology.name not in self.graphs:
            self.graphs[topology.name] = self._planned(topology)
        return self.graphs[topology.name]

    def _planned(self, topology: Topology) -> Graph | None:
        before = len(self.problems)
        nodes: dict[str, Node] = {}
        for name in topology.inputs():
            intake = self._intake(name)
            if intake is None:
                return None  # what is wrong is told where it is made
            nodes[name] = intake
        for step in topology.steps:
            if any(name not in nodes for name in step.reads):
                continue  # what is wrong with those is told already
            try:
                nodes[step.name] = self._node(step, nodes)
            except DeclarationError as error:
                self.problems.append(error)
        sinks = tuple(self._sinks(topology, nodes))
        return Graph(topology, tuple(nodes.values()), sinks) if len(self.problems) == before else None

    def _sinks(self, topology: Topology, nodes: Mapping[str, Node]) -> Iterator[Sink]:
        for output in topology.outputs:
            if output.source not in nodes:
                continue
            try:
                yield self._sink(output, nodes[output.source])
            except DeclarationError as error:
                self.problems.append(error)

    def _intake(self, name: str) -> Node | None:
        topic = self.project.streams.topics.get(name)
        if topic is not None:
            contract = self.project.contracts[topic.dataset]
            domains = pseudonym_domains(contract, self.project.contracts)
            came = received(topic, contract, domains, tenant=self.project.tenant)
            schema = contract_schema(contract, domains)
            stays = frozenset(schema.names)
            return Node(name, (), Intake(name, topic, contract, came), schema, topic.time, settled=stays)
        for topology in self.project.streams.topologies.values():
            if any(output.topic == name for output in topology.outputs):
                graph = self.graph(topology)
                if graph is None:
                    return None
                sink = next(sink for sink in graph.sinks if sink.output.topic == name)
                does = Intake(name, None, None, name)
                return Node(name, (), does, sink.schema, sink.time, sink.corrected, settled=sink.settled)
        raise AssertionError(f"{name} was found when the project was loaded")

    def _node(self, step: Step, nodes: Mapping[str, Node]) -> Node:
        before = nodes[step.source]
        operation = step.operation
        if before.corrected and isinstance(operation, Deduplicate | Running | Window | Join):
            raise DeclarationError(
                f"The rows of `{before.name}` are corrected later",
                where=step.place,
                expected="`filter`, `derive`, `lookup`, `union` or `score` of them",
                remedy="Let it read what the windows or joins are made of.",
            )
        if before.time is None and isinstance(operation, Deduplicate | Window | Join):
            raise DeclarationError(
                f"Nothing says when the rows of `{before.name}` happened",
                where=step.place,
                expected="the column of event time among the columns of the topic",
                remedy="Add it to `columns` of the output that writes the topic.",
            )
        does, schema, reads = self._done(step, before, nodes)
        sources = [nodes[name] for name in reads] if isinstance(operation, Union) else [before]
        corrected = isinstance(operation, Window | Join) or any(one.corrected for one in sources)
        time = before.time if all(one.time == before.time for one in sources) else None
        stays = settled(operation, sources, schema.names)
        return Node(step.name, reads, does, schema, time, corrected, step.place, stays)

    def _done(
        self, step: Step, before: Node, nodes: Mapping[str, Node]
    ) -> tuple[Select | Operation, pa.Schema, tuple[str, ...]]:
        rows, reads = before.schema, step.reads
        match step.operation:
            case Filter(expression):
                met = self._met(expression, rows, "filter", step.place)
                if may_stop_to_hold(expression, before):
                    select = marked(rows.names, met)
                    return select, self._typed(select.sql, rows, step.place), reads
                return Select("SELECT * FROM ", f" WHERE {met}"), rows, reads
            case Derive(columns):
                select, schema = self._derived(columns, rows, step.place)
                return select, schema, reads
            case Lookup() as lookup:
                return lookup, self._looked_up(lookup, rows, step.place), reads
            case Running() as running:
                _require_number(rows, running.value, step.place)
                return running, _with(rows, running_fields(running)), reads
            case Window() as window:
                for one in window.aggregates:
                    if one.column is not None and one.measure in (Measure.SUM, Measure.MEAN):
                        _require_number(rows, one.column, step.place)
                return window, window_schema(window, rows), reads
            case Join() as join:
                other = nodes[join.other]
                if other.time is None or other.corrected:
                    raise DeclarationError(
                        f"The rows of `{other.name}` cannot be joined in time",
                        where=step.place,
                        expected="rows that are not corrected later, with the column of event time",
                    )
                for mine, theirs in join.on:
                    _require_same(rows.field(mine).type, other.schema.field(theirs).type, mine, theirs, step.place)
                return join, _with(rows, join_fields(join, other.schema)), reads
            case Union() as union:
                return union, _united([nodes[name] for name in reads], step.place), reads
            case Score() as score:
                for name in score.columns:
                    _require_number(rows, name, step.place)
                return score, _with(rows, [pa.field(score.into, pa.float64())]), reads
            case operation:
                return operation, rows, reads

    def _derived(self, columns: tuple[tuple[str, str], ...], rows: pa.Schema, where: str) -> tuple[Select, pa.Schema]:
        """SQL and schema; a later column may use an earlier one."""
        head, schema = "", rows
        for count, (name, expression) in enumerate(columns, start=1):
            compiled = row_expression(expression, schema.names, kind="expression", where=where)
            head = f"(SELECT *, TRY({compiled.sql}) AS {quote(name)} FROM {head}"
            select = Select(f"SELECT * FROM {head}", ")" * count)
            schema = self._typed(select.sql, rows, where)
        return select, schema

    def _looked_up(self, lookup: Lookup, rows: pa.Schema, where: str) -> pa.Schema:
        table = self.describe(lookup.table)
        if table is None:
            kind = NotReleased if lookup.table.startswith("gold.") else DeclarationError
            raise kind(
                f"There is no table {lookup.table} to look up",
                where=where,
                remedy="Declare its contract, or release its model with `penstock run` first.",
            )
        for column in [theirs for _, theirs in (*lookup.on, *lookup.columns)]:
            if column not in table.names:
                known = did_you_mean(column, table.names) or "Name another one."
                since = " One that its model got since is there after the next `penstock run`."
                raise DeclarationError(
                    f"{lookup.table} has no column `{column}`",
                    where=where,
                    expected=", ".join(table.names),
                    remedy=known + (since if lookup.table.startswith("gold.") else ""),
                )
        for mine, theirs in lookup.on:
            _require_same(rows.field(mine).type, table.field(theirs).type, mine, theirs, where)
        return _with(rows, [pa.field(name, table.field(theirs).type) for name, theirs in lookup.columns])

    def _sink(self, output: Output, node: Node) -> Sink:
        for name in output.key:
            if pa.types.is_nested(node.schema.field(name).type):
                raise DeclarationError(
                    f"`{name}` is a list, which names no row",
                    where=output.place,
                    expected="a `key` of single values",
                    found=str(node.schema.field(name).type),
                    remedy="Name another column.",
                )
        names = output.columns or tuple(name for name in node.schema.names if name != DELETED)
        where, leaves = "TRUE", False
        if output.where is not None:
            where = self._met(output.where, node.schema, "condition", output.place)
            leaves = node.corrected and (output.live or may_stop_to_hold(output.where, node))
        listed = ", ".join(quote(name) for name in names)
        if leaves or DELETED in node.schema.names:
            # what is taken back, and what a correction let leave the output, goes out as such
            listed = f"{listed}, {taken_back(node.schema.names, where)} AS {DELETED}"
            where = "TRUE" if output.live or leaves else f"({where} OR coalesce({DELETED}, FALSE))"
        if output.live:
            where = " AND ".join([where, *(f"{quote(name)} IS NOT NULL" for name in output.key)])
        sql = f"SELECT {listed} FROM {ROWS} WHERE {where}"
        schema = self._typed(sql, node.schema, output.place)
        time = node.time if node.time in names else None
        flag = _flag(output.where, node.schema)
        plain = DELETED not in schema.names and (output.where is None or flag is not None)
        stays = node.settled.intersection(schema.names)
        return Sink(output, node.name, None if plain else sql, schema, time, node.corrected, stays, flag)

    def _met(self, expression: str, rows: pa.Schema, kind: str, where: str) -> str:
        """SQL that is true where the expression is; a row for which it cannot be computed does not meet it."""
        compiled = row_expression(expression, rows.names, kind=kind, where=where)
        truth = self._typed(f"SELECT ({compiled.sql}) AS met FROM {ROWS}", rows, where).field("met").type
        if not pa.types.is_boolean(truth):
            raise DeclarationError(
                f"The {kind} is neither true nor false",
                where=where,
                expected="a truth value",
                found=f"`{expression}`, which is {truth}",
                remedy="Compare it with something.",
            )
        return f"coalesce(TRY(CAST(({compiled.sql}) AS BOOLEAN)), FALSE)"

    def _typed(self, sql: str, rows: pa.Schema, where: str) -> pa.Schema:
        """The columns that `sql` over rows of this schema gives, without those of the system."""
        empty = pa.schema([*SYSTEM, *rows]).empty_table()
        self.connection.register(ROWS, empty)
        try:
            schema: pa.Schema = self.connection.sql(sql).to_arrow_table().schema
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise DeclarationError("The expression cannot be computed", where=where, found=reason) from None
        finally:
            self.connection.unregister(ROWS)
        system = {one.name for one in SYSTEM}
        return pa.schema([one for one in schema if one.name not in system])


def _flag(expression: str | None, rows: pa.Schema) -> str | None:
    """The column of truth values that the condition is, when it is no more than that."""
    known = expression in rows.names and pa.types.is_boolean(rows.field(expression).type)
    return expression if known else None


def _with(rows: pa.Schema, fields: list[pa.Field]) -> pa.Schema:
    return pa.schema([*rows, *fields])


def _united(sources: Sequence[Node], where: str) -> pa.Schema:
    """The columns of the first, which all have, in its order; one more where some of them take rows back."""
    first = [one for one in sources[0].schema if one.name != DELETED]
    for other in sources[1:]:
        theirs = {one.name: one.type for one in other.schema if one.name != DELETED}
        for name in sorted(theirs.keys() ^ {one.name for one in first}):
            lacking = other if name not in theirs else sources[0]
            raise DeclarationError(f"`{lacking.name}` has no column `{name}`", where=where, expected="the same columns")
        for one in first:
            if theirs[one.name] != one.type:
                raise DeclarationError(
                    f"`{one.name}` of `{other.name}` is of another type than that of `{sources[0].name}`",
                    where=where,
                    expected=str(one.type),
                    found=str(theirs[one.name]),
                    remedy="Cast one of them in a `derive` step.",
                )
    taken_back = any(DELETED in one.schema.names for one in sources)
    return pa.schema([*first, *([pa.field(DELETED, pa.bool_())] if taken_back else [])])


def _require_number(rows: pa.Schema, name: str, where: str) -> None:
    kind = rows.field(name).type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise DeclarationError(f"`{name}` is not a number", where=where, expected="a number", found=str(kind))


def _require_same(mine: pa.DataType, theirs: pa.DataType, left: str, right: str, where: str) -> None:
    if mine != theirs:
        raise DeclarationError(
            f"`{left}` and `{right}` are never equal", where=where, expected=str(mine), found=str(theirs)
        )
