"""Every sentence that live endpoints and measures of a file can cause, and none for those that are right."""

from __future__ import annotations

import pytest

from penstock.spec.endpoint import Ordering
from tests.spec.lending_library import ENDPOINTS, Library

LIVE = """\
live:
  - path: /hours
    live: hours
    columns: [isbn, window_start, loans]
    filters: [isbn]
    ranges: [window_start]
    order: [window_start desc]
  - path: /books/{id}/hours
    live: hours
    parent: isbn
    columns: [window_start]
measures:
  - name: loans_per_hour
    live: hours
    columns: [loans]
  - name: titles_per_hour
    live: hours
    columns: [most_lent]
    time: window_end
"""
ONE_MEANING = "expected one meaning for each parameter"
RENAME = "Give the column another name in the model, or do not filter by it."
REMOVE = "Remove one of them."
FILE = "endpoints/books.yml"
RESERVED = (
    "expected a path that does not begin with `/health`, `/releases`, `/metrics`, `/definitions`, `/openapi.json`"
)
BELONG = "expected `parent` for `/x/{id}/y`, and for that alone"
UNDER_MEASURES = "Choose another path; what stands at `/metrics/live` is declared under `measures`."
NAME_THE_COLUMN = "Name the column that holds what stands for `{id}`, or change the path."


@pytest.fixture
def served(library: Library) -> Library:
    library.write(FILE, ENDPOINTS + LIVE)
    return library


def line_of(text: str) -> int:
    """Where a line of LIVE stands in the file."""
    return (ENDPOINTS + LIVE).splitlines().index(text) + 1


def test_live_endpoints_and_measures_are_read_as_they_stand(served: Library) -> None:
    project = served.load()

    hours, of_book = project.live
    assert (hours.path, hours.table, hours.order) == ("/hours", "hours", (Ordering("window_start", descending=True),))
    assert (of_book.parent, of_book.used) == ("isbn", ("window_start", "isbn"))
    assert [(one.name, one.time) for one in project.measures] == [
        ("loans_per_hour", "window_start"),
        ("titles_per_hour", "window_end"),
    ]


def twice(key: str, line: str, column: int) -> str:
    """What is said of a column that stands a second time; the first stands at `line`."""
    first = f"{FILE}:{line_of(line)}:{column}"
    name = "isbn" if "[isbn" in line else "window_start" if "[window_start" in line else "loans"
    return (
        f"The column `{name}` stands twice in `{key}`: expected each column once, found the first at {first}. {REMOVE}"
    )


@pytest.mark.parametrize(
    ("old", "new", "at", "says"),
    [
        (
            "path: /hours",
            "path: /metrics/hours",
            ("  - path: /hours", 11),
            f"`/metrics` is served by the engine itself: {RESERVED}. {UNDER_MEASURES}",
        ),
        (
            "path: /hours\n",
            "path: /hours\n    parent: isbn\n",
            ("  - path: /hours", 11),
            f"The path `/hours` and `parent` do not belong together: {BELONG}. {NAME_THE_COLUMN}",
        ),
        (
            "    live: hours\n    parent: isbn\n",
            "    live: hours\n",
            ("  - path: /books/{id}/hours", 11),
            f"The path `/books/{{id}}/hours` and `parent` do not belong together: {BELONG}. {NAME_THE_COLUMN}",
        ),
        (
            "filters: [isbn]",
            "filters: [isbm]",
            ("    filters: [isbn]", 15),
            "`filters` names the column `isbm`, which is not shown: expected one of `columns`. Did you mean `isbn`?",
        ),
        (
            "ranges: [window_start]",
            "ranges: [fee]",
            ("    ranges: [window_start]", 14),
            "`ranges` names the column `fee`, which is not shown: expected one of `columns`. Add it to `columns`.",
        ),
        (
            "columns: [isbn, window_start, loans]",
            "columns: [isbn, window_start, isbn, loans]",
            ("    columns: [isbn, window_start, loans]", 35),
            twice("columns", "    columns: [isbn, window_start, loans]", 15),
        ),
        (
            "filters: [isbn]",
            "filters: [isbn, isbn]",
            ("    filters: [isbn]", 21),
            twice("filters", "    filters: [isbn]", 15),
        ),
        (
            "order: [window_start desc]",
            "order: [window_start desc, window_start]",
            ("    order: [window_start desc]", 32),
            twice("order", "    order: [window_start desc]", 13),
        ),
        (
            "columns: [loans]\n",
            "columns: [loans, loans]\n",
            ("    columns: [loans]", 22),
            twice("columns", "    columns: [loans]", 15),
        ),
        (
            "columns: [isbn, window_start, loans]\n    filters: [isbn]",
            "columns: [isbn, window_start, skip]\n    filters: [skip]",
            ("    filters: [isbn]", 15),
            f"The parameter `skip` would mean two things: {ONE_MEANING}, found the page and the filter `skip`. {RENAME}",
        ),
        (
            "path: /hours",
            "path: /books",
            ("  - path: /hours", 11),
            "The path `/books` is declared twice. Choose another one.",
        ),
        (
            "path: /books/{id}/hours",
            "path: /books/{id}/loans",
            ("  - path: /books/{id}/hours", 11),
            "The path `/books/{id}/loans` is declared twice. Choose another one.",
        ),
        (
            "path: /hours",
            "path: /books/late",
            ("  - path: /hours", 11),
            "`/books/late` could also be a row of `/books`. Choose another one.",
        ),
        (
            "name: titles_per_hour",
            "name: loans_per_hour",
            ("  - name: titles_per_hour", 5),
            "The live measure `loans_per_hour` is declared twice. Choose another one.",
        ),
    ],
)
def test_a_mistake_is_told_where_it_stands(served: Library, old: str, new: str, at: tuple[str, int], says: str) -> None:
    served.edit(FILE, old, new)

    assert served.problems() == [f"{FILE}:{line_of(at[0])}:{at[1]}: {says}"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("path: /hours\n    live: hours\n", "path: /hours\n", "`live` is missing from a live endpoint"),
        ("columns: [loans]", "columns: []", "`columns` is too short: expected at least 1"),
        ("    time: window_end\n", "    times: window_end\n", "`times` is not a key of a live measure"),
        ("filters: [isbn]", "key: isbn", "`key` is not a key of a live endpoint"),
    ],
)
def test_what_is_not_of_the_format_is_refused(served: Library, old: str, new: str, says: str) -> None:
    served.edit(FILE, old, new)

    (problem,) = served.problems()
    assert says in problem


def test_two_live_lists_may_lie_below_one_another_in_any_order(served: Library) -> None:
    """A live list has no rows of its own path that the other could be taken for."""
    served.edit(
        FILE, "path: /books/{id}/hours\n    live: hours\n    parent: isbn\n", "path: /hours/quiet\n    live: hours\n"
    )

    assert served.problems() == []
