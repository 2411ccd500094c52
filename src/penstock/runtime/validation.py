"""Every mistake of a project at once: declarations, what only compiling them shows, and the models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from penstock.errors import DeclarationError, PenstockError
from penstock.runtime.installation import Installation
from penstock.spec.project import Project


def validate(project: Path, data_dir: Path | None) -> Project:
    """Load the project, compile every contract for every source that feeds it, let dbt read the models and
    MetricFlow the metrics, and rehearse models and checks over tables without rows.

    Raises DeclarationError with every problem found. No data is read and nothing of it is changed.
    """
    installation = Installation.at(project, data_dir)
    problems = tuple(_problems(installation))
    if problems:
        raise DeclarationError("The project cannot be run as it is declared", problems=problems)
    return installation.project


def _problems(installation: Installation) -> Iterator[PenstockError]:
    from penstock.conform.validate import problems
    from penstock.runtime.live_agreement import problems_of_live
    from penstock.runtime.planned import problems_of_streams
    from penstock.sql.connection import connect

    wrong = 0
    with connect() as connection:
        for contract in installation.project.contracts.values():
            sources = installation.project.sources_of(contract.dataset)
            found = (problems(connection, contract, source.reading) for source in sources)
            of_contract = {str(problem): problem for several in found for problem in several}
            wrong += len(of_contract)
            yield from of_contract.values()
    yield from problems_of_streams(installation)
    yield from problems_of_live(installation)
    yield from _model_problems(installation, rehearse=wrong == 0)


def _model_problems(installation: Installation, *, rehearse: bool) -> Iterator[PenstockError]:
    from penstock.runtime import rehearsal
    from penstock.runtime.serving import problems_of_endpoints

    with installation.place.scratch("rehearsal") as folder:
        try:
            program = rehearsal.read_models(installation.project, folder)
        except DeclarationError as error:
            yield from error.problems or (error,)
            return
        yield from problems_of_endpoints(installation.project, program.graph)
        yield from _metric_problems(installation, program.semantic_manifest)
        if rehearse:
            yield from rehearsal.problems(installation, program, folder)


def _metric_problems(installation: Installation, manifest: str | None) -> Iterator[PenstockError]:
    """What is wrong with the metrics; nothing where they were compiled before."""
    from penstock.runtime.metrics import compiled_metrics

    try:
        compiled_metrics(installation, manifest)
    except DeclarationError as error:
        yield from error.problems or (error,)
