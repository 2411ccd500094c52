"""What is served of live tables is there, or `penstock validate` says what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.runtime.installation import Installation
from penstock.runtime.live_agreement import problems_of_live
from tests.stream.lending import lending

HOURS = """\
  - name: watch
    input: loans_typed
    steps:
      - {window: {size: PT1H, by: [member], aggregates: {loans: count}}}
    outputs:
      - {live: hours, from: window, key: [member, window_start]}
      - {topic: titles, from: loans_typed}
  - name: titled
    input: titles
    outputs:
      - {live: last_titles, key: [loan], columns: [loan, title, lent]}
"""
UNRELEASED = """\
  - name: beside
    input: loans_typed
    steps:
      - {lookup: {table: gold.members, on: {member: id}, columns: {town: town}}}
    outputs:
      - {live: towns, key: [loan], columns: [loan, town]}
      - {live: whole, key: [loan]}
"""
SERVED = """\
endpoints: []
live:
  - path: /hours
    live: hours
    columns: [window_start, loans]
    order: [window_start desc]
  - path: /members/{id}/hours
    live: hours
    parent: member
    columns: [loans, final]
measures:
  - name: loans_per_hour
    live: hours
    columns: [loans]
"""
TITLE = "expected columns that are made of no personal value, found made of loans.title. Leave it out."
RENAMED = """\
  - name: renamed
    input: loans_typed
    steps:
      - {derive: {book: "upper(Title)", pseudonym: "sha256(title)"}}
      - {name: named, derive: {shelf: "coalesce(book, 'none')"}}
    outputs:
      - {live: books, key: [loan], columns: [loan, shelf, pseudonym]}
"""
KEPT = "expected the name of a `live` output in streams/"
MEANT = "Did you mean `last_titles`?"


def told(root: Path, *, served: str = SERVED, topologies: str = HOURS) -> list[str]:
    """What validation says of live endpoints and measures."""
    lending(root, topologies)
    contract = root / "contracts" / "loans.yml"
    title = "{id: title, name: title, logicalType: string"
    contract.write_text(contract.read_text().replace(title, f"{title}, classification: pii"))
    (root / "endpoints").mkdir()
    (root / "endpoints" / "live.yml").write_text(served)
    return [str(problem) for problem in problems_of_live(Installation.at(root))]


def test_what_topologies_keep_may_be_served(tmp_path: Path) -> None:
    assert told(tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "path: /hours\n    live: hours",
            "path: /hours\n    live: hour",
            f"endpoints/live.yml:3:11: No topology keeps the live table `hour`: {KEPT}, found hour. Did you mean `hours`?",
        ),
        (
            "name: loans_per_hour\n    live: hours",
            "name: loans_per_hour\n    live: titles",
            f"endpoints/live.yml:12:5: No topology keeps the live table `titles`: {KEPT}, found titles. {MEANT}",
        ),
        (
            "columns: [window_start, loans]",
            "columns: [window_start, loan]",
            "endpoints/live.yml:3:11: The live table `hours` has no column `loan`: found loan. Did you mean `loans`?",
        ),
        (
            "order: [window_start desc]",
            "order: [lent desc]",
            "endpoints/live.yml:3:11: The live table `hours` has no column `lent`: found lent. Name another one.",
        ),
        (
            "parent: member",
            "parent: reader",
            "endpoints/live.yml:7:11: The live table `hours` has no column `reader`: found reader. Name another one.",
        ),
        (
            "columns: [loans]\n",
            "columns: [loans]\n    time: lent\n",
            "endpoints/live.yml:12:5: The live table `hours` has no column `lent`: found lent. Name another one.",
        ),
        (
            "live: hours\n    columns: [window_start, loans]\n    order: [window_start desc]",
            "live: last_titles\n    columns: [loan, title]",
            f"endpoints/live.yml:3:11: The column `title` is personal and cannot be served: {TITLE}",
        ),
        (
            "live: hours\n    columns: [loans]",
            "live: last_titles\n    columns: [title]\n    time: lent",
            f"endpoints/live.yml:12:5: The column `title` is personal and cannot be served: {TITLE}",
        ),
    ],
)
def test_what_is_not_there_or_personal_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert SERVED.count(old) == 1

    assert told(tmp_path, served=SERVED.replace(old, new)) == [says]


def test_before_the_first_release_declared_columns_are_what_is_known(tmp_path: Path) -> None:
    served = """\
endpoints: []
live:
  - {path: /towns, live: towns, columns: [loan, city]}
  - {path: /whole, live: whole, columns: [loan, city]}
"""

    assert told(tmp_path, served=served, topologies=UNRELEASED) == [
        "endpoints/live.yml:3:12: The live table `towns` has no column `city`: found city. Name another one."
    ]


def test_a_personal_column_under_another_name_is_refused_and_a_hash_of_it_is_not(tmp_path: Path) -> None:
    served = "endpoints: []\nlive:\n  - {path: /books, live: books, columns: [loan, shelf, pseudonym]}\n"

    assert told(tmp_path, served=served, topologies=RENAMED) == [
        f"endpoints/live.yml:3:12: The column `shelf` is personal and cannot be served: {TITLE}"
    ]


def test_a_column_that_is_only_called_like_a_personal_one_may_be_served(tmp_path: Path) -> None:
    titled = RENAMED.replace("shelf", "name").replace("coalesce(book, 'none')", "member")
    served = "endpoints: []\nlive:\n  - {path: /books, live: books, columns: [loan, name]}\n"
    lending(tmp_path)
    other = (tmp_path / "contracts" / "loans.yml").read_text().replace("loans", "people")
    other = other.replace("{id: title, name: title", "{id: title, name: name, classification: pii")
    (tmp_path / "contracts" / "people.yml").write_text(other)

    assert told(tmp_path, served=served, topologies=titled) == []
