"""What every answer is made of: lines and tables for people, JSON documents for programs."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, is_dataclass

from rich.console import Console
from rich.table import Table

from penstock.errors import DeclarationError, PenstockError, counted


def console() -> Console:
    """Standard output; what is piped is not broken into lines."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def any_text() -> None:
    """Let a terminal that knows fewer letters than the data show the others escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def line(text: str) -> None:
    console().print(text, markup=False, soft_wrap=True)  # a command that is broken into lines cannot be copied


def error_line(text: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


def document(value: object) -> None:
    """Print one JSON document; instants are ISO 8601 in UTC, decimals are text."""
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    sys.stdout.write(json.dumps(value, indent=2, default=_plain, ensure_ascii=not unicode) + "\n")


def document_line(value: object) -> None:
    """Print one JSON document on one line, at once."""
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    sys.stdout.write(json.dumps(value, default=_plain, ensure_ascii=not unicode) + "\n")
    sys.stdout.flush()


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)


def error(problem: PenstockError, *, as_json: bool) -> None:
    """What went wrong: a sentence for people on standard error, one JSON document for programs on standard output."""
    if as_json or (isinstance(problem, DeclarationError) and problem.problems):
        problems(problem, as_json=as_json)
        return
    error_line(f"error: {problem}")


def problems(problem: PenstockError, *, as_json: bool) -> None:
    """Every problem of the declarations, one a line, with its place."""
    found = (isinstance(problem, DeclarationError) and problem.problems) or (problem,)
    if as_json:
        document({"ok": False, "problems": [_facts(one) for one in found]})
        return
    for one in found:
        error_line(str(one))
    error_line(f"{counted(len(found), 'problem')} found")


def _facts(problem: PenstockError) -> dict[str, str | None]:
    return {
        "what": problem.what,
        "where": problem.where,
        "expected": problem.expected,
        "found": problem.found,
        "remedy": problem.remedy,
    }


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """Numbers to the right with thousands separators, text to the left."""
    rows = [list(row) for row in rows]
    drawn = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for index, heading in enumerate(headings):
        numeric = any(isinstance(row[index], int | float) and not isinstance(row[index], bool) for row in rows)
        drawn.add_column(heading, justify="right" if numeric else "left", no_wrap=index == 0)
    for row in rows:
        drawn.add_row(*(_cell(value) for value in row))
    screen = console()
    if not sys.stdout.isatty():
        screen.width = 200
    screen.print(drawn)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return str(value)
