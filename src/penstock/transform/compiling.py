"""From declared models to a program, by dbt: every node compiled for all rows, incremental ones also for new rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from penstock.transform import warehouse
from penstock.transform.changes import resolved
from penstock.transform.dbt_engine import Dbt
from penstock.transform.graph import Graph, Node, graph_of
from penstock.transform.program import Compiled, Program
from penstock.transform.workspace import Workspace


def compile_program(
    dbt: Dbt, workspace: Workspace, key: str, *, parsed: Callable[[str | None], object] = lambda _: None
) -> Program:
    """Read and compile the models of the workspace; its database is overwritten, and gone at return. `parsed` gets dbt's
    JSON of the metrics before the models are compiled.

    Raises DeclarationError when dbt cannot read them.
    """
    graph = graph_of(dbt.parse(), workspace.variables)
    semantic_manifest = dbt.semantic_manifest()
    parsed(semantic_manifest)
    sql: Mapping[str, Compiled] = {}
    if all(node.is_plain for node in graph.nodes.values()):
        sql = _compiled(dbt, graph, workspace.database)
    return Program(key, graph, sql, semantic_manifest)


def _compiled(dbt: Dbt, graph: Graph, database: Path) -> Mapping[str, Compiled]:
    warehouse.discard(database)
    try:
        whole = dbt.compile(incremental=False)
        growing = [node for node in graph.models if node.materialized == "incremental"]
        if growing:
            _pretend(database, growing)
        more = dbt.compile([node.selector for node in growing], incremental=True) if growing else {}
    finally:
        warehouse.discard(database)
    return {
        id: Compiled(
            whole=resolved(one.sql),
            more=resolved(more[id].sql) if id in more else None,
            path=None if one.compiled is None else str(one.compiled),
        )
        for id, one in whole.items()
    }


def _pretend(database: Path, growing: list[Node]) -> None:
    """dbt takes a model for one that is there already when its table is: an empty one is enough."""
    with warehouse.opened(database) as connection:
        for node in growing:
            warehouse.make_schema(connection, node.schema)
            connection.execute(f"CREATE TABLE {warehouse.relation(node.table)} (nothing INTEGER)")
