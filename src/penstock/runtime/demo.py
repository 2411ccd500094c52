"""The demonstration: a project from its template, two deliveries, two runs, three questions."""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.errors import UsageError
from penstock.runtime.installation import Installation
from penstock.runtime.report import RunReport
from penstock.runtime.run import run
from penstock.runtime.template import make_project, template_folder
from penstock.runtime.watch import Watch
from penstock.spec.loading import load_project

TEMPLATE = "online_retail"
MARK = ".penstock-demo"
FOLDER = Path(".penstock-demo")


@dataclass(frozen=True)
class Answered:
    """A question, the SQL that asks it, and the answer as a table of text."""

    question: str
    sql: str
    answer: str


@dataclass(frozen=True)
class DemoReport:
    """Both runs and the answers; `real` says whether the shop's real files were used."""

    folder: Path
    real: bool
    first: RunReport
    second: RunReport
    answers: tuple[Answered, ...]

    @property
    def exit_code(self) -> int:
        return max(self.first.exit_code, self.second.exit_code)

    def as_record(self) -> dict[str, Any]:
        runs = {"first": self.first.as_record(), "second": self.second.as_record()}
        answers = [{"question": one.question, "sql": one.sql, "answer": one.answer} for one in self.answers]
        return {"folder": str(self.folder), "real": self.real, **runs, "answers": answers}

    def closing(self) -> Iterator[str]:
        """What to try next."""
        penstock = "penstock" if shutil.which("penstock") else os.path.relpath(sys.argv[0])
        where = f"-p {self.folder / 'project'} --data-dir {self.folder / 'data'}"
        yield "Now it is yours:"
        yield f'  {penstock} query "SELECT * FROM gold.top_products LIMIT 10" {where}'
        yield f"  {penstock} quarantine show order_lines {where}"
        yield f"  {penstock} explain gold.fact_sales {where}"
        yield f"  {penstock} status {where}"


def demo(data_dir: Path | None, watch: Watch) -> DemoReport:
    """Make the project below `data_dir` (an earlier demonstration there is thrown away) and take it through two runs.

    UsageError when the folder holds something else.
    """
    folder = FOLDER if data_dir is None else data_dir
    _clear(folder)
    make_project(folder / "project", TEMPLATE)
    inbox = folder / "inbox"
    inbox.mkdir()
    world = _outside(folder / "project")
    real = _real_files()
    _settle_in(folder / "project", world.VARIABLE, inbox)
    installation = Installation.at(folder / "project", folder / "data")
    source = "the shop's real files" if real is not None else "a small made-up shop (the real files are not here)"
    watch.note(f"First delivery: {source}.")
    world.first_delivery(inbox, real)
    first = run(installation, watch)
    watch.note("Second delivery: new days, one file again, and a day with dirt.")
    world.second_delivery(inbox, real)
    second = run(installation, watch)
    answers = tuple(_ask(installation, question, sql) for question, sql in world.QUESTIONS)
    return DemoReport(folder, real is not None, first, second, answers)


def _clear(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise UsageError(
            "The folder holds something that is not a demonstration",
            where=str(folder),
            remedy="Name another one with --data-dir: nothing was changed.",
        )
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARK).touch()


def _settle_in(project: Path, variable: str, inbox: Path) -> None:
    """Let the project's sources name the inbox itself, so that every later command finds it."""
    for source in (project / "sources").glob("*.yml"):
        declared = source.read_text(encoding="utf-8")
        named = re.sub(rf"\$\{{{variable}(:-[^}}]*)?\}}", lambda _: str(inbox.resolve()), declared)
        source.write_text(named, encoding="utf-8")


def _real_files() -> Path | None:
    """The folder that the template's source names in this environment, if there are files in it."""
    source = next(iter(load_project(template_folder(TEMPLATE)).sources.values()))
    folder = (template_folder(TEMPLATE) / source.globs[0]).parent
    return folder if any(folder.glob("*.csv")) else None


def _outside(project: Path) -> ModuleType:
    """The project's own Python part, which stands for the outside world."""
    path = project / "simulator" / "deliveries.py"
    spec = spec_from_file_location("penstock_demo_deliveries", path)
    if spec is None or spec.loader is None:
        raise UsageError("The template has no deliveries", where=str(path))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _ask(installation: Installation, question: str, sql: str) -> Answered:
    from penstock.runtime.reading import query

    answer = io.BytesIO()
    query(installation, sql, release=None, form="table", limit=20, output=answer)
    return Answered(question, sql, answer.getvalue().decode())
