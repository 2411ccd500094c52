"""What the API answers: documents, lists, what belongs to a row, and who has it already."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from penstock.serve.kind import instant
from tests.serve.asgi_client import Client
from tests.serve.lending import BOOK_TYPES, Library


def isbns(client: Client, path: str = "/books", **query: object) -> list[str]:
    return [row["isbn"] for row in client.get(path, query).json["items"]]


def test_a_document_shows_every_value_with_all_its_digits(client: Client) -> None:
    answer = client.get("/books/a")

    assert answer.status == 200
    assert answer.body == (
        b'{"isbn":"a","title":"Dune","pages":412,"price":9.90,"weight":0.5,"lent":true,"bought_on":"2024-01-02",'
        b'"seen_at":"2024-01-02T08:00:00.5Z","cover":"eA==","words":["sand"]}'
    )


def test_what_is_absent_is_null_and_what_is_no_number_is_text(client: Client) -> None:
    book = client.get("/books/c").json

    assert (book["pages"], book["lent"], book["seen_at"], book["cover"], book["words"]) == (None,) * 5
    assert (book["weight"], book["price"]) == ("nan", Decimal("-1.50"))


def test_a_key_may_hold_any_character(client: Client) -> None:
    assert client.get("/books/b%2Fc").json["title"] == 'Émile "Zola"'
    assert client.get("/books/b/c").status == 404


def test_a_list_has_its_declared_order_with_absent_values_last(client: Client) -> None:
    answer = client.get("/books").json

    assert [row["isbn"] for row in answer["items"]] == ["b/c", "a", "c"]
    assert {name: answer[name] for name in ("total", "skip", "limit", "release")} == {
        "total": 3,
        "skip": 0,
        "limit": 50,
        "release": 1,
    }


def test_a_page_leaves_out_and_stops(client: Client) -> None:
    assert isbns(client, skip=1, limit=1) == ["a"]
    assert isbns(client, skip=3) == []
    assert client.get("/books?skip=9007199254740991").json["total"] == 3


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"title": "Dune"}, ["a", "c"]),
        ({"title": 'Émile "Zola"'}, ["b/c"]),
        ({"title": "dune"}, []),
        ({"pages": 300}, ["b/c"]),
        ({"pages_min": 301}, ["a"]),
        ({"pages_max": 412}, ["b/c", "a"]),
        ({"price": "9.9"}, ["a"]),
        ({"price": "-1.500"}, ["c"]),
        ({"price_max": "0"}, ["c"]),
        ({"price_min": "-1.5", "price_max": "0.05"}, ["b/c", "c"]),
        ({"weight": "5e-1"}, ["a"]),
        ({"weight_min": "0"}, ["b/c", "a"]),
        ({"lent": "false"}, ["b/c"]),
        ({"bought_on": "2024-01-02"}, ["a"]),
        ({"bought_on_min": "2024-01-03"}, ["b/c"]),
        ({"seen_at": "2024-01-02T09:00:00.5+01:00"}, ["a"]),
        ({"seen_at_max": "2024-01-02T08:00:00.499999Z"}, []),
        ({"title": "Dune", "lent": "true", "pages_min": 1}, ["a"]),
    ],
)
def test_rows_are_chosen_by_what_they_are_and_not_by_how_it_is_written(
    client: Client, query: dict[str, object], found: list[str]
) -> None:
    answer = client.get("/books", query).json

    assert [row["isbn"] for row in answer["items"]] == found
    assert answer["total"] == len(found)


def test_what_belongs_to_a_row_is_listed_below_it(client: Client) -> None:
    assert [row["loan"] for row in client.get("/books/a/loans").json["items"]] == [1, 2]
    assert [row["loan"] for row in client.get("/books/b%2Fc/loans").json["items"]] == [3]
    assert client.get("/books/a/loans", member="m2").json["total"] == 1
    assert client.get("/books/c/loans").json["items"] == []


def test_a_row_that_is_not_there_has_nothing_below_it(client: Client) -> None:
    answer = client.get("/books/zzz/loans")

    assert (answer.status, answer.json["detail"]) == (404, "/books has no row zzz.")


def test_the_same_answer_is_not_sent_twice(client: Client) -> None:
    for path in ("/books/a", "/books", "/books/a/loans", "/", "/openapi.json"):
        tag = client.get(path).headers["etag"]
        for sent in (tag, f'"other", W/{tag}', "*"):
            again = client.get(path, headers={"If-None-Match": sent})
            assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
        assert client.get(path, headers={"If-None-Match": '"other"'}).status == 200


def test_what_is_wrong_is_said_whatever_the_caller_has(client: Client) -> None:
    tag = {"If-None-Match": "*"}

    assert client.get("/books/zzz", headers=tag).status == 404
    assert client.get("/books/zzz/loans", headers=tag).status == 404
    assert client.get("/books?limit=0", headers=tag).status == 422


def test_who_keeps_an_answer_asks_before_using_it(client: Client) -> None:
    headers = client.get("/books").headers

    assert (headers["cache-control"], headers["penstock-release"]) == ("no-cache", "1")
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/", "/books", "/books/a", "/books/x", "/health", "/openapi.json", "/nothing"])
def test_head_is_get_without_a_body(client: Client, path: str) -> None:
    head, get = client.get(path, method="HEAD"), client.get(path)

    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")


def test_health_names_the_release(client: Client) -> None:
    assert client.get("/health").json == {
        "status": "ok",
        "project": "library",
        "release": 1,
        "committed_at": "2024-01-01T00:00:00Z",
        "endpoints": 3,
    }


def test_pages_of_other_origins_may_read_only_where_that_is_declared(library: Library) -> None:
    asked = {"Origin": "https://town.example"}
    closed, open_ = library.client(), library.client(cors=["https://town.example"])

    assert "access-control-allow-origin" not in closed.get("/books", headers=asked).headers
    assert open_.get("/books", headers=asked).headers["access-control-allow-origin"] == "https://town.example"
    assert "access-control-allow-origin" not in open_.get("/books", headers={"Origin": "https://x.example"}).headers
    preflight = open_.get("/books", method="OPTIONS", headers={**asked, "Access-Control-Request-Method": "GET"})
    assert preflight.status == 200


def test_a_new_release_appears_at_once_and_changes_the_tag(library: Library) -> None:
    client = library.client()
    before = client.get("/books/a")

    library.table("books", BOOK_TYPES, "('a', 'Dune', 500, 1, 1, true, NULL, NULL, NULL, NULL)")
    library.release()
    after = client.get("/books/a", headers={"If-None-Match": before.headers["etag"]})

    assert (after.status, after.json["pages"]) == (200, 500)
    assert client.get("/books").json["total"] == 1
    assert client.get("/health").json["release"] == 2


def test_a_column_of_another_type_is_read_as_that_in_the_next_release(library: Library) -> None:
    client = library.client()
    assert client.get("/members/m1").status == 200

    library.table("members", "member BIGINT, branch VARCHAR", "(1, 'north')")
    library.release()

    assert client.get("/members/1").json == {"member": 1, "branch": "north"}
    assert client.get("/members/m1").status == 422
    schemas = client.get("/openapi.json").json["components"]["schemas"]
    assert schemas["members"]["properties"]["member"]["type"] == "integer"


def test_a_store_that_is_lost_is_a_problem_of_now(library: Library) -> None:
    client = library.client()
    (library.folder / "current.json").write_text("{")

    answer = client.get("/books")

    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert str(library.folder) not in answer.body.decode()


def test_instants_have_no_more_digits_than_they_need() -> None:
    moment = datetime(2024, 1, 2, 3, 4, 5, 120_000, tzinfo=UTC)

    assert [instant(moment), instant(moment.replace(microsecond=0))] == [
        "2024-01-02T03:04:05.12Z",
        "2024-01-02T03:04:05Z",
    ]
