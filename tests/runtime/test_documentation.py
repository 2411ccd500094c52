"""The models' documentation is written from the release that stands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from penstock.errors import UsageError
from penstock.runtime.documentation import write_pages
from penstock.runtime.installation import Installation
from penstock.runtime.run import run
from penstock.runtime.watch import Unwatched

LIBRARY = Path(__file__).parents[2] / "projects" / "library"


def test_the_pages_describe_every_column_of_the_release(tmp_path: Path) -> None:
    shutil.copytree(LIBRARY, tmp_path / "project")
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "loans1.csv").write_text(
        "loan_id,member_id,title,status,fee,changed_at\nL1,M1,Emma,out,,2024-01-01T10:00:00Z\n"
    )
    installation = Installation.at(
        tmp_path / "project", tmp_path / "data", environment={"LIBRARY_INBOX": str(tmp_path / "inbox")}
    )
    with pytest.raises(UsageError, match="Nothing was released"):
        write_pages(installation, tmp_path / "pages")
    run(installation, Unwatched())
    pages = write_pages(installation, tmp_path / "pages")
    assert {page.name for page in pages} == {"index.html", "manifest.json", "catalog.json"}
    nodes = json.loads((tmp_path / "pages" / "manifest.json").read_text())["nodes"]
    assert nodes["model.library.loans_by_status"]["columns"]["fees"]["description"]
