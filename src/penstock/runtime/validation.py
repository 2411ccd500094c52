"""Every mistake of a project at once: declarations, what only compiling them shows, and the models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from penstock.errors import DeclarationError, PenstockError, counted
from penstock.runtime.installation import Installation
from penstock.runtime.watch import Watch
from penstock.spec.project import Project


def validate(project: Path, data_dir: Path | None, watch: Watch) -> Project:
    """Load the project, compile every contract for every source that feeds it, let dbt read the models and
    MetricFlow the metrics, and rehearse models and checks over tables without rows.

    Raises DeclarationError with every problem found. No data is read and nothing of it is changed.
    """
    installation = Installation.at(project, data_dir)
    problems = tuple(_problems(installation, watch))
    if problems:
        raise DeclarationError("The project cannot be run as it is declared", problems=problems)
    return installation.project


def _problems(installation: Installation, watch: Watch) -> Iterator[PenstockError]:
    from penstock.conform.validate import problems
    from penstock.runtime.evolution import problems_of_evolution
    from penstock.runtime.live_agreement import problems_of_live
    from penstock.runtime.topology_graphs import problems_of_streams
    from penstock.sql.connection import connect

    wrong = 0
    watch.begin("compile the contracts")
    with connect() as connection:
        for contract in installation.project.contracts.values():
            sources = installation.project.sources_of(contract.dataset)
            found = (problems(connection, contract, source.reading) for source in sources)
            of_contract = {str(problem): problem for several in found for problem in several}
            wrong += len(of_contract)
            yield from of_contract.values()
    yield from problems_of_evolution(installation)
    watch.end(counted(len(installation.project.contracts), "contract"))
    watch.begin("plan the topologies")
    yield from problems_of_streams(installation)
    yield from problems_of_live(installation)
    watch.end("planned")
    yield from _model_problems(installation, watch, rehearse=wrong == 0)


def _model_problems(installation: Installation, watch: Watch, *, rehearse: bool) -> Iterator[PenstockError]:
    from penstock.runtime import rehearsal
    from penstock.runtime.serving import problems_of_endpoints

    with installation.place.scratch("rehearsal") as folder:
        watch.begin("read the models")
        try:
            program = rehearsal.read_models(installation.project, folder)
        except DeclarationError as error:
            yield from error.problems or (error,)
            return
        yield from problems_of_endpoints(installation.project, program.graph)
        watch.end(counted(len(program.graph.models), "model"))
        watch.begin("compile the metrics")
        yield from _metric_problems(installation, program.semantic_manifest)
        watch.end("compiled")
        if rehearse:
            watch.begin("build the models and ask the checks without rows")
            yield from rehearsal.problems(installation, program, folder)
            watch.end("built and asked")


def _metric_problems(installation: Installation, manifest: str | None) -> Iterator[PenstockError]:
    """What is wrong with the metrics; nothing where they were compiled before."""
    from penstock.runtime.metrics import compiled_metrics

    try:
        compiled_metrics(installation, manifest)
    except DeclarationError as error:
        yield from error.problems or (error,)
