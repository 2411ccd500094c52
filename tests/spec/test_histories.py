"""What a dataset keeps every version of, and what its sources have to agree on."""

from __future__ import annotations

from penstock.spec.contract import Contract
from tests.spec.lending_library import SOURCE, Library

PATTERN = "mode: replace_file\n  pattern: (?P<name>.+)_v(?P<version>[0-9]+)[.]csv\n  same_content: skip\n"
UPSERT = "mode: upsert\n  version: lent_on\n"
SNAPSHOT = "mode: snapshot\n  version: lent_on\n"


def declare(library: Library, delivery: str, *, other: str | None = None) -> None:
    for path in (library.root / "streams").glob("*"):
        path.unlink()
    library.edit("sources/north.yml", PATTERN, delivery)
    if other is not None:
        south = SOURCE.replace("loans_north", "loans_south").replace("/north/", "/south/")
        library.write("sources/south.yml", south.replace(PATTERN, other))


def loans(library: Library) -> Contract:
    return library.load().contracts["loans"]


def test_the_version_is_part_of_what_names_a_row(library: Library) -> None:
    before = loans(library)
    declare(library, UPSERT)

    after = loans(library)

    assert (before.identity, after.identity) == (before.key, (*before.key, "lent_on"))
    assert after.fingerprint == before.fingerprint


def test_a_snapshot_has_a_table_of_its_own(library: Library) -> None:
    declare(library, SNAPSHOT)

    assert library.load().silver_tables == ("books", "loans", "loans_snapshots")


def test_sources_of_one_dataset_agree_on_the_version(library: Library) -> None:
    declare(library, UPSERT, other="mode: append\n")

    assert library.problems() == [
        (
            "sources/south.yml:3:10: The sources of `loans` do not agree on what a version is: expected `version: lent_on`,"
            " as in sources/north.yml, found mode `append`. Declare the same mode and version for all of them, or give one"
            " a dataset of its own."
        )
    ]


def test_nothing_else_feeds_the_dataset_of_a_snapshot(library: Library) -> None:
    declare(library, SNAPSHOT, other=UPSERT)

    assert library.problems() == [
        (
            "sources/north.yml:17:12: More than one source feeds `loans`, so no file is its whole truth: expected the"
            " snapshots alone. Give the other source or topic a dataset of its own."
        )
    ]


def test_a_snapshot_leaves_out_no_row(library: Library) -> None:
    declare(library, SNAPSHOT)
    library.edit("contracts/loans.yml", "value: freeze", "value: discard_row")

    assert library.problems() == [
        (
            "sources/north.yml:17:12: A snapshot that leaves out rows is not whole: expected an evolution other than"
            " `discard_row`. Declare another `penstock.evolution` in loans.yml."
        )
    ]


def test_no_dataset_has_the_name_of_the_table_of_snapshots(library: Library) -> None:
    declare(library, SNAPSHOT)
    text = (library.root / "contracts/books.yml").read_text()
    library.write("contracts/lists.yml", text.replace("name: books", "name: loans_snapshots"))

    assert library.problems() == [
        (
            "sources/north.yml:17:12: `silver.loans_snapshots` is the table of the snapshots, and a dataset has its name."
            " Rename the dataset `loans_snapshots`."
        )
    ]
