"""What a build left in the warehouse: a result for every model and for every test that ran."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial

import duckdb

from penstock.side_by_side import side_by_side
from penstock.sql.beside import on_own
from penstock.sql.names import quote
from penstock.transform import warehouse
from penstock.transform.changes import CAME, counts, named
from penstock.transform.columns import lake_type
from penstock.transform.content import Columns, Content, content_of
from penstock.transform.graph import Described, Graph, Node
from penstock.transform.ran import Ran
from penstock.transform.result import (
    GOLD,
    ModelColumn,
    ModelKind,
    ModelResult,
    ModelStatus,
    TestResult,
    TestStatus,
)
from penstock.transform.selection import Selection
from penstock.transform.state import WarehouseState
from penstock.transform.workspace import Workspace

_SAMPLE_ROWS = 5


@dataclass(frozen=True)
class Outcome:
    """All that is known when dbt is done."""

    graph: Graph
    workspace: Workspace
    selection: Selection
    built: WarehouseState | None
    held: Mapping[str, int]  # rows that an append model holds of its base, by id
    moved: Collection[str]  # ids of the models whose rows moved by key
    ran: Mapping[str, Ran]  # by id of the node


def model_results(connection: duckdb.DuckDBPyConnection, outcome: Outcome) -> tuple[ModelResult, ...]:
    """A result for every model, in the order of their names; those that did not run included."""
    columns = warehouse.columns(connection)

    def result(own: duckdb.DuckDBPyConnection, node: Node) -> ModelResult:
        return _model(own, node, outcome, columns[node.table])

    models = sorted(outcome.graph.models, key=lambda node: node.table)
    return tuple(side_by_side(on_own(connection, result), models))


def _model(connection: duckdb.DuckDBPyConnection, node: Node, outcome: Outcome, columns: Columns) -> ModelResult:
    status = _status(node, outcome)
    before = None if outcome.built is None else outcome.built.nodes.get(node.id)
    hash_before = None if before is None else before.content_hash
    content = _content(connection, node, status, hash_before, columns)
    counted = node.schema == GOLD or node.materialized != "view"
    rows = warehouse.count(connection, node.table) if counted else 0
    held = outcome.held.get(node.id) if status is ModelStatus.APPENDED else None
    new_rows = _new_rows(connection, node, status, rows, held)
    return ModelResult(
        unique_id=node.id,
        name=node.name,
        schema=node.schema,
        kind=node.kind,
        status=status,
        rows=rows,
        new_rows=new_rows,
        seconds=outcome.ran[node.id].seconds if node.id in outcome.ran else 0.0,
        changed=_changed(status, new_rows, content, hash_before),
        content_hash=content,
        held_rows=held,
        slice_by=node.slice_by,
        moved_slices=_slices(connection, node, outcome),
        shown_in=node.shown_in,
        columns=tuple(_column(name, type, node.columns.get(name, Described())) for name, type in columns),
        description=node.description,
        tests=tuple(sorted(test.name for test in outcome.graph.tests if node.id in test.parents)),
        path=outcome.workspace.declared(node.path),
    )


def _new_rows(
    connection: duckdb.DuckDBPyConnection, node: Node, status: ModelStatus, rows: int, held: int | None
) -> int:
    if status is ModelStatus.KEPT:
        return 0
    if status is ModelStatus.MOVED:
        came, gone = counts(connection, node.table)
        return rows if gone else came
    return rows - (held or 0)


def _status(node: Node, outcome: Outcome) -> ModelStatus:
    if node.id not in outcome.selection.run:
        return ModelStatus.KEPT
    if node.id in outcome.held:
        return ModelStatus.APPENDED
    return ModelStatus.MOVED if node.id in outcome.moved else ModelStatus.BUILT


def _changed(status: ModelStatus, new_rows: int, content: str | None, before: str | None) -> bool:
    match status:
        case ModelStatus.KEPT:
            return False
        case ModelStatus.APPENDED:
            return new_rows > 0
        case ModelStatus.BUILT | ModelStatus.MOVED:
            return content is None or content != before


def _content(
    connection: duckdb.DuckDBPyConnection, node: Node, status: ModelStatus, before: str | None, columns: Columns
) -> str | None:
    """The content of a released table; of one whose rows moved, from what came and what went."""
    if status is ModelStatus.KEPT or node.schema != GOLD or node.kind is ModelKind.APPEND:
        return before if status is ModelStatus.KEPT else None
    content = partial(content_of, connection, node.table, without=node.operational, columns=columns)
    if status is ModelStatus.MOVED and before is not None:
        came, gone = (content(rows=f"{named(node.table)} WHERE {which}") for which in (CAME, f"NOT {CAME}"))
        return str(Content.from_text(before).moved(came=came, gone=gone))
    return str(content())


def _slices(connection: duckdb.DuckDBPyConnection, node: Node, outcome: Outcome) -> tuple[date, ...] | None:
    """The dates of rows that came or went, where the base's rows are known and every row has one."""
    if node.slice_by is None or node.id in outcome.selection.rebuild or outcome.built is None:
        return None
    if node.id not in outcome.selection.run:
        return ()
    sql = f"SELECT DISTINCT CAST({quote(node.slice_by)} AS DATE) FROM {named(node.table)} ORDER BY ALL"
    days = tuple(row[0] for row in connection.execute(sql).fetchall())
    return None if None in days else days


def _column(name: str, type: str, declared: Described) -> ModelColumn:
    return ModelColumn(
        name=name,
        duckdb_type=type,
        lake_type=lake_type(type),
        description=declared.description,
        id=name if declared.id is None else declared.id,
        classification=declared.classification,
    )


def test_results(connection: duckdb.DuckDBPyConnection, outcome: Outcome) -> tuple[TestResult, ...]:
    """A result for every test that ran, those that did not pass first, then by name."""
    results = [_test(connection, test, outcome) for test in outcome.graph.tests if test.id in outcome.ran]
    return tuple(sorted(results, key=lambda test: (test.status is TestStatus.PASS, test.name)))


def _test(connection: duckdb.DuckDBPyConnection, test: Node, outcome: Outcome) -> TestResult:
    ran = outcome.ran[test.id]
    status = TestStatus(ran.status) if ran.status in set(TestStatus) else TestStatus.ERROR
    has_rows = status in (TestStatus.FAIL, TestStatus.WARN)
    model = outcome.graph.nodes.get(test.tested or next(iter(test.parents), ""))
    return TestResult(
        name=test.name,
        model=None if model is None else model.table,
        column=test.tested_column,
        status=status,
        severity=test.severity,
        failures=ran.failures,
        message=ran.message,
        sql=ran.sql,
        sample=_sample(connection, ran.sql) if has_rows else (),
        path=outcome.workspace.declared(test.path),
    )


def _sample(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Mapping[str, str | None], ...]:
    result = connection.execute(f"SELECT COLUMNS(*)::VARCHAR FROM (\n{sql}\n) ORDER BY ALL LIMIT {_SAMPLE_ROWS}")
    names = [column[0] for column in result.description or ()]
    return tuple(dict(zip(names, row, strict=True)) for row in result.fetchall())
