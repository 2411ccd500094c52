"""Running compiled models and tests in the warehouse, without dbt: each after what it reads."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from graphlib import TopologicalSorter
from pathlib import Path

import duckdb

from penstock.side_by_side import AT_A_TIME
from penstock.sql.beside import on_own
from penstock.sql.names import quote
from penstock.transform import changes, warehouse
from penstock.transform.graph import Graph, Node, NodeType
from penstock.transform.handing import made, read_made
from penstock.transform.narrowing import Proven, narrowed
from penstock.transform.program import Program
from penstock.transform.ran import Ran
from penstock.transform.selection import Selection
from penstock.transform.workspace import Workspace
from penstock.world import Clock

Step = str | Callable[[], None]  # a statement, or several and what is made of their results


@dataclass(frozen=True)
class Runner:
    """Runs nodes of a program on a connection that has the warehouse attached."""

    connection: duckdb.DuckDBPyConnection
    program: Program
    workspace: Workspace
    clock: Clock
    alone: bool = False  # nothing else is at work beside it

    def run(self, selection: Selection, proven: Proven) -> tuple[Ran, ...]:
        """Build the models selected and run the tests, two nodes at a time, each after what it reads. One outcome each,
        in an order in which they could have been made, tests last; what reads a model that failed is skipped. What
        found no memory beside another is made again alone. Tests look at what was not `proven`.
        """
        there = set(warehouse.relations(self.connection))
        for table in told(self.program) & there:
            changes.no_changes(self.connection, table)
        for schema in {node.schema for node in self.program.graph.models}:
            warehouse.make_schema(self.connection, schema)
        done = self._each_after_what_it_reads(selection.run | selection.tests, there, proven)
        models = in_order(self.program.graph, selection.run)
        return tuple(done[id] for id in (*models, *sorted(selection.tests)) if id in done)

    def _each_after_what_it_reads(
        self, ids: Collection[str], there: Collection[str], proven: Proven
    ) -> Mapping[str, Ran]:
        def make(connection: duckdb.DuckDBPyConnection, asked: tuple[Node, Mapping[str, Ran], bool]) -> Ran:
            node, before, alone = asked
            return replace(self, connection=connection, alone=alone)._make(node, before, there, proven)

        on_its_own, done = on_own(self.connection, make), dict[str, Ran]()
        reach = _reach(self.program.graph, ids)
        waiting = _order(self.program.graph, ids)
        waiting.prepare()
        ready: list[str] = []
        running: dict[Future[Ran], str] = {}
        crowded: list[str] = []  # those that found no memory beside others; nothing new begins while there are any
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            while waiting.is_active():
                for id in waiting.get_ready():
                    node = self.program.graph.nodes[id]
                    if node.stored or node.type is NodeType.TEST:
                        ready.append(id)
                    else:
                        waiting.done(id)
                ready.sort(key=lambda id: reach[id])
                free = 0 if crowded else AT_A_TIME - len(running)
                beginning = crowded[:1] if crowded and not running else _last(ready, free)
                for id in beginning:
                    asked = self.program.graph.nodes[id], dict(done), bool(crowded)
                    running[pool.submit(on_its_own, asked)] = id
                for ended in wait(running, return_when=FIRST_COMPLETED).done if running else ():
                    id = running.pop(ended)
                    try:
                        done[id] = ended.result()
                    except duckdb.OutOfMemoryException:
                        crowded.append(id)
                        continue
                    crowded = [one for one in crowded if one != id]
                    waiting.done(id)
        return done

    def _make(self, node: Node, done: Mapping[str, Ran], there: Collection[str], proven: Proven) -> Ran:
        above = stored_above(self.program.graph, node)
        if any(done[one].status != "success" for one in above if one in done):
            return self._ended(node.id, "skipped", self.program.sql[node.id].whole, 0.0)
        if node.type is NodeType.TEST:
            sql = narrowed(node, self.program.graph, self.program.sql[node.id].whole, proven)
            return self._test(node, sql, self._from_made(sql, there, done))
        return self._attempt(node.id, *self._steps(node, there, done))

    def _steps(self, node: Node, there: Collection[str], done: Mapping[str, Ran]) -> tuple[str, Sequence[Step]]:
        """The node's SQL, and the steps that make it so."""
        compiled, name = self.program.sql[node.id], warehouse.relation(node.table)
        if node.materialized == "view":
            kept = node.table in there  # a view follows what it reads; one whose code changed was dropped
            return compiled.whole, [] if kept else [f"CREATE VIEW {name} AS (\n{compiled.whole}\n)"]
        if node.materialized == "incremental" and node.table in there and compiled.more is not None:
            if node.adds_up:
                return compiled.more, [partial(self._add, node, compiled.more)]
            if node.moves_by_key:
                return compiled.more, [partial(self._move, node, self._from_made(compiled.more, there, done))]
            return compiled.more, [partial(self._append, node, compiled.more)]
        if node.table in told(self.program) and node.table in there:
            return compiled.whole, [partial(self._replace, node, compiled.whole)]
        create = f"CREATE OR REPLACE TABLE {name} AS {_laid_out(node, compiled.whole)}"
        if node.table not in told(self.program):
            return compiled.whole, [create]
        return compiled.whole, [create, partial(changes.no_changes, self.connection, node.table)]

    def _from_made(self, sql: str, there: Collection[str], done: Mapping[str, Ran]) -> str:
        """The SQL, with rows of affected keys read where this build keeps them."""
        models, kept = self.program.graph.models, self.program.handed_on
        moved = [one for one in models if one.id in done and one.table in kept and one.table in there]
        return read_made(sql, moved, models)

    def _append(self, node: Node, sql: str) -> None:
        """Add rows, and keep them as what changed where that is asked for."""
        name, held = warehouse.relation(node.table), warehouse.count(self.connection, node.table)
        self.connection.execute(f"INSERT INTO {name} BY NAME (\n{sql}\n)")
        if node.table in told(self.program):
            changes.appended(self.connection, node.table, held)

    def _replace(self, node: Node, sql: str) -> None:
        """Make the table anew, and keep what differs from before."""
        name, before = warehouse.relation(node.table), warehouse.relation(f"{node.table}.before")
        self.connection.execute(f"ALTER TABLE {name} RENAME TO {quote(f'{node.name}.before')}")
        self.connection.execute(f"CREATE TABLE {name} AS {_laid_out(node, sql)}")
        changes.difference(self.connection, node.table, after=name, before=before)
        self.connection.execute(f"DROP TABLE {before}")

    def _move(self, node: Node, sql: str) -> None:
        """Make the rows of the affected keys anew, and put those that differ in the place of the old ones."""
        name, run = warehouse.relation(node.table), self.connection.execute
        affected = f"SEMI JOIN {warehouse.relation(self._table_of(node.affected))} AS key ON " + " AND ".join(
            f"row.{quote(own)} IS NOT DISTINCT FROM key.{quote(theirs)}" for own, theirs in node.keys.items()
        )
        kept = node.table in self.program.handed_on
        coming = made(node.table) if kept else "coming"
        changes.take_out(self.connection, node.table, f"{name} AS row {affected}")
        run(f"CREATE OR REPLACE {'TABLE' if kept else 'TEMP TABLE'} {coming} AS FROM {name} LIMIT 0")
        run(f"INSERT INTO {coming} BY NAME SELECT row.* FROM (\n{sql}\n) AS row {affected}")
        changes.move(self.connection, node.table, coming)

    def _add(self, node: Node, sql: str) -> None:
        """Add what came and what went to the sums that stand; a key that counts no row any more has none."""
        name, run = warehouse.relation(node.table), self.connection.execute
        same = " AND ".join(f"row.{quote(own)} IS NOT DISTINCT FROM key.{quote(own)}" for own in node.keys)
        names = [column for column, _ in warehouse.describe(self.connection, node.table)]
        sums = ", ".join(quote(own) if own in node.keys else f"sum({quote(own)}) AS {quote(own)}" for own in names)
        added = f"SELECT {sums} FROM (FROM {changes.STOOD} UNION ALL BY NAME FROM moving) GROUP BY ALL"
        run(f"CREATE OR REPLACE TEMP TABLE coming AS FROM {name} LIMIT 0")
        run(f"CREATE OR REPLACE TEMP TABLE moving AS {sql}")
        changes.take_out(self.connection, node.table, f"{name} AS row SEMI JOIN moving AS key ON {same}")
        run(f"INSERT INTO coming BY NAME {added} HAVING sum({quote(node.counted or '')}) <> 0")
        changes.move(self.connection, node.table, "coming")

    def _table_of(self, name: str | None) -> str:
        return next(node.table for node in self.program.graph.models if node.name == name)

    def _attempt(self, id: str, sql: str, steps: Sequence[Step]) -> Ran:
        """Take the steps as one transaction: whatever fails, the node is as it was before."""
        started = self.clock.monotonic()
        try:
            with _transaction(self.connection):
                for step in steps:
                    self._take(step)
        except duckdb.Error as error:
            if self._is_crowded(error):
                raise
            return self._ended(id, "error", sql, self.clock.monotonic() - started, _sentence(error))
        return self._ended(id, "success", sql, self.clock.monotonic() - started)

    def _take(self, step: Step) -> None:
        self.connection.execute(step) if isinstance(step, str) else step()

    def _is_crowded(self, error: duckdb.Error) -> bool:
        """Whether it may be another that took the memory."""
        return isinstance(error, duckdb.OutOfMemoryException) and not self.alone

    def _test(self, node: Node, sql: str, made: str) -> Ran:
        """Count the rows that fail; `made` finds those of `sql` where this build keeps some of what it reads."""
        started = self.clock.monotonic()
        try:
            failures = int(self.connection.execute(f"SELECT count(*) FROM (\n{made}\n)").fetchall()[0][0])
        except duckdb.Error as error:
            if self._is_crowded(error):
                raise
            return self._ended(node.id, "error", sql, self.clock.monotonic() - started, _sentence(error))
        failed = "warn" if node.severity == "warn" else "fail"
        message = f"Got {failures} result{'' if failures == 1 else 's'}, configured to {failed} if != 0"
        status, said = (failed, message) if failures else ("pass", "")
        return self._ended(node.id, status, sql, self.clock.monotonic() - started, said, failures)

    def _ended(self, id: str, status: str, sql: str, seconds: float, message: str = "", failures: int = 0) -> Ran:
        path = self.program.sql[id].path
        compiled = None if path is None else self.workspace.compiled(Path(path))
        return Ran(id, status, seconds, message, failures, sql, compiled)


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException:
        with suppress(duckdb.TransactionException):  # a commit that fails has rolled back
            connection.rollback()
        raise


