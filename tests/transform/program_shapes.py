"""Nodes of a program, and a folder in which they are compiled."""

from __future__ import annotations

from pathlib import Path

from penstock.transform.graph import Described, Node, NodeType
from penstock.transform.workspace import Limits, Workspace, prepare


def node(name: str, *parents: str) -> Node:
    return Node(
        id=name,
        type=NodeType.MODEL,
        name=name,
        selector=f"fqn:{name}",
        schema="gold",
        materialized="table",
        strategy=None,
        parents=parents,
        code="c",
        path=f"{name}.sql",
        columns={"a": Described("What it is.", id="a1")},
        is_plain=True,
    )


def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "models").mkdir(exist_ok=True)
    (tmp_path / "models" / "dbt_project.yml").write_text("name: shop\n")
    return prepare(tmp_path / "dbt", models=tmp_path / "models", database=tmp_path / "x.duckdb", limits=Limits())
