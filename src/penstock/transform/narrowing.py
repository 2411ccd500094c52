"""Tests that the base passed look at what came since: its other rows were released, so they passed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from penstock.sql.names import quote
from penstock.transform import warehouse
from penstock.transform.graph import Graph, Node

_OF_A_ROW = {"not_null", "accepted_values", "complete", "holds"}
_OF_A_KEY = {"unique", "unique_together", "unique_within"}
_OF_A_REFERENCE = "relationships"
_OF_AFFECTED_KEYS = re.compile(r"/\* (semi join (\S+) as affected on .*?) \*/")  # see macros/by_key.sql


@dataclass(frozen=True)
class Proven:
    """What a build may take for tested, because the base passed the very same tests.

    `came` has, for models whose other rows were tested, a SELECT of those to be tested; `gone` a SELECT of the rows
    that went, for every model of which that can be told. `by_key` are tests of which other keys passed.
    """

    came: Mapping[str, str] = field(default_factory=dict)
    gone: Mapping[str, str] = field(default_factory=dict)
    by_key: frozenset[str] = frozenset()


def narrowed(test: Node, graph: Graph, sql: str, proven: Proven) -> str:
    """The SQL of a test for what was not proven.

    A test of rows reads only those that came, a test of keys all rows that share the key of one, a test of references
    those that came and those that named a row which went; a test by key, or of keys that hold the key by which a model
    is made, reads the affected keys. Any other test, and one that does not block a release (so that older rows may fail
    it), stays what it is.
    """
    if test.severity != "error":
        return sql
    if test.id in proven.by_key:
        return _OF_AFFECTED_KEYS.sub(r"\1", sql)
    came = None if test.tested is None else proven.came.get(test.tested)
    if test.tested is None or came is None:
        return sql
    name = warehouse.relation(graph.nodes[test.tested].table)
    if test.test_name in _OF_A_ROW:
        return sql.replace(name, f"({came})")
    if judges_by_key(test, graph):
        return sql.replace(name, _of_affected_keys(graph, graph.nodes[test.tested]))
    if test.test_name in _OF_A_KEY and test.test_columns:
        same = " AND ".join(
            f"held.{quote(column)} IS NOT DISTINCT FROM came.{quote(column)}" for column in test.test_columns
        )
        return sql.replace(name, f"(SELECT held.* FROM {name} AS held SEMI JOIN ({came}) AS came ON {same})")
    if test.test_name == _OF_A_REFERENCE:
        gone = _gone(test, proven)
        if gone is not None:
            same = f"row.{quote(test.test_columns[0])} = gone.{quote(test.test_field or '')}"
            others = f"SELECT row.* FROM ({came}) AS row ANTI JOIN ({gone}) AS gone ON {same}"
            return sql.replace(
                name, f"({others} UNION ALL SELECT row.* FROM {name} AS row SEMI JOIN ({gone}) AS gone ON {same})"
            )
    return sql


def judges_by_key(test: Node, graph: Graph) -> bool:
    """Whether a test of keys is of a model by key, and rows that share a key of the test share the model's."""
    model = graph.nodes.get(test.tested or "")
    if model is None or test.test_name not in _OF_A_KEY or model.affected is None:
        return False
    return test.severity == "error" and model.moves_by_key and model.keys.keys() <= set(test.test_columns)


def _of_affected_keys(graph: Graph, model: Node) -> str:
    """The rows of the affected keys of a model, as `penstock_affected` asks for them."""
    listed = next(node.table for node in graph.models if node.name == model.affected)
    same = " and ".join(f"given.{own} is not distinct from affected.{theirs}" for own, theirs in model.keys.items())
    name = warehouse.relation(model.table)
    return f"(select given.* from {name} as given semi join {warehouse.relation(listed)} as affected on {same})"


def affected_by(sql: str) -> frozenset[str]:
    """The relations that list the keys which a test by key looks at alone; none for any other test."""
    return frozenset(match[2] for match in _OF_AFFECTED_KEYS.finditer(sql))


def _gone(test: Node, proven: Proven) -> str | None:
    """The rows that went of the model which a test of references looks up; None where that cannot be told."""
    others = [parent for parent in test.parents if parent != test.tested]
    known = len(others) == 1 and len(test.test_columns) == 1 and test.test_field is not None
    return proven.gone.get(others[0]) if known else None
