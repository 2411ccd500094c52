"""A table rolled back by hand: the next run stops, and the doctor's two remedies both lead back to the whole truth."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pyiceberg.catalog.sql import SqlCatalog

from penstock.errors import RolledBack, UsageError
from penstock.release.reader import open_reader
from penstock.runtime.doctor import examine, mend
from penstock.runtime.installation import Installation
from penstock.runtime.run import run
from penstock.runtime.watch import Unwatched

PROJECTS = Path(__file__).parents[2] / "projects"
HEADER = "loan_id,member_id,title,status,fee,changed_at\n"
TABLES = ("bronze.loans", "ledger.loans", "silver.loans", "quarantine.loans")


@pytest.mark.parametrize("remedy", ["adopt", "restore"])
@pytest.mark.parametrize("table", TABLES)
def test_both_remedies_lead_back_to_every_row(tmp_path: Path, table: str, remedy: str) -> None:
    installation = _library(tmp_path)
    _deliver(tmp_path, "L1")
    _deliver(tmp_path, "L2")
    _roll_back(installation, table)
    (tmp_path / "inbox" / "loans_L3.csv").write_text(HEADER + "L3,M1,Emma,out,,2024-01-01T10:00:00Z\n")
    with pytest.raises(RolledBack):
        run(installation, Unwatched())
    assert any(not finding.ok and remedy in finding.text for finding in examine(installation))
    mend(
        installation,
        adopt=table if remedy == "adopt" else None,
        restore=table if remedy == "restore" else None,
        relocate=False,
    )
    run(installation, Unwatched())
    assert _loans(installation) == ["L1", "L2", "L3"]
    assert all(finding.ok for finding in examine(installation))


def test_a_remedy_for_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    installation = _library(tmp_path)
    _deliver(tmp_path, "L1")
    with pytest.raises(UsageError, match=r"no such table.*bronze\.loans"):
        mend(installation, adopt="bronze.nothing", restore=None, relocate=False)


@pytest.mark.parametrize("remedy", ["adopt", "restore"])
def test_a_remedy_for_a_table_that_agrees_is_refused_and_changes_nothing(tmp_path: Path, remedy: str) -> None:
    installation = _library(tmp_path)
    _deliver(tmp_path, "L1")
    asked = {"adopt": None, "restore": None, remedy: "silver.loans"}
    with pytest.raises(UsageError, match="was not rolled back"):
        mend(installation, **asked, relocate=False)
    assert run(installation, Unwatched()).outcome == "nothing new"


def _library(tmp_path: Path) -> Installation:
    """The library without its models: what is tested ends at silver."""
    if not (tmp_path / "project").exists():
        ignored = shutil.ignore_patterns("models", "checks", ".penstock")
        shutil.copytree(PROJECTS / "library", tmp_path / "project", ignore=ignored)
        (tmp_path / "inbox").mkdir()
    environment = {"LIBRARY_INBOX": str(tmp_path / "inbox")}
    return Installation.at(tmp_path / "project", tmp_path / "data", environment=environment)


def _deliver(tmp_path: Path, loan: str) -> None:
    (tmp_path / "inbox" / f"loans_{loan}.csv").write_text(HEADER + f"{loan},M1,Emma,out,,2024-01-01T10:00:00Z\n")
    assert run(_library(tmp_path), Unwatched()).outcome == "loaded"


def _roll_back(installation: Installation, name: str) -> None:
    """As somebody with another tool would."""
    root = installation.place.root
    catalog = SqlCatalog("penstock", uri=f"sqlite:///{root / 'catalog.db'}", warehouse=str(root / "lake"))
    table = catalog.load_table(name)
    current = table.current_snapshot()
    assert current is not None
    assert current.parent_snapshot_id is not None
    table.manage_snapshots().rollback_to_snapshot(current.parent_snapshot_id).commit()
    catalog.close()


def _loans(installation: Installation) -> list[str]:
    with open_reader(installation.place.root, installation.world) as reader:
        return [row[0] for row in reader.connection.execute("SELECT loan_id FROM silver.loans ORDER BY 1").fetchall()]
