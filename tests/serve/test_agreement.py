"""Endpoints against the tables they serve: every mistake is named where it is declared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from penstock.errors import DeclarationError
from penstock.serve.agreement import GoldColumn, early_problems, judge, problems
from penstock.spec.endpoint import Endpoint, Ordering

BOOKS = Endpoint(
    "/books",
    "books",
    "isbn",
    ("isbn", "title"),
    filters=("title",),
    places={
        "title": "endpoints/books.yml:5:20",
        "/table": "endpoints/books.yml:3:12",
        "/key": "endpoints/books.yml:4:10",
    },
)
LOANS = Endpoint(
    "/books/{id}/loans", "loans", "loan", ("loan",), parent="isbn", places={"/parent": "endpoints/x.yml:9:1"}
)
TABLES = {
    "books": [GoldColumn("isbn", "VARCHAR"), GoldColumn("title", "VARCHAR"), GoldColumn("reader", "VARCHAR", "", True)],
    "loans": [GoldColumn("loan", "BIGINT"), GoldColumn("isbn", "VARCHAR"), GoldColumn("cover", "BLOB")],
}


def sentences(*endpoints: Endpoint) -> list[str]:
    return [str(problem) for problem in problems(endpoints, TABLES)]


def test_endpoints_that_fit_have_no_problem() -> None:
    assert sentences(BOOKS, LOANS) == []
    judge((BOOKS, LOANS), TABLES)


@pytest.mark.parametrize(
    ("endpoint", "sentence"),
    [
        (
            replace(BOOKS, table="book"),
            "endpoints/books.yml:3:12: There is no gold table `book`. Did you mean `books`?",
        ),
        (
            replace(BOOKS, columns=("isbn", "titel")),
            "/books: gold.books has no column `titel`. Did you mean `title`?",
        ),
        (
            replace(BOOKS, order=(Ordering("shelf"),)),
            "/books: gold.books has no column `shelf`. Its columns are isbn, title, reader.",
        ),
        (
            replace(BOOKS, columns=("isbn", "title", "reader")),
            (
                "/books: `reader` of gold.books holds personal values, and /books would show them to everybody: "
                "expected columns that are not personal. Leave it out; if the model holds pseudonyms under this name, "
                "declare `meta: {classification: pseudonym}` on the model's column."
            ),
        ),
        (
            Endpoint("/loans", "loans", "cover", ("cover",), filters=("cover",)),
            (
                "/loans: `cover` is of type BLOB, which cannot name a row: expected a text, whole number, decimal or date. "
                "Choose another key, or cast it in the model."
            ),
        ),
        (
            replace(BOOKS, columns=("isbn", "title"), example=(("title", None), ("isbn", "1"))),
            None,
        ),
        (
            Endpoint("/loans", "loans", "loan", ("loan",), example=(("loan", "first"),)),
            (
                "/loans: The example of `loan` is no value of that column: expected a whole number, found `first`. "
                "Write one as the API would show it."
            ),
        ),
    ],
)
def test_a_mistake_is_one_sentence_with_its_place(endpoint: Endpoint, sentence: str | None) -> None:
    found = sentences(endpoint)

    assert found[:1] == ([] if sentence is None else [sentence])


@pytest.mark.parametrize("used", ["columns", "order", "parent"])
def test_a_personal_column_is_refused_whatever_it_is_used_for(used: str) -> None:
    value: Any = {"columns": ("isbn", "reader"), "order": (Ordering("reader"),), "parent": "reader"}[used]
    given: dict[str, Any] = {"path": "/books/{id}/x"} if used == "parent" else {}

    assert any("holds personal values" in one for one in sentences(replace(BOOKS, **{used: value}, **given)))


def test_a_child_is_compared_with_the_key_above_it() -> None:
    below = replace(LOANS, parent="loan")

    assert sentences(BOOKS, below) == [
        (
            "endpoints/x.yml:9:1: `loan` of gold.loans and the key of /books are of different types: "
            "expected VARCHAR, found BIGINT. Cast one of them in its model."
        )
    ]


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(DeclarationError) as told:
        judge((replace(BOOKS, table="book"), replace(LOANS, key="lent", columns=("lent",))), TABLES)

    assert len(told.value.problems) == 2


def test_what_declarations_tell_is_told_before_anything_is_built() -> None:
    tables = {"books": lambda name: name == "title", "loans": lambda _: False}

    found = list(early_problems((BOOKS, LOANS, replace(BOOKS, table="boks")), tables))

    assert [problem.where for problem in found] == ["endpoints/books.yml:5:20", "endpoints/books.yml:3:12"]
