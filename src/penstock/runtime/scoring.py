"""Models that score rows, brought to work: the code of the project's own files."""

from __future__ import annotations

import hashlib
from types import ModuleType
from typing import cast

from penstock.errors import DeclarationError
from penstock.spec.project import Project
from penstock.spec.stream import Score, ScoringModel
from penstock.stream.graph import Graph
from penstock.stream.score import Model


def models_of(project: Project, graph: Graph) -> dict[str, Model]:
    """The models that the steps of a graph name."""
    named = {node.does.model for node in graph.nodes if isinstance(node.does, Score)}
    return {name: load_model(project.streams.models[name]) for name in sorted(named)}


def load_model(declared: ScoringModel) -> Model:
    """Run the file and take its function `score`; DeclarationError when it has none, fails, or is not the one that was
    declared when the project was loaded."""
    content = declared.path.read_bytes()
    where = str(declared.path)
    if hashlib.sha256(content).hexdigest() != declared.fingerprint:
        raise DeclarationError("The model changed while it was loaded", where=where, remedy="Run the command again.")
    module = ModuleType(declared.name)
    try:
        exec(compile(content, where, "exec"), module.__dict__)
    except Exception as error:
        found = f"{type(error).__name__}: {error}"
        raise DeclarationError("The model cannot be loaded", where=where, found=found, remedy="Correct it.") from error
    if not callable(getattr(module, "score", None)):
        raise DeclarationError(
            "The model scores nothing",
            where=where,
            expected="a function `score(rows)`",
            remedy="Write one: a table of the declared columns in, a number for each row out.",
        )
    return cast("Model", module)
