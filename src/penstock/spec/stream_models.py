"""Models that score rows: Python files of the project's own folder, each known by the hash of its content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from penstock.spec import stream_keys as keys
from penstock.spec.document import Place
from penstock.spec.problems import Problems, did_you_mean
from penstock.spec.shape import Fields
from penstock.spec.stream import Score, ScoringModel
from penstock.spec.stream_file import DeclaredStreams


def read_models(files: Sequence[DeclaredStreams], root: Path, problems: Problems) -> Mapping[str, ScoringModel]:
    """Every model that is declared right; a step that names another one is a problem too."""
    seen: dict[str, Place] = {}
    found: dict[str, ScoringModel] = {}
    for fields in (fields for file in files for fields in file.models):
        name, path = fields.get(keys.SCORING_NAME), fields.get(keys.SCORING_PATH)
        if name is None or path is None:
            continue
        if seen.setdefault(name, fields.place(keys.SCORING_NAME)) is not fields.place(keys.SCORING_NAME):
            problems.add(
                fields.place(keys.SCORING_NAME),
                f"The model `{name}` is declared twice",
                found=f"the first at {seen[name]}",
                remedy="Rename one of them.",
            )
        content = _content(root, path, fields, problems)
        if content is not None:
            digest = hashlib.sha256(content).hexdigest()
            found[name] = ScoringModel(name, root.resolve() / path, digest, fields[keys.SCORING_DESCRIPTION])
    for step, place in _scores(files):
        if step.model not in seen:
            _refuse_unknown(step.model, place, seen, problems)
    return found


def _content(root: Path, path: str, fields: Fields, problems: Problems) -> bytes | None:
    whole = (root / path).resolve()
    if not whole.is_relative_to(root.resolve()) or whole.suffix != ".py":
        problems.add(
            fields.place(keys.SCORING_PATH),
            "A model is no Python file of this project",
            expected="a file ending in .py in the folder of the project",
            found=path,
            remedy="Put it into the project; nothing outside of it is run.",
        )
        return None
    try:
        return whole.read_bytes()
    except OSError as error:
        problems.add(
            fields.place(keys.SCORING_PATH),
            "The model cannot be read",
            found=error.strerror,
            remedy="Correct its path.",
        )
        return None


def _scores(files: Sequence[DeclaredStreams]) -> list[tuple[Score, str]]:
    steps = (step for file in files for _, steps, _ in file.topologies for step in steps if step is not None)
    return [(step.operation, step.place) for step in steps if isinstance(step.operation, Score)]


def _refuse_unknown(name: str, where: str, known: Iterable[str], problems: Problems) -> None:
    file, line, column = where.rsplit(":", 2)
    problems.add(
        Place(file, int(line), int(column)),
        f"There is no model `{name}`",
        subject="model",
        remedy=did_you_mean(name, list(known)) or "Declare it under `models`.",
    )
