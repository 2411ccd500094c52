"""A project as a whole: what is loaded, and how its mistakes are told."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock.errors import DeclarationError
from penstock.spec.contract import Classification, Evolution, Format, LogicalType, PartitionField, Reference
from penstock.spec.loading import load_project
from penstock.spec.project import CheckKind, Severity
from penstock.spec.source import DeliveryMode, FileFormat
from tests.spec.lending_library import Library


def test_a_right_project_is_loaded_whole(library: Library) -> None:
    project = library.load()

    assert (project.name, project.tenant, project.description) == ("library", "town", "Books and who has them.")
    assert list(project.contracts) == ["books", "loans"]
    assert [source.name for source in project.sources_of("loans")] == ["loans_north", "shelf"]
    assert [check.name for check in project.checks] == ["loans_arrived", "no_lost_book", "loans_in_equal_loans_out"]
    assert project.models == library.root.resolve() / "models"
    assert (project.quality_target, project.quality_alert) == (99.5, 90.0)
    assert project.retention.releases_keep == 5
    assert project.retention.raw_quarantine_for == timedelta(days=14)


def test_a_contract_becomes_columns_key_rules_and_promises(library: Library) -> None:
    loans = library.load().contracts["loans"]

    assert loans.key == ("branch", "loan_id")  # by declared position, not as they stand
    assert (loans.owner, loans.version, loans.description) == ("Front desk", "1.2.0", "Who has which book.")
    assert (loans.dedupe.order_by, loans.dedupe.horizon) == ("changed_at", timedelta(days=90))
    assert loans.evolution is Evolution.FREEZE
    assert loans.partitions == (PartitionField("lent_on", "month"),)
    assert [(rule.name, rule.expression) for rule in loans.rules] == [("returned_after_lent", "returned_on >= lent_on")]
    assert loans.references == (Reference(("isbn",), "books", ("isbn",)),)
    assert loans.freshness == timedelta(hours=36)


def test_a_column_carries_its_type_and_limits(library: Library) -> None:
    loans = library.load().contracts["loans"]

    fee, renewals, reader = loans.column("fee"), loans.column("renewals"), loans.column("reader")
    assert (fee.type, fee.precision, fee.scale, fee.minimum) == (LogicalType.DECIMAL, 8, 2, "0.5")
    assert (renewals.minimum, renewals.exclusive_minimum) == ("0", False)
    assert (renewals.maximum, renewals.exclusive_maximum) == ("10", True)
    assert (reader.classification, reader.format) == (Classification.PERSONAL, Format.EMAIL)
    assert (reader.min_length, reader.max_length) == (3, 80)
    assert reader.aliases == ("Borrower", "Reader name")
    assert loans.column("branch").enum == ("north", "south")
    assert loans.column("weight").type is LogicalType.NUMBER


def test_a_source_says_where_and_how(library: Library) -> None:
    source = library.load({"DROP": "/mnt/drop"}).sources["loans_north"]

    assert source.globs == ("/mnt/drop/north/*.csv", "extra/*.csv")
    assert (source.format, source.compression, source.optional) == (FileFormat.CSV, "gz", True)
    assert source.settle == timedelta(seconds=5)
    assert (source.csv.delimiter, source.csv.quote, source.csv.encoding) == (";", "'", "cp1252")
    assert (source.delivery.mode, source.delivery.same_content) == (DeliveryMode.REPLACE_FILE, "skip")
    assert dict(source.reading.mapping) == {"loan_id": "Number", "changed_at": "Last change"}
    assert (source.reading.null_values, source.reading.timezone) == (("", "-"), "Europe/London")


def test_checks_keep_their_kind_and_bounds(library: Library) -> None:
    arrived, lost, equal = library.load().checks

    assert (arrived.kind, arrived.severity) == (CheckKind.THRESHOLD, Severity.ERROR)
    assert (arrived.minimum, arrived.maximum) == ("1", "1000000")
    assert (lost.kind, lost.severity) == (CheckKind.ROWS, Severity.WARN)
    assert equal.against == "SELECT count(*) FROM gold.loans"


def test_endpoints_say_what_is_served_and_below_what(library: Library) -> None:
    books, loans = library.load().endpoints

    assert (books.path, books.table, books.key, books.limit) == ("/books", "shelf", "isbn", 500)
    assert (books.columns, books.filters, books.ranges) == (
        ("isbn", "title", "pages", "bought_on"),
        ("title",),
        ("bought_on",),
    )
    assert list(map(str, books.order)) == ["title", "bought_on desc"]
    assert books.example == (("isbn", "9780441172719"), ("pages", "412"), ("bought_on", None))
    assert books.places["bought_on"] == "endpoints/books.yml:5:35"
    assert (loans.parent, loans.parent_path, loans.limit, loans.usual_limit) == ("isbn", "/books", 1000, 100)
    assert (books.document_path, loans.document_path) == ("/books/{id}", None)
    assert library.load().serving.cors == ("https://town.example", "http://localhost:3000")


def test_a_project_of_one_file_has_defaults(tmp_path: Path) -> None:
    (tmp_path / "penstock.yml").write_text("name: bare\n")

    project = load_project(tmp_path, environment={})

    assert (project.tenant, project.models, dict(project.contracts)) == ("default", None, {})
    assert (project.quality_target, project.retention.releases_keep) == (99.9, 30)


def test_every_problem_of_every_file_is_told_at_once_in_order(library: Library) -> None:
    library.edit("penstock.yml", "tenant: town", "tenant: Town Hall")
    library.edit(
        "contracts/books.yml", "logicalType: string\n        primaryKey", "logicalType: text\n        primaryKey"
    )
    library.edit("sources/north.yml", "dataset: loans", "dataset: laons")
    library.edit("checks/loans.yml", "kind: rows", "kind: row")

    with pytest.raises(DeclarationError) as raised:
        library.load()

    assert str(raised.value).startswith(f"{library.root}: The project has 4 problems")
    assert [problem.where for problem in raised.value.problems] == [
        "checks/loans.yml:9:11",
        "contracts/books.yml:12:22",
        "penstock.yml:3:9",
        "sources/north.yml:3:10",
    ]
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        (
            "nowhere",
            "{root}: There is no such folder: expected a folder with a file penstock.yml. Go to the project's ",
        ),
        ("file", "{root}: This is a file: expected a folder with a file penstock.yml. Go to the project's "),
        (".", "{root}: There is no project here: expected a folder with a file penstock.yml. Go to the project's "),
        ("nul\0", "{root}: There is no such folder: "),
    ],
)
def test_what_is_no_project_is_said_in_a_sentence(tmp_path: Path, path: str, sentence: str) -> None:
    (tmp_path / "file").write_text("")
    root = tmp_path / path

    with pytest.raises(DeclarationError) as raised:
        load_project(root, environment={})

    assert str(raised.value).startswith(sentence.format(root=root))


def test_an_unreadable_file_is_a_problem_beside_others(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    library.edit("penstock.yml", "tenant: town", "tenat: town")
    opened = Path.open

    def refusing(path: Path, *how: Any, **named: Any) -> object:
        if path.name == "loans.yml" and path.parent.name == "checks":
            raise PermissionError(13, "Permission denied")
        return opened(path, *how, **named)

    monkeypatch.setattr(Path, "open", refusing)

    assert library.problems() == [
        (
            "checks/loans.yml:1:1: It cannot be read: found Permission denied. Check that it exists and that you may read "
            "it."
        ),
        (
            "penstock.yml:3:1: `tenat` is not a key of a project: expected one of `name`, `description`, `tenant`, "
            "`retention`, `quality`, `serve`. Did you mean `tenant`?"
        ),
    ]


def test_a_broken_link_and_a_link_to_itself_are_problems(library: Library) -> None:
    (library.root / "checks/gone.yml").symlink_to("nowhere.yml")
    (library.root / "checks/round.yml").symlink_to("round.yml")

    assert [problem.split(": ")[:2] for problem in library.problems()] == [
        ["checks/gone.yml:1:1", "It is not read"],
        ["checks/round.yml:1:1", "It is not read"],
    ]


def test_files_that_would_be_overlooked_are_named(library: Library) -> None:
    library.write("contracts/more.YML", "")
    library.write("contracts/archive/old.yml", "")
    library.write("contracts/README.md", "about")
    library.write("contracts/.hidden.yml", "")

    assert library.problems() == [
        (
            "contracts/archive:1:1: It is not read: expected files ending in .yml, directly in contracts/, found a folder. "
            "Move or rename it."
        ),
        (
            "contracts/more.YML:1:1: It is not read: expected files ending in .yml, directly in contracts/, found another "
            "ending. Move or rename it."
        ),
    ]


def test_a_misspelled_folder_is_named_and_another_is_not(library: Library) -> None:
    (library.root / "checks/loans.yml").rename(library.root / "loans.yml")
    (library.root / "checks").rename(library.root / "check")
    (library.root / "data").mkdir()

    assert library.problems() == ["check:1:1: The folder is not read. Did you mean `checks`? Rename it."]


def test_a_folder_that_is_a_file_is_a_problem(library: Library) -> None:
    library.write("streams.yml", "")
    (library.root / "checks/loans.yml").unlink()
    (library.root / "checks").rmdir()
    library.write("checks", "checks: []")

    assert library.problems() == [
        "checks:1:1: It cannot be read: found Not a directory. Check that it exists and that you may read it."
    ]


def test_models_without_a_dbt_project_are_a_problem(library: Library) -> None:
    (library.root / "models/dbt_project.yml").unlink()
    library.write("models/shelf.sql", "select 1 as one")

    assert library.problems() == [
        (
            "models:1:1: The folder is not a dbt project: expected a file dbt_project.yml in it. Add the file, or remove "
            "the folder."
        )
    ]


def test_names_that_stand_twice_in_the_project_are_named_with_the_first(library: Library) -> None:
    for path, copy in (
        ("contracts/books.yml", "contracts/too.yml"),
        ("sources/north.yml", "sources/too.yml"),
    ):
        library.write(copy, (library.root / path).read_text())
    library.write("checks/too.yml", "checks:\n  - {name: no_lost_book, kind: rows, sql: SELECT 1}\n")

    assert library.problems() == [
        (
            "checks/too.yml:2:12: The check `no_lost_book` is declared twice: found the first at checks/loans.yml:8:11. "
            "Rename one of them."
        ),
        (
            "contracts/too.yml:7:11: The dataset `books` is declared twice: found the first in contracts/books.yml. "
            "Rename one of them."
        ),
        (
            "sources/too.yml:1:7: The source `loans_north` is declared twice: found the first at sources/north.yml:1:7. "
            "Rename one of them."
        ),
    ]


def test_a_dataset_whose_contract_is_wrong_is_still_known_to_others(library: Library) -> None:
    library.edit("contracts/loans.yml", "value: freeze", "value: frozen")

    assert library.where() == ["contracts/loans.yml:22:16"]
