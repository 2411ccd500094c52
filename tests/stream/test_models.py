"""Models of a project: declared, judged with the rest, and part of what a topology means."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.errors import DeclarationError
from penstock.runtime.scoring import load_model
from penstock.spec.loading import load_project
from penstock.spec.project import Project
from penstock.stream.state import StateMismatch
from tests.stream.lending import lending
from tests.stream.running_topology import Desk, loan

STEPS = """\
  - name: judge
    input: loans_typed
    steps:
      - score: {model: dear, columns: [fee], into: dearness}
    outputs:
      - {topic: judged, from: score}
models:
  - {name: dear, path: scoring/dear.py}
"""


def project(root: Path, code: str = "def score(rows):\n    return rows['fee'].to_numpy() * 2\n") -> Project:
    (root / "scoring").mkdir(exist_ok=True)
    (root / "scoring" / "dear.py").write_text(code)
    return lending(root, STEPS)


def test_a_step_scores_with_the_model_of_the_project(tmp_path: Path) -> None:
    desk = Desk(project(tmp_path), "judge")
    desk.lend([loan(1, fee="1.50"), loan(2, fee=None)])
    desk.finish()

    assert [row["dearness"] for row in desk.rows("judged")] == [3.0, None]


def test_another_version_of_a_model_is_another_topology_and_never_taken_silently(tmp_path: Path) -> None:
    desk = Desk(project(tmp_path), "judge")
    desk.lend([loan(1, fee="1.50")])
    desk.finish()
    first = desk.log.jobs["judge"].journal()

    desk.project = project(tmp_path, "def score(rows):\n    return rows['fee'].to_numpy() * 3\n")

    with pytest.raises(StateMismatch, match="not the one"), desk.running():
        pass
    assert desk.project.streams.topologies["judge"].fingerprint.encode() not in b"".join(first)


@pytest.mark.parametrize("path", ["../dear.py", "/etc/passwd", "scoring/none.py", "scoring/dear.txt"])
def test_only_a_python_file_of_the_project_is_a_model(tmp_path: Path, path: str) -> None:
    (tmp_path / "dear.py").write_text("")
    root = tmp_path / "project"
    root.mkdir()
    project(root)
    streams = root / "streams" / "loans.yml"
    streams.write_text(streams.read_text().replace("scoring/dear.py", path))

    with pytest.raises(DeclarationError):
        load_project(root)


def test_a_model_that_nobody_declared_is_told_at_its_step(tmp_path: Path) -> None:
    (tmp_path / "scoring").mkdir()
    (tmp_path / "scoring" / "dear.py").write_text("")
    with pytest.raises(DeclarationError) as raised:
        lending(tmp_path, STEPS.replace("model: dear", "model: deer"))

    (problem,) = raised.value.problems
    assert problem.what == "There is no model `deer`"
    assert "dear" in str(problem.remedy)


@pytest.mark.parametrize("code", ["x = 1\n", "def score(:\n", "raise ValueError('no')\n"])
def test_code_without_a_score_is_refused(tmp_path: Path, code: str) -> None:
    made = project(tmp_path, code)

    with pytest.raises(DeclarationError):
        load_model(made.streams.models["dear"])
