"""Rows of affected keys, handed on: what a model by key has just made need not be looked for in its table again.

A model that reads another's rows of affected keys (`penstock_affected`) reads them where the build keeps them, and so
does a test of these keys alone (`penstock_tested`); of keys that the other did not make anew it reads those that stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from penstock.transform import changes, warehouse
from penstock.transform.graph import Node

_ALIKE = r"given\.([^\s)]+) is not distinct from affected\.([^\s)]+)"
_ASKED = re.compile(
    r"\(\s*select given\.\*\s+from (?P<given>\S+) as given\s+semi join (?P<affected>\S+) as affected\s+on "
    rf"(?P<same>{_ALIKE}( and {_ALIKE})*)\s*\)"
)


def made(table: str) -> str:
    """Where the rows of affected keys of `schema.name` are kept while a build goes on."""
    return changes.named(f"{table} made")


def handed_on(models: Iterable[Node], texts: Iterable[str]) -> frozenset[str]:
    """The tables by key of which some SQL asks the rows of affected keys."""
    by_name = _by_key(models)
    asked = [match for text in texts for match in _ASKED.finditer(text)]
    return frozenset(node.table for match in asked if (node := _asked_of(match, by_name)) is not None)


def read_made(sql: str, moved: Iterable[Node], models: Iterable[Node]) -> str:
    """SQL that reads rows of affected keys where those of the models that `moved` are kept."""
    listed = {node.name: warehouse.relation(node.table) for node in models}
    by_key = _by_key(moved)

    def found(match: re.Match[str]) -> str:
        node = _asked_of(match, by_key)
        return match[0] if node is None else _kept(match, node, listed[node.affected or ""])

    return _ASKED.sub(found, sql)


def _kept(match: re.Match[str], node: Node, listed: str) -> str:
    """The rows asked for: as they were made, and of keys that the model does not list, as they stand."""
    keys = _keys(match)
    if match["affected"] == listed and keys == node.keys:
        return made(node.table)
    same = " and ".join(
        f"affected.{theirs} is not distinct from known.{node.keys[own]}" for own, theirs in keys.items()
    )
    others = f"(select affected.* from {match['affected']} as affected anti join {listed} as known on {same})"
    return (
        f"(select given.* from {made(node.table)} as given semi join {match['affected']} as affected on {match['same']}"
        f" union all select given.* from {match['given']} as given semi join {others} as affected on {match['same']})"
    )


def _asked_of(match: re.Match[str], by_key: Mapping[str, Node]) -> Node | None:
    """The model of which rows are asked, if it is one by key and its whole key is given."""
    node = by_key.get(match["given"])
    return None if node is None or _keys(match).keys() != node.keys.keys() else node


def _keys(match: re.Match[str]) -> Mapping[str, str]:
    """The columns that are to be alike: of the rows, and of the list of affected keys."""
    return dict(re.findall(_ALIKE, match["same"]))


def _by_key(models: Iterable[Node]) -> Mapping[str, Node]:
    """Those that make rows of affected keys anew, by their relations."""
    return {warehouse.relation(node.table): node for node in models if node.moves_by_key and node.affected is not None}
