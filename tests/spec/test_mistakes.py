"""Every sentence a declaration can cause, by example (`mistakes.yml`), and none that is not a sentence."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import DeclarationError
from tests.spec.lending_library import FILES, Library

MISTAKES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "mistakes.yml").read_text())
WORDS = [
    *(
        "",
        "~",
        "true",
        "yes",
        "0",
        "-1",
        "1e400",
        ".nan",
        "2010-13-45",
        "x",
        "é",
        "[]",
        "{}",
        "[1, {a: b}]",
        "{x: [y]}",
    ),
    *("'", '"', "*a", "&a", "!t", "|", ">", "\t", "---", "# x", "decimal(99,99)", "string", "(?P<name>", "\\1", "${X"),
    *("order_by: x", "- value: 1", "name: 5", "id: [a]", "schema: {}", "properties: []", "customProperties: {}"),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=[f"{one['file']}: {' '.join(one['by'].split())}" for one in MISTAKES])
def test_a_mistake_is_told_where_it_stands(mistake: dict[str, Any], library: Library) -> None:
    library.edit(mistake["file"], mistake["replace"], mistake["by"])

    assert library.problems() == mistake["says"]


@st.composite
def damaged_files(draw: st.DrawFn) -> tuple[str, str]:
    """One file of the project with a few lines moved, cut, indented, doubled or given another value."""
    path = draw(st.sampled_from([path for path in FILES if not path.startswith("models")]))
    lines = FILES[path].splitlines()
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        line = lines[at]
        key, colon, _ = line.partition(":")
        damage = draw(st.sampled_from(["cut", "double", "value", "key", "indent", "move", "item"]))
        if damage == "cut" and len(lines) > 1:
            del lines[at]
        elif damage == "double":
            lines.insert(at, line)
        elif damage == "value" and colon:
            lines[at] = f"{key}: {draw(st.sampled_from(WORDS))}"
        elif damage == "key":
            lines[at] = line.replace(key.strip(" -") or "x", draw(st.sampled_from(WORDS)), 1)
        elif damage == "indent":
            lines[at] = line[draw(st.integers(0, 4)) :] if draw(st.booleans()) else "  " + line
        elif damage == "move":
            lines.insert(draw(st.integers(0, len(lines))), lines[at])
        else:
            lines[at] = f"{line[: len(line) - len(line.lstrip())]}- {draw(st.sampled_from(WORDS))}"
    return path, "\n".join(lines)


@settings(max_examples=120)
@given(damaged_files())
def test_a_damaged_project_is_refused_in_sentences_or_loaded(damage: tuple[str, str]) -> None:
    path, text = damage

    problems = problems_after(path, text)

    assert all(problem.where is not None and problem.where.count(":") >= 2 for problem in problems)
    assert all(problem.what and "\n" not in str(problem) for problem in problems)


def problems_after(path: str, text: str) -> tuple[Any, ...]:
    with tempfile.TemporaryDirectory() as folder:
        library = Library(Path(folder) / "library")
        library.write(path, text)
        try:
            library.load()
        except DeclarationError as error:
            return error.problems
    return ()
