"""Rows of affected keys, handed on: what a model by key has just made need not be looked for in its table again.

A model that reads another's rows of the same affected keys (`penstock_affected`) reads them where the build keeps them,
and so does a test of these keys alone (`penstock_tested`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from penstock.transform import changes, warehouse
from penstock.transform.graph import Node

_ASKED = re.compile(
    r"\(\s*select given\.\*\s+from (?P<given>\S+) as given\s+semi join (?P<affected>\S+) as affected\s+on "
    r"(?P<same>given\.\S+ is not distinct from affected\.\S+( and given\.\S+ is not distinct from affected\.\S+)*)\s*\)"
)


def made(table: str) -> str:
    """Where the rows of affected keys of `schema.name` are kept while a build goes on."""
    return changes.named(f"{table} made")


def handed_on(models: Iterable[Node], texts: Iterable[str]) -> frozenset[str]:
    """The tables by key of which some SQL asks just the rows that a build makes anew."""
    by_key = _by_key(models)
    asked = [match for text in texts for match in _ASKED.finditer(text)]
    return frozenset(by_key[key].table for key in map(_key, asked) if key in by_key)


def read_made(sql: str, moved: Iterable[Node], models: Iterable[Node]) -> str:
    """SQL that reads rows of affected keys where those of the models that `moved` are kept."""
    by_key, moving = _by_key(models), {node.id for node in moved}

    def kept(match: re.Match[str]) -> str:
        node = by_key.get(_key(match))
        return match[0] if node is None or node.id not in moving else made(node.table)

    return _ASKED.sub(kept, sql)


_Key = tuple[str, str, frozenset[str]]  # the relation, what lists its affected keys, and how they meet


def _key(match: re.Match[str]) -> _Key:
    return match["given"], match["affected"], frozenset(match["same"].split(" and "))


def _by_key(models: Iterable[Node]) -> Mapping[_Key, Node]:
    nodes = {node.name: node for node in models}
    found = {}
    for node in nodes.values():
        if node.moves_by_key and node.affected in nodes:
            given, affected = (warehouse.relation(one.table) for one in (node, nodes[node.affected]))
            found[given, affected, frozenset(map(_meets, node.keys.items()))] = node
    return found


def _meets(names: tuple[str, str]) -> str:
    return f"given.{names[0]} is not distinct from affected.{names[1]}"
