"""What the page about the API shows is what the product takes and gives."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from penstock.spec.loading import load_project
from tests.serve.lending import Library

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api.md").read_text()


def block(language: str) -> str:
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(text)


def test_the_declaration_shown_is_a_right_one(tmp_path: Path) -> None:
    project = tmp_path / "shop"
    shutil.copytree(ROOT / "projects" / "online_retail", project, ignore=shutil.ignore_patterns(".penstock"))
    shutil.rmtree(project / "endpoints")
    (project / "endpoints").mkdir()
    (project / "endpoints" / "shown.yml").write_text(block("yaml"))

    paths = [endpoint.path for endpoint in load_project(project, environment={}).endpoints]

    assert paths == ["/customers", "/customers/{id}/segments"]


def test_the_list_shown_is_shaped_like_every_list(tmp_path: Path) -> None:
    library = Library(tmp_path / "store")
    library.release()

    assert list(json.loads(block("json"))) == list(library.client().get("/books").json)


def test_every_address_of_the_engine_is_told(tmp_path: Path) -> None:
    library = Library(tmp_path / "store")
    library.release()
    declared = tuple(endpoint.path for endpoint in library.endpoints)

    described = library.client().get("/openapi.json").json["paths"]

    own = [path for path in described if not path.startswith(declared)]
    assert len(own) == 5
    for path in (*own, "/openapi.json"):
        assert f"`{path}`" in PAGE
