"""The documentation of the models: dbt's site, and the rule that nothing is undescribed or untested."""

from __future__ import annotations

import shutil
from pathlib import Path

from penstock.errors import DeclarationError, UsageError
from penstock.spec.project import Project
from penstock.transform.dbt_engine import Dbt
from penstock.transform.result import Build
from penstock.transform.workspace import Limits, prepare

_PAGES = {"static_index.html": "index.html", "manifest.json": "manifest.json", "catalog.json": "catalog.json"}


def generate_docs(project: Project, *, warehouse: Path, folder: Path, log: Path) -> tuple[Path, ...]:
    """Write dbt's documentation of the models as they stand in `warehouse` into `folder`.

    One page that needs no server, and the manifest and catalogue it was made from. The warehouse is only read; dbt
    works in the folder `dbt-docs` beside it. Returns the files written.
    """
    if project.models is None:
        raise UsageError(
            "The project has no models to document", where=str(project.root), remedy="Add a dbt project in `models/`."
        )
    workspace = prepare(
        warehouse.parent / "dbt-docs", models=project.models, database=warehouse, limits=Limits(), read_only=True
    )
    Dbt(workspace, log=log).docs()
    folder.mkdir(parents=True, exist_ok=True)
    for made, name in _PAGES.items():
        shutil.copyfile(workspace.target / made, folder / name)
    return tuple(folder / name for name in _PAGES.values())


def check_documented(build: Build) -> tuple[DeclarationError, ...]:
    """What a reader of the models would miss: a model or column without description, a model without a test.

    Columns are those the database has, so one that no file mentions is found too.
    """
    problems: list[DeclarationError] = []
    for model in build.models:
        where = str(model.path)
        if not model.description:
            problems.append(DeclarationError(f"The model `{model.name}` is not described", where=where))
        problems.extend(
            DeclarationError(f"Column `{column.name}` of the model `{model.name}` is not described", where=where)
            for column in model.columns
            if not column.description
        )
        if not model.tests:
            problems.append(DeclarationError(f"The model `{model.name}` has no test", where=where))
    return tuple(problems)
