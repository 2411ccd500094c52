"""Fingerprints follow what declarations mean. The golden values are promises: a change of them rebuilds all data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from penstock.spec.fingerprint import fingerprint, folder_fingerprint
from tests.spec.lending_library import Library

LOANS = "contracts/loans.yml"
GOLDEN = {
    "contract": "a13a150ad7cec1342de8cc2fd78ebdfe4568c5a32068ad73281aef5886ba1942",
    "source": "1725cc68a038307c9aa0c824a90b9278e825a4de7c9a86777a1870dbe6c3aaec",
    "check": "1c150374bf0d6335150a93bc8b83cbdbff3a001525817e61b1edfa048b125f8a",
    "models": "27916fb909b349f327fb39a43d589b1359fbb9a1685b7ce5b985147bb4d904aa",
    "project": "aa340ec61e6a35dce95f8ec76807c06b110dd07a1303f595d7d50dd678f58f62",
}


def fingerprints(library: Library) -> dict[str, str]:
    project = library.load()
    return {
        "contract": project.contracts["loans"].fingerprint,
        "source": project.sources["loans_north"].fingerprint,
        "check": project.checks[0].fingerprint,
        "models": project.models_fingerprint,
        "project": project.fingerprint,
    }


def test_the_golden_project_keeps_its_fingerprints(library: Library) -> None:
    (library.root / "endpoints/books.yml").unlink()  # it is older than endpoints

    assert fingerprints(library) == GOLDEN


def test_how_files_are_written_does_not_matter(library: Library) -> None:
    before = fingerprints(library)
    text = (library.root / LOANS).read_text()
    library.write(LOANS, "# about loans\n" + text.replace("exclusiveMaximum: 10", "exclusiveMaximum: 10.0"))
    library.edit("penstock.yml", "name: library\n", "")
    library.edit("penstock.yml", "tenant: town", "tenant: 'town'\nname: \"library\"")
    (library.root / LOANS).rename(library.root / "contracts/lending.yaml")

    assert fingerprints(library) == before


@pytest.mark.parametrize(
    ("path", "old", "new", "changed"),
    [
        (LOANS, "purpose: Who has which book.", "purpose: Loans.", {"project"}),
        (LOANS, "name: Front desk", "name: Back office", {"project"}),
        (LOANS, "value: 36", "value: 37", {"project"}),
        (LOANS, "minLength: 3", "minLength: 4", {"contract", "source", "project"}),
        (LOANS, "horizon: P90D", "horizon: P91D", {"contract", "source", "project"}),
        (LOANS, "returned_on >= lent_on", "returned_on > lent_on", {"contract", "source", "project"}),
        (LOANS, "- id: weight", "- id: mass", {"contract", "source", "project"}),
        ("contracts/books.yml", "name: title", "name: caption", {"project"}),
        ("penstock.yml", "tenant: town", "tenant: city", {"contract", "source", "project"}),
        ("penstock.yml", "releases_keep: 5", "releases_keep: 6", {"project"}),
        ("sources/north.yml", "Europe/London", "Europe/Paris", {"source", "project"}),
        ("sources/north.yml", "settle: PT5S", "settle: PT6S", {"project"}),
        ("checks/loans.yml", "minimum: 1", "minimum: 2", {"check", "project"}),
        ("checks/loans.yml", "description: Somebody reads.", "description: Reading.", {"project"}),
        ("models/dbt_project.yml", "name: library", "name: books", {"models", "project"}),
        ("endpoints/books.yml", "limit: 500", "limit: 499", {"project"}),
        ("endpoints/books.yml", "description: Every book", "description: Each book", {"project"}),
        ("penstock.yml", "https://town.example", "https://city.example", set()),
    ],
)
def test_a_change_of_meaning_reaches_what_stands_on_it(
    library: Library, path: str, old: str, new: str, changed: set[str]
) -> None:
    before = fingerprints(library)
    library.edit(path, old, new)
    after = fingerprints(library)

    assert {name for name in after if after[name] != before[name]} == changed


def test_where_the_files_lie_on_a_machine_does_not_matter(library: Library) -> None:
    here, there = library.load({"DROP": "/here"}), library.load({"DROP": "/there"})

    assert here.sources["loans_north"].globs != there.sources["loans_north"].globs
    assert here.fingerprint == there.fingerprint


def test_models_count_by_name_and_content_and_leavings_do_not(tmp_path: Path) -> None:
    (tmp_path / "star").mkdir()
    (tmp_path / "star/fact.sql").write_text("select 1")
    before = folder_fingerprint(tmp_path)
    for leaving in ("target/run.json", "logs/dbt.log", "__pycache__/a.pyc", ".user.yml"):
        (tmp_path / leaving).parent.mkdir(exist_ok=True)
        (tmp_path / leaving).write_text("x")
    os.utime(tmp_path / "star/fact.sql", (0, 0))

    assert folder_fingerprint(tmp_path) == before

    (tmp_path / "star/fact.sql").rename(tmp_path / "star/facts.sql")
    assert folder_fingerprint(tmp_path) != before


def test_names_and_contents_do_not_run_into_each_other(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, name, content in ((one, "ab", "c"), (other, "a", "bc")):
        folder.mkdir()
        (folder / name).write_text(content)

    assert folder_fingerprint(one) != folder_fingerprint(other)


def test_parents_and_kinds_are_part_of_a_fingerprint() -> None:
    meaning = {"a": None}

    assert len({fingerprint("x", meaning), fingerprint("y", meaning), fingerprint("x", meaning, ["p"])}) == 3
