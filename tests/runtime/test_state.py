"""What is there is read from plain files, and says why something must be done."""

from __future__ import annotations

import json
import shutil

import pytest

from penstock.errors import StorageError
from penstock.runtime import loading
from tests.flows.library import Library, loan


def reasons(library: Library) -> list[str]:
    return [step["does"] for step in library.call("plan", "--json").expect(0).document["steps"]]


def test_files_are_new_by_path_size_and_content(library: Library) -> None:
    first = library.inbox / "loans_monday.csv"
    first.touch()
    assert reasons(library) == []
    shutil.copyfile(first, library.inbox / "loans_again.csv")
    first.write_text(first.read_text().replace("Dune", "Emma"))
    assert reasons(library)[0].startswith("take 2 files")


def test_rows_that_wait_for_silver_are_counted(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    library.loans("tuesday", loan(7), loan(8))
    with monkeypatch.context() as patched:
        patched.setattr(loading, "settle", refuse)
        library.call("run").expect(1)
    assert (library.count("bronze.loans"), library.count("silver.loans")) == (6, 3)
    assert reasons(library)[0] == "conform loans into silver.loans (2 rows are waiting)"
    assert library.run()["release"] == 2
    assert library.count("silver.loans") == 5


def refuse(*_: object, **__: object) -> None:
    raise StorageError("The disk said no")


def test_silver_that_gold_does_not_follow_is_a_reason(library: Library) -> None:
    library.loans("tuesday", loan(7), loan(8))
    library.edit("models/staging/stg_loans.sql", "select", "selekt")
    library.call("run").expect(1)
    assert library.count("silver.loans") == 5
    assert reasons(library) == ["build the models, pass the gate and release gold (the models changed)"]
    library.edit("models/staging/stg_loans.sql", "selekt", "select")
    assert reasons(library) == ["build the models, pass the gate and release gold (silver changed)"]


@pytest.mark.parametrize("damage", ["gone", "torn", "of another state"])
def test_the_remembered_ledger_is_only_a_cache(library: Library, damage: str) -> None:
    for path in library.data.glob("cache/ledger-*.json"):
        match damage:
            case "gone":
                path.unlink()
            case "torn":
                path.write_text(path.read_text()[:40])
            case _:
                path.write_text(json.dumps({**json.loads(path.read_text()), "metadata": "old", "files": []}))
    assert reasons(library) == []
    assert library.run()["outcome"] == "nothing new"


def test_every_cache_may_be_thrown_away(library: Library) -> None:
    before = library.gold()
    shutil.rmtree(library.data / "cache")
    assert library.run()["outcome"] == "nothing new"
    library.loans("tuesday", loan(7, status="back"))
    assert library.run()["release"] == 2
    assert library.count("gold.dim_member") == 2
    assert library.gold(release=1) == before


def test_a_changed_check_is_a_reason_to_pass_the_gate_again(library: Library) -> None:
    library.edit("checks/loans.yml", "minimum: 1", "minimum: 2")
    assert reasons(library) == ["build the models, pass the gate and release gold (the declarations changed)"]
    report = library.run()
    assert (report["release"], report["gold"]) == (2, {})


def test_the_plan_changes_nothing(library: Library) -> None:
    library.loans("tuesday", loan(7))
    before = changes(library)
    reasons(library)
    assert changes(library) == before


def changes(library: Library) -> dict[str, int]:
    """When each file was changed. Left out is what SQLite keeps beside its file for readers, and what is remembered of
    the content of files once they are two seconds old, whenever that is."""
    beside = ("catalog.db-", "hashes-")
    files = (path for path in library.data.rglob("*") if path.is_file() and not path.name.startswith(beside))
    return {str(path): path.stat().st_mtime_ns for path in files}
