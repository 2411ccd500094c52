"""Models made two at a time, whatever memory there is."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from penstock.testing.world import ManualClock
from penstock.transform import warehouse
from penstock.transform.graph import BY_KEY, Graph
from penstock.transform.narrowing import Proven
from penstock.transform.program import Compiled, Program
from penstock.transform.ran import Ran
from penstock.transform.runner import Runner, Step
from penstock.transform.selection import Selection
from tests.transform.program_shapes import node, workspace
from tests.waiting import PATIENCE


class Memory:
    """Memory for one at a time: steps that run beside another find none, at their end where it is said so, and those
    named never do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, never: str = "", *, at_end: bool = False) -> None:
        self.tries = Counter[str]()
        self._never = never
        self._at_end = at_end
        self._together = threading.Barrier(2)
        self._take = Runner._take
        monkeypatch.setattr(Runner, "_take", lambda runner, step: self.take(runner, step))

    def take(self, runner: Runner, step: Step) -> None:
        name = str(step).split('"')[-2] if '"' in str(step) else str(step)
        self.tries[name] += 1
        if not runner.alone:
            self._together.wait(timeout=PATIENCE)
        if not runner.alone and self._at_end:
            self._take(runner, step)
        if not runner.alone or (self._never and self._never in str(step)):
            raise duckdb.OutOfMemoryException("no block can be pinned")
        self._take(runner, step)


def run(tmp_path: Path, *names: str) -> dict[str, Ran]:
    graph = Graph({name: node(name) for name in names}, {})
    program = Program("key", graph, {name: Compiled(f"select '{name}' as a", None, None) for name in names}, None)
    with warehouse.opened(tmp_path / "w.duckdb") as connection:
        return made(connection, program, tmp_path, *names)


def made(connection: duckdb.DuckDBPyConnection, program: Program, tmp_path: Path, *names: str) -> dict[str, Ran]:
    selection = Selection(run=frozenset(names), rebuild=frozenset(), tests=frozenset())
    ran = Runner(connection, program, workspace(tmp_path), ManualClock()).run(selection, Proven())
    return {one.id: one for one in ran}


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


def test_rows_that_move_and_tables_that_are_replaced_beside_each_other_are_made_alone_from_what_there_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both steps are several statements, and find no memory after the last of them."""
    Memory(monkeypatch, at_end=True)
    moving = replace(
        node("moving"), materialized="incremental", strategy=BY_KEY, keys={"k": "k"}, affected="keys", slice_by="day"
    )
    graph = Graph({"moving": moving, "keys": node("keys"), "anew": replace(node("anew"), slice_by="day")}, {})
    coming = "select 2 as k, 20 as n, date '2026-01-01' as day"
    sql = {"moving": Compiled("", coming, None), "anew": Compiled(coming, None, None)}
    with warehouse.opened(tmp_path / "w.duckdb") as connection:
        connection.execute("CREATE SCHEMA warehouse.gold; CREATE SCHEMA warehouse.changes")
        connection.execute("CREATE TABLE warehouse.gold.keys AS SELECT 2 AS k")
        for table in ("moving", "anew"):
            held = "SELECT k, k AS n, DATE '2026-01-01' AS day FROM (VALUES (1), (2)) AS held(k)"
            connection.execute(f"CREATE TABLE warehouse.gold.{table} AS {held}")

        done = made(connection, Program("key", graph, sql, None), tmp_path, "moving", "anew")

        assert {one: (ran.status, ran.message) for one, ran in done.items()} == dict.fromkeys(done, ("success", ""))
        assert rows(connection, "gold.moving") == [(1, 1), (2, 20)]
        assert rows(connection, 'changes."gold.moving"', "_came") == [(2, 2, False), (2, 20, True)]
        assert rows(connection, "gold.anew") == [(2, 20)]
        assert rows(connection, 'changes."gold.anew"', "_came") == [(1, 1, False), (2, 2, False), (2, 20, True)]


def rows(connection: duckdb.DuckDBPyConnection, table: str, *more: str) -> list[tuple[object, ...]]:
    return connection.execute(f"SELECT {', '.join(('k', 'n', *more))} FROM warehouse.{table} ORDER BY ALL").fetchall()
