"""The models as dbt compiled them, kept, so that a build of unchanged models needs no dbt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

from penstock.spec.fingerprint import folder_fingerprint
from penstock.transform.changes import asked
from penstock.transform.graph import Described, Graph, Node, NodeType
from penstock.transform.handing import handed_on
from penstock.transform.narrowing import judges_by_key
from penstock.transform.workspace import ENGINE_MACROS, Workspace

_FILE = "program.json"


@dataclass(frozen=True)
class Compiled:
    """The SQL of one node: `whole` gives all its rows (of a test: those that fail), `more` those that come to an
    incremental model that is there already. `path` is the file dbt wrote, relative to the workspace."""

    whole: str
    more: str | None
    path: str | None


@dataclass(frozen=True)
class Program:
    """All nodes of a project with their SQL, and dbt's JSON of its metrics.

    `sql` is empty where a node does what only dbt can do (see `Node.is_plain`): then dbt runs the build.
    """

    key: str
    graph: Graph
    sql: Mapping[str, Compiled]
    semantic_manifest: str | None

    @cached_property
    def asked(self) -> frozenset[str]:
        """The tables whose changes are read by some node."""
        return asked(text for one in self.sql.values() for text in (one.whole, one.more or ""))

    @cached_property
    def handed_on(self) -> frozenset[str]:
        """The tables by key whose rows of affected keys are read by models of the same keys, or judged by tests."""
        judged = (test.tested for test in self.graph.tests if judges_by_key(test, self.graph))
        return handed_on(self.graph.models, (one.more for one in self.sql.values() if one.more is not None)) | {
            self.graph.nodes[id].table for id in judged if id is not None
        }

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Program:
        """The program written by `to_json`; ValueError when it is something else."""
        try:
            value = json.loads(text)
            nodes = {id: _node(node) for id, node in value["graph"]["nodes"].items()}
            return cls(
                key=value["key"],
                graph=Graph(nodes, value["graph"]["sources"]),
                sql={id: Compiled(**compiled) for id, compiled in value["sql"].items()},
                semantic_manifest=value["semantic_manifest"],
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("not a program") from error


def _node(value: Mapping[str, Any]) -> Node:
    columns = {name: Described(**described) for name, described in value["columns"].items()}
    lists = {name: tuple(held) for name, held in value.items() if isinstance(held, list)}
    return Node(**{**value, **lists, "type": NodeType(value["type"]), "columns": columns})


def program_key(workspace: Workspace, engine: str) -> str:
    """What a program is made from: the models' files, our macros, and the versions of the software."""
    facts = [engine, folder_fingerprint(workspace.models), folder_fingerprint(ENGINE_MACROS)]
    return sha256(json.dumps(facts).encode()).hexdigest()


def held_program(workspace: Workspace, key: str) -> Program | None:
    """The program kept in the workspace, if it is the one of this key."""
    try:
        program = Program.from_json((workspace.folder / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return program if program.key == key else None


def keep_program(workspace: Workspace, program: Program) -> None:
    """Write the program down; half a file is no program, and is made again."""
    path = workspace.folder / _FILE
    path.with_suffix(".new").write_text(program.to_json(), encoding="utf-8")
    path.with_suffix(".new").replace(path)
