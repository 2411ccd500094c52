"""What the API refuses, and how it says so."""

from __future__ import annotations

import string
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.serve.asgi_client import Answer, Client


def refused(answer: Answer) -> list[str]:
    """The parameters that were refused."""
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    problem = answer.json
    assert (problem["type"], problem["status"]) == ("about:blank", answer.status)
    assert problem["detail"]
    assert problem["instance"].startswith("/")
    return [error["parameter"] for error in problem.get("errors", [])]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("limit=0", ["limit"]),
        ("limit=51", ["limit"]),
        ("limit=true", ["limit"]),
        ("limit=1.0", ["limit"]),
        ("limit=01", ["limit"]),
        ("limit=%201", ["limit"]),
        ("limit=%D9%A1", ["limit"]),  # a digit of another script
        ("limit=", ["limit"]),
        ("limit", ["limit"]),
        ("skip=-1", ["skip"]),
        ("skip=9007199254740992", ["skip"]),
        ("skip=1&skip=2", ["skip"]),
        ("pages=1.0", ["pages"]),
        ("pages=9223372036854775808", ["pages"]),
        ("pages=%2B1", ["pages"]),
        ("price=1e2", ["price"]),
        ("price=1.005", ["price"]),
        ("price=123456789", ["price"]),
        ("weight=nan", ["weight"]),
        ("weight=1e999", ["weight"]),
        ("lent=1", ["lent"]),
        ("lent=True", ["lent"]),
        ("bought_on=2024-02-30", ["bought_on"]),
        ("bought_on=20240101", ["bought_on"]),
        ("seen_at=2024-01-01", ["seen_at"]),
        ("seen_at=2024-01-01T00:00:00", ["seen_at"]),
        ("seen_at=0001-01-01T00:00:00%2B01:00", ["seen_at"]),
        ("cover=x", ["cover"]),
        ("isbn=a", ["isbn"]),
        ("order=title", ["order"]),
        ("limit=0&skip=x&colour=red", ["colour", "skip", "limit"]),
        ("%FF=1", [""]),
        ("title=%FF", [""]),
        ("&".join(["a=1"] * 101), [""]),
    ],
)
def test_a_parameter_is_known_stands_once_and_is_written_as_its_type_is(
    client: Client, query: str, names: list[str]
) -> None:
    answer = client.get(f"/books?{query}")

    assert answer.status == 422
    assert refused(answer) == names


def test_an_offset_whose_plus_became_a_space_is_told_how_to_write_it(client: Client) -> None:
    (error,) = client.get("/books?seen_at=2024-01-01T00:00:00+01:00").json["errors"]
    assert error["remedy"] == "A + in an address is a space; write it as %2B."


def test_a_refusal_says_what_was_expected_found_and_meant(client: Client) -> None:
    one, other = client.get("/books?limt=5&price=1.005").json["errors"]

    assert (one["parameter"], one["remedy"]) == ("limt", "Did you mean `limit`?")
    assert other == {
        "parameter": "price",
        "detail": "price is not a number of at most 8 digits before and 2 after the point.",
        "expected": "a number of at most 8 digits before and 2 after the point",
        "found": "1.005",
    }


@pytest.mark.parametrize("path", ["/books/a?skip=1", "/health?x=1", "/openapi.json?x", "/releases?title=Dune"])
def test_where_nothing_is_chosen_no_parameter_is_known(client: Client, path: str) -> None:
    assert client.get(path).status == 422


@pytest.mark.parametrize(
    "path", ["/book", "/books/", "/books/a/", "/books/a/loan", "/books//loans", "//", "/books/%FF"]
)
def test_a_path_that_means_nothing_is_not_found(client: Client, path: str) -> None:
    answer = client.get(path)

    assert answer.status == 404
    assert refused(answer) == []


def test_the_path_that_was_meant_is_named(client: Client) -> None:
    assert client.get("/boks").json["detail"] == "There is nothing at /boks. Did you mean `/books`?"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/books", "/health", "/nothing"])
def test_nothing_can_be_changed(client: Client, method: str, path: str) -> None:
    answer = client.get(path, method=method)

    assert answer.status == 405
    assert "GET" in answer.headers["allow"]
    assert refused(answer) == []


parameter_names = st.sampled_from(
    ["skip", "limit", "title", "pages", "price_min", "weight_max", "lent", "bought_on", "seen_at", "x"]
)
words = st.text(alphabet=string.printable, max_size=12) | st.sampled_from(["1", "0", "-1", "true", "2024-01-01", "1e5"])


@given(st.lists(st.tuples(parameter_names, words), max_size=4))
def test_any_query_is_answered_or_refused_with_a_reason(client: Client, pairs: list[tuple[str, str]]) -> None:
    answer = client.get(f"/books?{urlencode(pairs)}")

    if answer.status == 200:
        assert {name for name, _ in pairs} <= {"skip", "limit"} | set(BOOKS_PARAMETERS)
        assert len(answer.json["items"]) <= answer.json["limit"]
    else:
        assert answer.status == 422
        assert refused(answer)


BOOKS_PARAMETERS = ("title", "pages", "price_min", "weight_max", "lent", "bought_on", "seen_at")


@given(st.text(min_size=1, max_size=20))
def test_any_key_is_found_or_not_found(client: Client, key: str) -> None:
    if any("\ud800" <= mark <= "\udfff" for mark in key):
        return
    assert client.get(f"/books/{quote(key, safe='')}").status in (200, 404)


@given(st.binary(max_size=30))
def test_any_bytes_of_a_query_are_answered(client: Client, raw: bytes) -> None:
    query = "".join(f"%{byte:02x}" if byte > 126 or byte < 33 else chr(byte) for byte in raw).replace("#", "")

    assert client.get(f"/books?{query}").status in (200, 422)
