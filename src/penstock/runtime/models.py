"""The models of a project as dbt reads them, without building anything."""

from __future__ import annotations

from pathlib import Path

from penstock.runtime.installation import Installation
from penstock.transform.graph import Graph


def read_models(installation: Installation) -> Graph:
    """The graph of models and tests; an empty one without models.

    DeclarationError when dbt cannot read them, or when they read a dataset that the project does not have. The
    workspace is one of its own, so a run beside it is not disturbed; where there is no data yet, or none may be
    written, it leaves nothing.
    """
    return read_declared(installation)[0]


def read_declared(installation: Installation) -> tuple[Graph, str | None]:
    """The graph, as `read_models` gives it, and dbt's JSON of the metrics; None where no metric is declared."""
    if installation.project.models is None:
        return Graph({}, {}), None
    with installation.place.scratch("explain") as folder:
        return _read(installation, folder)


def _read(installation: Installation, folder: Path) -> tuple[Graph, str | None]:
    from penstock.transform.dbt_engine import Dbt
    from penstock.transform.failure import check_sources
    from penstock.transform.graph import graph_of
    from penstock.transform.workspace import Limits, prepare

    project = installation.project
    if project.models is None:
        return Graph({}, {}), None
    workspace = prepare(folder / "dbt", models=project.models, database=folder / "explain.duckdb", limits=Limits())
    dbt = Dbt(workspace, log=None)
    graph = graph_of(dbt.parse(), workspace.variables)
    check_sources(graph, project.silver_tables, workspace)
    return graph, dbt.semantic_manifest()
