from pathlib import Path

import pytest

from tools.check_lake import findings
from tools.finding import ROOT


def write(root: Path, module: str, content: str) -> None:
    path = root / "src" / "penstock" / module
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


@pytest.mark.parametrize(
    ("module", "content"),
    [
        ("load/road.py", "def late():\n    from pyiceberg.schema import Schema\n"),
        ("load/road.py", "import pyiceberg.catalog.sql\n"),
        ("lake/scan.py", "from pyiceberg.table import Table\n"),
        ("lake/upkeep.py", "catalog.load_table('a.b').append(rows)\n"),
        ("lake/upkeep.py", "table.upsert(rows)\n"),
        ("lake/upkeep.py", "with table.transaction() as t:\n    pass\n"),
        ("lake/upkeep.py", "update(IcebergTables).values(metadata_location='x')\n"),
    ],
)
def test_what_could_change_a_table_behind_the_committer_is_found(tmp_path: Path, module: str, content: str) -> None:
    write(tmp_path, module, content)
    assert [finding.path for finding in findings(tmp_path)] == [f"src/penstock/{module}"]


@pytest.mark.parametrize(
    ("module", "content"),
    [
        ("lake/commit.py", "update(IcebergTables).values(metadata_location='x')\n"),
        ("lake/change.py", "from pyiceberg.table.update import AddSnapshotUpdate\nrows.append(1)\nseen.update(more)\n"),
        ("lake/commit.py", "with world.disk.transaction('catalogue'):\n    pass\n"),
        ("load/road.py", "frame.overwrite(1)\n"),
    ],
)
def test_what_the_lake_needs_is_allowed(tmp_path: Path, module: str, content: str) -> None:
    write(tmp_path, module, content)
    assert list(findings(tmp_path)) == []


def test_the_product_keeps_the_rule() -> None:
    assert list(findings(ROOT)) == []
