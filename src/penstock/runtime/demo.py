"""The demonstration: a project from its template, two deliveries, two runs, three questions, and the truth."""

from __future__ import annotations

import io
import os
import re
import shlex
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
from penstock.runtime.metric_comparison import Compared, compare
from penstock.runtime.report import RunReport
from penstock.runtime.run import run
from penstock.runtime.template import make_project
from penstock.runtime.watch import Watch

TEMPLATES = ("commerce", "online_retail")
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
    """Both runs, the answers, and the metrics held against what the outside world itself counted."""

    folder: Path
    first: RunReport
    second: RunReport
    answers: tuple[Answered, ...]
    compared: tuple[Compared, ...]
    following: tuple[tuple[str, ...], ...]  # commands to try next

    @property
    def exit_code(self) -> int:
        differ = any(not one.equal for one in self.compared)
        return max(self.first.exit_code, self.second.exit_code, int(differ))

    def as_record(self) -> dict[str, Any]:
        runs = {"first": self.first.as_record(), "second": self.second.as_record()}
        answers = [{"question": one.question, "sql": one.sql, "answer": one.answer} for one in self.answers]
        metrics = [one.as_record() for one in self.compared]
        return {"folder": str(self.folder), **runs, "answers": answers, "metrics": metrics}

    def closing(self) -> Iterator[str]:
        """What to try next."""
        where = ("-p", str(self.folder / "project"), "--data-dir", str(self.folder / "data"))
        yield "Now it is yours:"
        for command in self.following:
            yield f"  {shlex.join((command_words(), *command, *where))}"


def command_words() -> str:
    """How the command is called here."""
    return "penstock" if shutil.which("penstock") else os.path.relpath(sys.argv[0])


def demo(data_dir: Path | None, watch: Watch, *, template: str = TEMPLATES[0]) -> DemoReport:
    """Make the project below `data_dir` (an earlier demonstration there is thrown away) and take it through two runs.

    UsageError when the folder holds something else.
    """
    if template not in TEMPLATES:
        raise UsageError("The template has no demonstration", expected=", ".join(TEMPLATES), found=template)
    folder = FOLDER if data_dir is None else data_dir
    _clear(folder)
    make_project(folder / "project", template)
    inbox = folder / "inbox"
    inbox.mkdir()
    world = outside(folder / "project")
    _settle_in(folder / "project", world.VARIABLE, inbox)
    installation = demonstration(folder)
    watch.begin("first delivery")
    watch.end(world.first_delivery(inbox))
    first = run(installation, watch)
    watch.begin("second delivery")
    watch.end(world.second_delivery(inbox))
    second = run(installation, watch)
    answers = tuple(_ask(installation, question, sql) for question, sql in world.QUESTIONS)
    compared = tuple(compare(installation, world.expected(inbox))) if hasattr(world, "expected") else ()
    return DemoReport(folder, first, second, answers, compared, world.NEXT)


def demonstration(folder: Path | None) -> Installation:
    """The project and data that a demonstration left in its folder."""
    folder = FOLDER if folder is None else folder
    return Installation.at(folder / "project", folder / "data")


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


def outside(project: Path) -> ModuleType:
    """The project's own Python part, which stands for the outside world."""
    path = project / "simulator" / "deliveries.py"
    spec = spec_from_file_location("penstock_demo_deliveries", path)
    if spec is None or spec.loader is None:
        raise UsageError("The template has no deliveries", where=str(path))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _ask(installation: Installation, question: str, sql: str) -> Answered:
    from penstock.runtime.query import query

    answer = io.BytesIO()
    query(installation, sql, release=None, form="table", limit=20, output=answer)
    return Answered(question, sql, answer.getvalue().decode())
