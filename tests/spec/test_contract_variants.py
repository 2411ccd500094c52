"""Other right ways to write a contract, and what they come to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from penstock.spec.contract import Classification, Column, Contract, Dedupe, Evolution, PartitionField, Reference
from penstock.spec.source import Csv, Delivery, Reading
from tests.spec.lending_library import Library

BOOKS = "contracts/books.yml"
TITLE = "      - id: title\n        name: title\n        logicalType: string\n"


def books(library: Library) -> Contract:
    return library.load().contracts["books"]


def title(library: Library, declared: str) -> Column:
    """The column `title` with more lines declared."""
    lines = "".join(f"        {line}\n" for line in declared.splitlines())
    library.edit(BOOKS, TITLE, TITLE + lines)
    return books(library).column("title")


def test_what_is_not_declared_has_the_plainest_meaning(library: Library) -> None:
    contract = books(library)

    assert (contract.dedupe, contract.evolution, contract.partitions) == (Dedupe(), Evolution.EVOLVE, ())
    assert (contract.owner, contract.freshness, contract.rules) == ("", None, ())
    assert contract.column("title") == Column(id="title", name="title", type=contract.column("isbn").type)


@pytest.mark.parametrize("version", ["v3.0.0", "v3.0.2", "v3.1.0"])
def test_earlier_versions_of_the_standard_are_read(library: Library, version: str) -> None:
    library.edit(BOOKS, "apiVersion: v3.2.0", f"apiVersion: {version}")

    assert books(library).dataset == "books"


def test_the_owner_of_an_old_team_is_its_member_of_that_role(library: Library) -> None:
    library.edit(
        BOOKS, "status: active\n", "team:\n  - {username: ann, role: reader}\n  - {username: bob, role: Owner}\n"
    )

    assert books(library).owner == "bob"


def test_a_team_without_an_owner_has_none(library: Library) -> None:
    library.edit(BOOKS, "status: active\n", "team:\n  - {username: ann}\n")

    assert books(library).owner == ""


@pytest.mark.parametrize(
    ("level", "age"),
    [
        ("{property: freshness, value: P1DT12H}", timedelta(hours=36)),
        ("{property: latency, value: 1.5, unit: d}", timedelta(hours=36)),
        ("{property: Freshness, value: 90, unit: minutes, element: books}", timedelta(minutes=90)),
        ("{property: retention, value: 3, unit: y}", None),
    ],
)
def test_freshness_is_a_length_of_time(library: Library, level: str, age: timedelta | None) -> None:
    library.edit(BOOKS, "status: active\n", f"slaProperties:\n  - {level}\n")

    assert books(library).freshness == age


@pytest.mark.parametrize(
    "level", ["{property: freshness, value: true}", "{property: freshness, value: 1e300, unit: w}"]
)
def test_what_is_no_length_of_time_is_refused(library: Library, level: str) -> None:
    library.edit(BOOKS, "status: active\n", f"slaProperties:\n  - {level}\n")

    assert "The freshness is not a length of time" in library.problems()[0]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("public", Classification.PUBLIC),
        ("Internal", Classification.INTERNAL),
        ("pseudonymous", Classification.PSEUDONYM),
        ("PII", Classification.PERSONAL),
        ("sensitive", Classification.PERSONAL),
    ],
)
def test_classifications_have_spellings(library: Library, written: str, meant: Classification) -> None:
    assert title(library, f"classification: {written}").classification is meant


def test_rules_of_the_standard_library_become_limits_of_the_column(library: Library) -> None:
    column = title(
        library,
        "quality:\n"
        "  - {metric: nullValues, mustBe: 0}\n"
        "  - {type: library, metric: invalidValues, arguments: {validValues: [Emma, Persuasion]}, mustBe: 0}\n",
    )

    assert (column.required, column.enum) == (True, ("Emma", "Persuasion"))


def test_a_pattern_may_be_a_rule_of_the_standard_library(library: Library) -> None:
    column = title(library, "quality: [{metric: invalidValues, arguments: {pattern: '^[A-Z]'}, mustBe: 0}]")

    assert column.pattern == "^[A-Z]"


def test_a_pattern_of_a_rule_must_be_usable_too(library: Library) -> None:
    library.edit(
        BOOKS,
        TITLE,
        TITLE + "        quality: [{metric: invalidValues, arguments: {pattern: '(?=x)'}, mustBe: 0}]\n",
    )

    assert "look-around" in library.problems()[0]


def test_documentation_and_the_rules_of_other_engines_are_left_alone(library: Library) -> None:
    column = title(
        library,
        "quality:\n"
        "  - {type: text, description: Titles are printed on the spine.}\n"
        "  - {type: custom, engine: soda, implementation: {checks: []}}\n"
        "customProperties:\n"
        "  - {property: steward, value: ann}\n"
        "physicalName: TTL\n"
        "businessName: Title of the book\n",
    )

    assert not column.required
    assert books(library).rules == ()


def test_rules_of_columns_and_datasets_are_rules_about_a_row(library: Library) -> None:
    library.edit(
        BOOKS,
        "    description: A book on the shelf.\n",
        "    quality: [{type: custom, engine: penstock, name: told, implementation: title <> isbn}]\n",
    )
    title(library, "quality: [{type: custom, engine: penstock, name: short, implementation: length(title) < 99}]")

    assert [rule.name for rule in books(library).rules] == ["short", "told"]


def test_permitted_values_are_given_once(library: Library) -> None:
    library.edit(
        BOOKS,
        TITLE,
        TITLE
        + "        enum: [{value: Emma}]\n"
        + "        quality: [{metric: invalidValues, arguments: {validValues: [Emma]}, mustBe: 0}]\n",
    )

    assert "The permitted values are given twice" in library.problems()[0]


def test_permitted_values_take_their_canonical_form(library: Library) -> None:
    library.edit(BOOKS, TITLE, TITLE.replace("string", "number") + "        physicalType: numeric(5, 2)\n")
    text = (library.root / BOOKS).read_text()
    library.write(BOOKS, text + "        enum: [{value: 1.50}, {value: 2}, {value: '3.0'}]\n")

    assert books(library).column("title").enum == ("1.5", "2", "3")


@pytest.mark.parametrize(
    ("declared", "limits"),
    [
        ("{format: i8}", ("-128", "127")),
        ("{format: u16, minimum: 5}", ("5", "65535")),
        ("{format: i32, maximum: 99999999999}", ("-2147483648", "2147483647")),
        ("{format: i64}", (None, None)),
    ],
)
def test_a_whole_number_of_some_bits_has_their_limits(
    library: Library, declared: str, limits: tuple[str | None, str | None]
) -> None:
    library.edit(BOOKS, TITLE, TITLE.replace("string", "integer") + f"        logicalTypeOptions: {declared}\n")

    column = books(library).column("title")
    assert (column.minimum, column.maximum) == limits


def test_a_reference_of_several_columns_stands_with_the_dataset(library: Library) -> None:
    library.edit(
        "contracts/loans.yml",
        "    quality:\n      - type: custom\n",
        "    relationships:\n      - {from: [loans.isbn, loans.loan_id], to: [books.isbn, books.title]}\n"
        "    quality:\n      - type: custom\n",
    )

    references = library.load().contracts["loans"].references
    assert references[1] == Reference(("isbn", "loan_id"), "books", ("isbn", "title"))


def test_a_personal_key_may_be_referred_to_by_a_personal_column(library: Library) -> None:
    library.edit(BOOKS, "        primaryKey: true\n", "        primaryKey: true\n        classification: personal\n")
    library.edit(
        "contracts/loans.yml", "        name: isbn\n", "        name: isbn\n        classification: personal\n"
    )

    assert library.problems() == []


def test_a_personal_key_that_refers_to_a_plain_column_never_meets_it(library: Library) -> None:
    library.edit(
        BOOKS,
        "        primaryKey: true\n",
        "        primaryKey: true\n        classification: personal\n        relationships: [{to: loans.loan_id}]\n",
    )

    assert "`isbn` is a personal key, so silver holds its pseudonym" in library.problems()[0]


def test_partitions_keep_their_declared_order(library: Library) -> None:
    library.edit(
        BOOKS,
        "        required: true\n",
        "        required: true\n        partitioned: true\n        partitionKeyPosition: 2\n",
    )
    title(library, "partitioned: true\npartitionKeyPosition: 1")

    assert books(library).partitions == (PartitionField("title", "identity"), PartitionField("isbn", "identity"))


def test_a_source_of_three_lines_reads_plain_files(library: Library) -> None:
    library.write("sources/north.yml", "name: more\ndataset: books\nfiles: more/*.parquet\nformat: parquet\n")

    source = library.load().sources["more"]

    assert (source.globs, source.compression, source.optional) == (("more/*.parquet",), None, False)
    assert (source.csv, source.delivery, source.reading) == (Csv(), Delivery(), Reading())
    assert source.settle == timedelta(0)
