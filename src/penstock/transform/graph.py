"""The models and tests of a dbt project as plain values: who reads whom, and a fingerprint of each."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from penstock.transform.result import ModelKind

BY_KEY = "by_key"  # our own strategies of incremental models, see macros/by_key.sql and by_sums.sql
BY_SUMS = "by_sums"


class NodeType(StrEnum):
    """The kinds of dbt node that a build deals with."""

    MODEL = "model"
    SEED = "seed"
    SNAPSHOT = "snapshot"
    TEST = "test"


@dataclass(frozen=True)
class Described:
    """What is declared about a column."""

    description: str = ""
    id: str | None = None
    classification: str | None = None


@dataclass(frozen=True)
class Node:
    """One node. `code` is a fingerprint of all that can change its rows, apart from the rows it reads.

    `parents` are unique ids of nodes and of sources (`source.<project>.<schema>.<dataset>`).
    """

    id: str
    type: NodeType
    name: str
    selector: str
    schema: str
    materialized: str
    strategy: str | None
    parents: tuple[str, ...]
    code: str
    path: str
    description: str = ""
    columns: Mapping[str, Described] = field(default_factory=dict)
    tested: str | None = None  # of a test: the model it is declared on
    tested_column: str | None = None
    test_name: str | None = None  # of a generic test that is ours or dbt's own
    test_columns: tuple[str, ...] = ()  # those it names, in which rows that it counts together are alike
    test_field: str | None = None  # of a test of references: the column of the other model
    severity: str = "error"
    has_hooks: bool = False
    operational: tuple[str, ...] = ()  # columns that tell how a row came, not what it says
    keys: Mapping[str, str] = field(default_factory=dict)  # its columns, and (by_key) the same in `affected`
    affected: str | None = None  # by_key: the model that lists the keys whose rows may differ from the base's
    counted: str | None = None  # by_sums: the column that counts the rows of a key; the others are sums of them
    slice_by: str | None = None  # a column of dates: in the lake, files hold ranges of it
    shown_in: str | None = None  # a further schema in which readers of a release find it
    hands_on_new: bool = False  # a view that hands a source's `_new` on, row by row
    is_plain: bool = False  # its SQL alone makes it, the same whatever the warehouse holds: no need of dbt to run it

    @property
    def kind(self) -> ModelKind:
        appends = self.materialized == "incremental" and self.strategy == "append"
        return ModelKind.APPEND if appends else ModelKind.REPLACE

    @property
    def moves_by_key(self) -> bool:
        """Whether the rows of some keys are made anew, and the others stand."""
        return self.materialized == "incremental" and self.strategy in (BY_KEY, BY_SUMS)

    @property
    def adds_up(self) -> bool:
        """Whether the rows of keys that move are made from those that stand and what is to be added."""
        return self.moves_by_key and self.strategy == BY_SUMS

    @property
    def table(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def stored(self) -> bool:
        """Whether there is a table or view of it in the warehouse."""
        return self.type is not NodeType.TEST and self.materialized != "ephemeral"


@dataclass(frozen=True)
class Graph:
    """All enabled nodes by id, and the datasets the project reads, by the id of their source."""

    nodes: Mapping[str, Node]
    sources: Mapping[str, str]

    @property
    def models(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes.values() if node.stored)

    @property
    def tests(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes.values() if node.type is NodeType.TEST)

    def downstream(self, roots: Iterable[str]) -> frozenset[str]:
        """The roots and every node that reads one of them, directly or not; tests are no part of it."""
        children: dict[str, list[str]] = {}
        for node in self.nodes.values():
            if node.type is not NodeType.TEST:
                for parent in node.parents:
                    children.setdefault(parent, []).append(node.id)
        found: set[str] = set()
        waiting = list(roots)
        while waiting:
            current = waiting.pop()
            if current not in found:
                found.add(current)
                waiting.extend(children.get(current, ()))
        return frozenset(found)


def graph_of(manifest: Any, variables: Mapping[str, Any]) -> Graph:
    """The graph of dbt's manifest. `variables` are the project's `vars`, for any model may read them."""
    nodes = [
        _node(node, manifest, variables)
        for node in manifest.nodes.values()
        if str(node.resource_type) in set(NodeType) and node.config.enabled  # a test of a disabled model is not
    ]
    sources = {source.unique_id: source.identifier for source in manifest.sources.values()}
    return Graph(nodes={node.id: node for node in nodes}, sources=sources)


def _node(node: Any, manifest: Any, variables: Mapping[str, Any]) -> Node:
    config = node.config
    meta = getattr(config, "meta", {})
    test = getattr(node, "test_metadata", None)
    asked = {} if test is None else test.kwargs
    return Node(
        id=node.unique_id,
        type=NodeType(str(node.resource_type)),
        name=node.alias if str(node.resource_type) != NodeType.TEST else node.name,
        selector=f"fqn:{'.'.join(node.fqn)}",
        schema=node.schema,
        materialized=str(config.materialized),
        strategy=getattr(config, "incremental_strategy", None),
        parents=tuple(getattr(node.depends_on, "nodes", ())),
        code=_fingerprint(node, manifest, variables),
        path=node.original_file_path,
        description=node.description.strip(),
        columns={name: _described(column) for name, column in node.columns.items()},
        tested=getattr(node, "attached_node", None),
        tested_column=getattr(node, "column_name", None),
        test_name=test.name if test is not None and test.namespace is None else None,
        test_columns=(
            *(asked.get("columns") or filter(None, [asked.get("column_name")])),
            *asked.get("keys", ()),
        ),
        test_field=asked.get("field"),
        severity=str(getattr(config, "severity", "error")).lower(),
        has_hooks=bool(getattr(config, "pre_hook", None) or getattr(config, "post_hook", None)),
        is_plain=_is_plain(node, manifest),
        operational=tuple(meta.get("operational_columns", ())),
        keys=meta.get("keys", {}),
        affected=meta.get("affected"),
        counted=meta.get("counted"),
        slice_by=meta.get("slice_by"),
        shown_in=meta.get("shown_in"),
        hands_on_new=str(config.materialized) == "view" and _NEW.search(node.raw_code) is not None,
    )


_NEW = re.compile(r"\b_new\b")
_MATERIALIZED = {"table", "view", "ephemeral", "incremental", "test"}
_STRATEGIES = {None, "append", BY_KEY, BY_SUMS}
_OF_A_TEST = {"limit": None, "fail_calc": "count(*)", "warn_if": "!= 0", "error_if": "!= 0", "where": None}
_OF_THE_MOMENT = re.compile(
    r"\b(run_query|statement|load_result|adapter|execute|run_started_at|invocation_id|env_var|modules|graph|flags)\b"
)
_OF_THE_DATA = re.compile(r"\b(run_query|load_result|statement)\s*\(")
_JINJA = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)


def _is_plain(node: Any, manifest: Any) -> bool:
    """Whether the node's compiled SQL is all there is to it: no hook, seed, snapshot, Python or own materialization,
    and nothing in its code that asks the database, the clock or the environment."""
    config = node.config
    kind = NodeType(str(node.resource_type))
    if kind not in (NodeType.MODEL, NodeType.TEST) or str(getattr(node, "language", "sql")) != "sql":
        return False
    if getattr(config, "pre_hook", None) or getattr(config, "post_hook", None):
        return False
    if (
        str(config.materialized) not in _MATERIALIZED
        or getattr(config, "incremental_strategy", None) not in _STRATEGIES
    ):
        return False
    if getattr(getattr(config, "contract", None), "enforced", False) or getattr(config, "store_failures", None):
        return False
    if kind is NodeType.TEST and any(getattr(config, name, value) != value for name, value in _OF_A_TEST.items()):
        return False
    macros = _called(getattr(node.depends_on, "macros", ()), manifest)
    texts = [node.raw_code, *(macro.macro_sql for macro in macros if not _is_of_dbt(macro))]
    if any(_OF_THE_MOMENT.search(block) for text in texts for block in _JINJA.findall(text)):
        return False
    return not any(_OF_THE_DATA.search(macro.macro_sql) for macro in macros if _is_of_dbt(macro))


def _described(column: Any) -> Described:
    meta = {**column.meta, **getattr(column.config, "meta", {})}
    return Described(
        description=" ".join(column.description.split()),
        id=meta.get("id"),
        classification=meta.get("classification"),
    )


_NO_ROWS = {"meta", "docs", "tags", "group", "access", "persist_docs", "description", "grants"}  # change no row


def _fingerprint(node: Any, manifest: Any, variables: Mapping[str, Any]) -> str:
    config = {name: value for name, value in node.config.to_dict().items() if name not in _NO_ROWS}
    test = getattr(node, "test_metadata", None)
    facts = {
        "type": str(node.resource_type),
        "code": node.raw_code,
        "checksum": node.checksum.checksum if str(node.resource_type) == NodeType.SEED else None,
        "config": config,
        "test": None if test is None else [test.name, test.kwargs],
        "relation": node.relation_name,
        "macros": _macros(getattr(node.depends_on, "macros", ()), manifest),
        "vars": variables,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def _macros(ids: Iterable[str], manifest: Any) -> dict[str, str]:
    """The text of the project's and the engine's macros that are called, also by each other."""
    return {macro.unique_id: macro.macro_sql for macro in _called(ids, manifest) if not _is_of_dbt(macro)}


def _called(ids: Iterable[str], manifest: Any) -> list[Any]:
    """All macros that are called, also by each other; of dbt's own only those that are called first."""
    found: dict[str, Any] = {}
    waiting = list(ids)
    while waiting:
        macro = manifest.macros.get(waiting.pop())
        if macro is not None and macro.unique_id not in found:
            found[macro.unique_id] = macro
            waiting.extend(() if _is_of_dbt(macro) else macro.depends_on.macros)
    return list(found.values())


def _is_of_dbt(macro: Any) -> bool:
    return macro.package_name in ("dbt", "dbt_duckdb")