def _last(ready: list[str], count: int) -> list[str]:
    """Take so many from the end, the last first."""
    return [ready.pop() for _ in range(min(count, len(ready)))]


def told(program: Program) -> frozenset[str]:
    """The tables whose changes matter: to a model that reads them, or to the release that writes slices."""
    sliced = {node.table for node in program.graph.models if node.slice_by is not None}
    return program.asked | sliced


def _laid_out(node: Node, sql: str) -> str:
    """The query of a table: rows of a day lie together where the release writes days, so a day is read in one place."""
    return f"(\n{sql}\n)" if node.slice_by is None else f"FROM (\n{sql}\n) ORDER BY {quote(node.slice_by)}"


def in_order(graph: Graph, ids: Collection[str]) -> tuple[str, ...]:
    """The ids so that each comes after those it reads."""
    return tuple(_order(graph, ids).static_order())


def _order(graph: Graph, ids: Collection[str]) -> TopologicalSorter[str]:
    return TopologicalSorter({id: [one for one in graph.nodes[id].parents if one in ids] for id in sorted(ids)})


def _reach(graph: Graph, ids: Collection[str]) -> Mapping[str, int]:
    """How many models still follow one after another on each: what has most before it begins first, tests last."""
    reach = {id: -1 if graph.nodes[id].type is NodeType.TEST else 0 for id in ids}
    for id in reversed(in_order(graph, ids)):
        for parent in graph.nodes[id].parents:
            if parent in reach and graph.nodes[id].type is not NodeType.TEST:
                reach[parent] = max(reach[parent], reach[id] + 1)
    return reach


def stored_above(graph: Graph, node: Node) -> tuple[str, ...]:
    """The tables and views that a node reads, directly or through ephemeral models; sources as their ids."""
    found: dict[str, None] = {}
    waiting = list(node.parents)
    while waiting:
        parent = waiting.pop()
        read = graph.nodes.get(parent)
        if read is None or read.stored:
            found[parent] = None
        else:
            waiting.extend(read.parents)
    return tuple(found)


def _sentence(error: duckdb.Error) -> str:
    """The database's message in one line, and below it the line of SQL with the mark that shows where."""
    said, _, drawn = str(error).partition("\nLINE ")
    sentence = " ".join(line.strip() for line in said.splitlines() if line.strip())
    return f"{sentence}\nline {drawn.rstrip()}" if drawn else sentence
