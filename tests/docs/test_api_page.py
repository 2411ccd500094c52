"""What the page about the API shows is what the product takes and gives."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from penstock.spec.loading import load_project
from penstock.spec.project import Project
from tests.serve.lending import Library

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def declared(folder: Path, name: str, text: str) -> Project:
    """The project of the repository with `text` as the only file of its endpoints."""
    project = folder / name
    shutil.copytree(ROOT / "projects" / name, project, ignore=shutil.ignore_patterns(".penstock"))
    shutil.rmtree(project / "endpoints")
    (project / "endpoints").mkdir()
    (project / "endpoints" / "shown.yml").write_text(text)
    return load_project(project, environment={})


def test_the_declarations_shown_are_right_ones(tmp_path: Path) -> None:
    released, live = blocks("yaml")

    lists = declared(tmp_path, "online_retail", released).endpoints
    assert [one.path for one in lists] == ["/customers", "/customers/{id}/segments"]

    shop = declared(tmp_path, "commerce", f"endpoints: []\n{live}")
    assert [one.path for one in shop.live] == ["/anomalies", "/users/{id}/trends"]
    assert [one.name for one in shop.measures] == ["payments_per_minute"]


def test_the_list_shown_is_shaped_like_every_list(tmp_path: Path) -> None:
    library = Library(tmp_path / "store")
    library.release()

    assert list(json.loads(blocks("json")[0])) == list(library.client().get("/books").json)


def test_every_address_of_the_engine_is_told(tmp_path: Path) -> None:
    library = Library(tmp_path / "store")
    library.release()
    declared = tuple(endpoint.path for endpoint in library.endpoints)

    described = library.client().get("/openapi.json").json["paths"]

    own = [path for path in described if not path.startswith(declared)]
    assert len(own) == 6
    for path in (*own, "/openapi.json"):
        assert f"`{path}`" in PAGE
