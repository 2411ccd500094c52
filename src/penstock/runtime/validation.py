"""Every mistake of a project at once: declarations, what only compiling them shows, and the models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from penstock.errors import DeclarationError, PenstockError
from penstock.runtime.installation import Installation
from penstock.spec.project import Project


def validate(project: Path, data_dir: Path | None) -> Project:
    """Load the project, compile every contract for every source that feeds it, let dbt read the models, and
    MetricFlow the metrics.

    Raises DeclarationError with every problem found. Nothing is run and no data is read.
    """
    installation = Installation.at(project, data_dir)
    problems = tuple(_problems(installation))
    if problems:
        raise DeclarationError("The project cannot be run as it is declared", problems=problems)
    return installation.project


def _problems(installation: Installation) -> Iterator[PenstockError]:
    from penstock.conform.validate import problems
    from penstock.runtime.streams import problems_of_streams
    from penstock.sql.connection import connect

    with connect() as connection:
        for contract in installation.project.contracts.values():
            sources = installation.project.sources_of(contract.dataset)
            found = (problems(connection, contract, source.reading) for source in sources)
            yield from {str(problem): problem for several in found for problem in several}.values()
    yield from problems_of_streams(installation)
    yield from _model_problems(installation)


def _model_problems(installation: Installation) -> Iterator[PenstockError]:
    from penstock.runtime.models import read_declared

    try:
        graph, metrics = read_declared(installation)
    except DeclarationError as error:
        yield from error.problems or (error,)
    else:
        from penstock.runtime.serving import problems_of_endpoints

        yield from problems_of_endpoints(installation.project, graph)
        yield from _metric_problems(installation, metrics)


def _metric_problems(installation: Installation, manifest: str | None) -> Iterator[PenstockError]:
    """What is wrong with the metrics; nothing where they were compiled before."""
    from penstock.runtime.metrics import compiled_metrics

    try:
        compiled_metrics(installation, manifest)
    except DeclarationError as error:
        yield from error.problems or (error,)
