"""The folder dbt works in."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from jinja2 import Environment

from penstock.errors import DeclarationError
from penstock.transform.dbt_engine import Dbt
from penstock.transform.graph import graph_of
from penstock.transform.workspace import Limits, Workspace, prepare


def declared(folder: Path, text: str = "name: shop\nmodel-paths: [star]\n") -> Path:
    (folder / "star").mkdir(parents=True)
    (folder / "star" / "a.sql").write_text("select 1 as a")
    (folder / "dbt_project.yml").write_text(text)
    return folder


def prepared(tmp_path: Path, models: Path) -> Workspace:
    return prepare(tmp_path / "cache" / "dbt", models=models, database=tmp_path / "x.duckdb", limits=Limits())


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_nothing_is_written_into_the_project(tmp_path: Path) -> None:
    models = declared(tmp_path / "models")
    before = contents(models)
    prepared(tmp_path, models)
    assert contents(models) == before


def test_dbt_finds_the_models_our_macros_and_sends_nothing_home(tmp_path: Path) -> None:
    workspace = prepared(tmp_path, declared(tmp_path / "models"))
    project = yaml.safe_load((workspace.folder / "dbt_project.yml").read_text())
    assert (workspace.folder / "star" / "a.sql").read_text() == "select 1 as a"
    assert project["macro-paths"] == ["macros", "penstock_macros"]
    assert project["flags"] == {"send_anonymous_usage_stats": False}


def test_what_did_not_change_is_not_written_again_so_dbt_need_not_parse_it(tmp_path: Path) -> None:
    models = declared(tmp_path / "models")
    folder = prepared(tmp_path, models).folder
    before = contents(folder)
    prepared(tmp_path, models)
    assert contents(folder) == before


def test_a_copy_that_holds_folders_where_links_were_is_linked_again(tmp_path: Path) -> None:
    """`cp -rL` and archives put what a link leads to in its place."""
    models = declared(tmp_path / "models")
    folder = prepared(tmp_path, models).folder
    (folder / "star").unlink()
    shutil.copytree(models / "star", folder / "star")
    (models / "star" / "a.sql").write_text("select 2 as a")
    prepared(tmp_path, models)
    assert (folder / "star" / "a.sql").read_text() == "select 2 as a"


def test_braces_in_a_path_mean_themselves(tmp_path: Path) -> None:
    place = tmp_path / "{{ shop }}{% x"
    workspace = prepared(place, declared(place / "models"))
    dbt = Dbt(workspace, log=tmp_path / "log")
    assert graph_of(dbt.parse(), {}).models[0].name == "a"
    profile = yaml.safe_load((workspace.folder / "profiles.yml").read_text())
    attached = profile["penstock"]["outputs"]["build"]["attach"][0]["path"]
    assert Environment().from_string(attached).render() == str(place / "x.duckdb")


def test_a_folder_that_left_the_project_leaves_the_workspace(tmp_path: Path) -> None:
    models = declared(tmp_path / "models")
    prepared(tmp_path, models)
    (models / "star").rename(models / "marts")
    folder = prepared(tmp_path, models).folder
    assert not (folder / "star").is_symlink()
    assert (folder / "marts" / "a.sql").exists()


def test_a_path_of_dbt_is_told_as_the_file_that_was_declared(tmp_path: Path) -> None:
    models = declared(tmp_path / "models")
    assert prepared(tmp_path, models).declared("star/a.sql") == models / "star" / "a.sql"


@pytest.mark.parametrize(("text", "says"), [("a: [", "cannot be read"), ("- a", "no name"), ("version: 1", "no name")])
def test_a_project_file_that_is_none_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(DeclarationError, match=rf"dbt_project\.yml: .*{says}"):
        prepared(tmp_path, declared(tmp_path / "models", text))


def test_a_models_folder_without_a_project_file_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    with pytest.raises(DeclarationError, match="Add one"):
        prepared(tmp_path, tmp_path / "models")
