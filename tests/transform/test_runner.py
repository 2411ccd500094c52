"""Models made two at a time, whatever memory there is."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from penstock.testing.world import ManualClock
from penstock.transform import warehouse
from penstock.transform.graph import Graph
from penstock.transform.narrowing import Proven
from penstock.transform.program import Compiled, Program
from penstock.transform.ran import Ran
from penstock.transform.runner import Runner, Step
from penstock.transform.selection import Selection
from tests.transform.program_shapes import node, workspace


class Memory:
    """Memory for one at a time: statements that run beside another find none, and those named never do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, never: str = "") -> None:
        self.tries = Counter[str]()
        self._never = never
        self._together = threading.Barrier(2)
        self._take = Runner._take
        monkeypatch.setattr(Runner, "_take", lambda runner, step: self.take(runner, step))

    def take(self, runner: Runner, step: Step) -> None:
        name = str(step).split('"')[-2] if '"' in str(step) else str(step)
        self.tries[name] += 1
        if not runner.alone:
            self._together.wait(timeout=10)
        if not runner.alone or (self._never and self._never in str(step)):
            raise duckdb.OutOfMemoryException("no block can be pinned")
        self._take(runner, step)


def run(tmp_path: Path, *names: str) -> dict[str, Ran]:
    graph = Graph({name: node(name) for name in names}, {})
    program = Program("key", graph, {name: Compiled(f"select '{name}' as a", None, None) for name in names}, None)
    with warehouse.opened(tmp_path / "w.duckdb") as connection:
        runner = Runner(connection, program, workspace(tmp_path), ManualClock())
        return {
            one.id: one
            for one in runner.run(Selection(run=frozenset(names), rebuild=frozenset(), tests=frozenset()), Proven())
        }


def test_models_that_find_no_memory_beside_each_other_are_made_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory(monkeypatch)
    done = run(tmp_path, "x", "y")
    assert {one: ran.status for one, ran in done.items()} == {"x": "success", "y": "success"}
    assert sorted(memory.tries.values()) == [2, 2]


def test_a_model_that_finds_no_memory_alone_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Memory(monkeypatch, never="'y'")
    done = run(tmp_path, "x", "y")
    assert (done["x"].status, done["y"].status) == ("success", "error")
    assert "no block can be pinned" in done["y"].message
