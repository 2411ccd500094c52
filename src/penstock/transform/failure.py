"""What can be wrong with models, said in the terms of the project."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from penstock.errors import DeclarationError, PenstockError, StorageError, TransformFailed, counted
from penstock.transform.graph import Graph
from penstock.transform.ran import Ran
from penstock.transform.result import GOLD, ModelKind, ModelResult
from penstock.transform.workspace import Workspace

_OPERATIONAL = {"_new", "_batch", "_ingested_at"}  # differ with the way files arrived


def check_sources(graph: Graph, inputs: Collection[str], workspace: Workspace) -> None:
    """Every source that a model declares is a silver dataset of the project; `inputs` are their names."""
    problems = tuple(
        _unknown_source(source, dataset, inputs, workspace)
        for source, dataset in sorted(graph.sources.items())
        if dataset not in inputs or source.split(".")[2] != "silver"
    )
    if problems:
        raise DeclarationError("The models read what the project does not have", problems=problems)


def _unknown_source(source: str, dataset: str, inputs: Collection[str], workspace: Workspace) -> DeclarationError:
    near = difflib.get_close_matches(dataset, inputs, n=1)
    return DeclarationError(
        "A source is not a silver dataset",
        where=str(workspace.models),
        expected=f"one of silver.{{{', '.join(sorted(inputs))}}}",
        found=".".join(source.split(".")[2:]),
        remedy=f"Did you mean `{near[0]}`?" if near else "Declare a contract for it, or correct the source's name.",
    )


def check_described(manifest: Any, workspace: Workspace) -> None:
    """What YAML describes is there, and so is what tests read: dbt would leave both out with a word in its log.

    `manifest` is dbt's. What is disabled counts as there; its tests are not asked.
    """
    disabled = [node for nodes in manifest.disabled.values() for node in nodes]
    there = {node.name for node in (*manifest.nodes.values(), *disabled) if str(node.resource_type) != "test"}
    missing = {(path, name) for path, name in (*_described(manifest), *_tested(manifest)) if name not in there}
    if missing:
        problems = tuple(_no_such_model(workspace.declared(path), name, there) for path, name in sorted(missing))
        raise DeclarationError("The models cannot be built", problems=problems)


def _described(manifest: Any) -> Iterator[tuple[str, str]]:
    for file in manifest.files.values():
        declared = getattr(file, "dict_from_yaml", None) or {}
        for kind in ("models", "seeds", "snapshots"):
            for entry in declared.get(kind) or ():
                yield file.path.original_file_path, str(entry["name"])


def _tested(manifest: Any) -> Iterator[tuple[str, str]]:
    for node in manifest.nodes.values():
        if not node.config.enabled:
            yield from ((node.original_file_path, ref.name) for ref in node.refs)


def _no_such_model(file: Path, name: str, there: Collection[str]) -> DeclarationError:
    lines = enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
    line = next((f":{number}" for number, text in lines if re.search(rf"\b{re.escape(name)}\b", text)), "")
    near = difflib.get_close_matches(name, there, n=1)
    asked = f"Did you mean `{near[0]}`? " if near else ""
    return DeclarationError(
        f"No model makes `{name}`, which is described or tested here",
        where=f"{file}{line}",
        remedy=f"{asked}Correct the name, or take it out.",
    )


def check_appending(graph: Graph, workspace: Workspace) -> None:
    """An append model has no hooks: what one does to the rows could not be told from what is new."""
    problems = tuple(
        DeclarationError(
            f"The model `{node.name}` only appends, so it cannot have hooks",
            where=str(workspace.declared(node.path)),
            remedy="Take the hooks out, or materialize it as a table.",
        )
        for node in graph.models
        if node.kind is ModelKind.APPEND and node.has_hooks
    )
    if problems:
        raise DeclarationError("The models cannot be built", problems=problems)


def check_changes(graph: Graph, asked: Collection[str], workspace: Workspace) -> None:
    """Changes are known of silver and of tables, not of views."""
    problems = tuple(
        DeclarationError(
            f"The changes of `{node.name}` cannot be told, for it is a view",
            where=str(workspace.declared(node.path)),
            remedy="Materialize it as a table, or ask for the changes of what it reads.",
        )
        for node in graph.models
        if node.table in asked and node.materialized == "view"
    )
    if problems:
        raise DeclarationError("The models cannot be built", problems=problems)


def check_models(ran: Sequence[Ran], graph: Graph, workspace: Workspace) -> None:
    """Every model that was to be built was; otherwise TransformFailed names the first that was not."""
    failed = [one for one in ran if one.status == "error"]
    if not failed:
        return
    first = failed[0]
    node = graph.nodes[first.id]
    if first.message.startswith("IO Error"):
        raise StorageError(
            f"The disk refused while the model `{node.name}` was built",
            where=str(workspace.database),
            found=first.message,
            remedy="See to it and run again; gold was not changed.",
        )
    skipped = sum(1 for one in ran if one.status == "skipped")
    others = [graph.nodes[one.id].name for one in failed[1:]]
    also = f" `{'`, `'.join(others)}` failed too." if others else ""
    compiled = "" if first.compiled is None else f" Its compiled SQL is {workspace.compiled(first.compiled)}."
    raise TransformFailed(
        f"The model `{node.name}` did not build",
        where=str(workspace.declared(node.path)),
        found=first.message,
        remedy=f"{_not_tried(skipped)}Correct it and run again; gold was not changed.{compiled}{also}",
    )


def _not_tried(models: int) -> str:
    if not models:
        return ""
    return f"{counted(models, 'model')} after it {'were' if models > 1 else 'was'} not tried. "


def check_released(models: Sequence[ModelResult]) -> None:
    """Every column of gold has a type Iceberg knows, and none tells how files arrived."""
    for model in models:
        for column in model.columns if model.schema == GOLD else ():
            if column.lake_type is None:
                raise _refused(
                    model,
                    f"Column `{column.name}` has a type that cannot be released",
                    expected="a type Iceberg knows",
                    found=column.duckdb_type,
                    remedy="Cast it, e.g. to BIGINT, DECIMAL(38,4), DOUBLE, VARCHAR, DATE or TIMESTAMPTZ.",
                )
            if column.name in _OPERATIONAL:
                raise _refused(
                    model,
                    f"Column `{column.name}` tells how files arrived, and gold must not depend on that",
                    remedy="Leave it out of the model.",
                )


def _refused(model: ModelResult, what: str, **facts: str | None) -> PenstockError:
    return TransformFailed(f"{what} (model `{model.name}`)", where=str(model.path), **facts)
