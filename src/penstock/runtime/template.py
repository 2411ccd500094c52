"""New projects from the templates that ship with the package."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

from penstock.errors import UsageError

TEMPLATES = ("commerce", "online_retail", "empty")
_NOT_COPIED = shutil.ignore_patterns("__pycache__", ".penstock", "target", "logs", "dbt_packages")


def make_project(directory: Path, template: str) -> tuple[Path, ...]:
    """Copy `template` into a folder that is new or empty; the files made, relative to nothing, sorted."""
    if template not in TEMPLATES:
        raise UsageError(
            "There is no such template",
            expected=", ".join(TEMPLATES),
            found=template,
            remedy=f"Call `penstock init --template {TEMPLATES[0]} DIR`.",
        )
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UsageError(
            "The folder is not empty",
            where=str(directory),
            remedy="Name a folder that does not exist yet: nothing was changed.",
        )
    try:
        shutil.copytree(template_folder(template), directory, ignore=_NOT_COPIED, dirs_exist_ok=True)
    except OSError as error:
        raise UsageError("The project cannot be written", where=str(directory), found=str(error)) from error
    return tuple(sorted(path for path in directory.rglob("*") if path.is_file()))


def template_folder(template: str) -> Path:
    """Where a template's files are: in the wheel, or in a checkout beside `src`."""
    shipped = Path(str(files("penstock") / "templates" / template))
    if shipped.is_dir():
        return shipped
    return Path(__file__).parents[3] / "projects" / template
