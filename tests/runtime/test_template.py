"""New projects from templates."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.command import call


@pytest.mark.parametrize("template", ["empty", "online_retail"])
def test_a_new_project_is_valid_as_it_comes(tmp_path: Path, template: str) -> None:
    project = tmp_path / "new"
    told = call("init", "--template", template, project).expect(0).out
    assert f"next: read {project / 'README.md'}" in told
    assert call("validate", "-p", project, "--json").expect(0).document["ok"] is True
    assert not [path for path in project.rglob("*") if path.name in {"__pycache__", "target", ".penstock"}]


def test_a_new_project_has_a_place_for_everything_and_keeps_data_out_of_version_control(tmp_path: Path) -> None:
    call("init", tmp_path).expect(0)
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"contracts", "sources", "models", "checks"}
    assert ".penstock/" in (tmp_path / ".gitignore").read_text().splitlines()


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    call("init", tmp_path).expect(0)
    assert (tmp_path / "penstock.yml").is_file()


@pytest.mark.parametrize("taken", ["a file in it", "a file itself"])
def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path: Path, taken: str) -> None:
    target = tmp_path / "mine"
    if taken == "a file itself":
        target.write_text("mine")
    else:
        target.mkdir()
        (target / "notes.txt").write_text("mine")
    done = call("init", target).expect(2)
    assert str(target) in done.err
    assert sum(path.is_file() for path in tmp_path.rglob("*")) == 1


def test_an_unknown_template_is_answered_with_those_there_are(tmp_path: Path) -> None:
    done = call("init", "--template", "lemonade", tmp_path / "new").expect(2)
    assert "commerce, online_retail, empty" in done.err
    assert not (tmp_path / "new").exists()


def test_a_run_of_the_empty_project_has_nothing_to_do(tmp_path: Path) -> None:
    call("init", tmp_path / "new").expect(0)
    done = call("run", "-p", tmp_path / "new").expect(0)
    assert "Nothing is declared yet" in done.out
