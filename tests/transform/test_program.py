"""Compiled models as they are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.transform.graph import Graph
from penstock.transform.program import Compiled, Program, held_program, keep_program, program_key
from penstock.transform.runner import in_order
from tests.transform.program_shapes import node, workspace


def program(key: str = "key") -> Program:
    graph = Graph({"x": node("x", "source.p.silver.lines"), "y": node("y", "x")}, {"source.p.silver.lines": "lines"})
    return Program(key, graph, {"x": Compiled("select 1", None, "x.sql"), "y": Compiled("a", "b", None)}, "{}")


def test_a_program_survives_its_writing() -> None:
    assert Program.from_json(program().to_json()) == program()


def test_a_program_is_held_for_its_key_alone(tmp_path: Path) -> None:
    place = workspace(tmp_path)
    keep_program(place, program("one"))
    assert held_program(place, "one") == program("one")
    assert held_program(place, "other") is None


@pytest.mark.parametrize("text", ["", "[]", '{"key": "one"}', '{"key": "one", "graph": {"nodes": {"x": {}}}}'])
def test_a_damaged_program_is_none(tmp_path: Path, text: str) -> None:
    place = workspace(tmp_path)
    keep_program(place, program("one"))
    (place.folder / "program.json").write_text(text)
    assert held_program(place, "one") is None


def test_any_changed_file_of_the_models_or_another_engine_makes_another_key(tmp_path: Path) -> None:
    place = workspace(tmp_path)
    before = program_key(place, "engine")
    (tmp_path / "models" / "notes.yml").write_text("{}")
    assert len({before, program_key(place, "engine"), program_key(place, "a newer engine")}) == 3


def test_models_run_after_what_they_read() -> None:
    assert in_order(program().graph, {"y", "x"}) == ("x", "y")
