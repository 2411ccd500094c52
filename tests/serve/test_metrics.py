"""Declared metrics over HTTP, asked as strictly as everything else."""

from __future__ import annotations

import asyncio
import threading
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import pytest

from penstock.serve.problem import Problem
from penstock.serve.threads import Threads
from tests.serve.asgi_client import Answer, Client
from tests.serve.lending import Library


def errors(answer: Answer) -> dict[str, dict[str, str]]:
    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    return {error["parameter"]: error for error in answer.json["errors"]}


def test_a_metric_has_one_value_over_all_time(client: Client) -> None:
    assert client.get("/metrics/fees").json == {
        "metric": "fees",
        "unit": "GBP",
        "items": [{"fees": Decimal("3.85")}],
        "total": 1,
        "skip": 0,
        "limit": 100,
        "release": 1,
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("by=branch", [("north", "3.50"), ("south", "0.25"), (None, "0.10")]),
        ("grain=day", [("2024-01-01", "1.75"), ("2024-01-02", "2.10")]),
        ("grain=day&from=2024-01-02", [("2024-01-02", "2.10")]),
        ("by=lending__branch&to=2024-01-01", [("north", "1.50"), ("south", "0.25")]),
        ("by=branch&where=branch%20IN%20('south')", [("south", "0.25")]),
        ("grain=day&by=branch&skip=1&limit=1", [("2024-01-01", "south", "0.25")]),
        ("by=branch&skip=9", []),
    ],
)
def test_a_metric_is_cut_filtered_bounded_and_paged(client: Client, query: str, expected: list[Any]) -> None:
    rows = client.get(f"/metrics/fees?{query}").json["items"]

    assert [(*list(row.values())[:-1], str(row["fees"])) for row in rows] == expected


def test_the_total_counts_all_pages(client: Client) -> None:
    page = client.get("/metrics/fees", by="branch", skip=2, limit=1).json

    assert (page["total"], len(page["items"])) == (3, 1)


@pytest.mark.parametrize("path", ["/metrics/fee", "/definitions/fee"])
def test_an_unknown_metric_is_told_from_near_ones(client: Client, path: str) -> None:
    answer = client.get(path)

    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "There is no metric 'fee'. Did you mean fees?" in answer.json["detail"]


def test_everything_wrong_with_a_question_is_told_at_once(client: Client) -> None:
    answer = client.get(
        "/metrics/fees", {"from": "2024-02-01", "to": "2024-01-01"}, by="brunch", grain="week", where="shelf = 1"
    )

    found = errors(answer)
    assert list(found) == ["by", "grain", "to", "where"]
    assert "Did you mean branch?" in found["by"]["remedy"]
    assert (found["grain"]["found"], found["grain"]["expected"]) == ("week", "one of day")


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("from=2024-02-30", "from"),
        ("to=2024-1-1", "to"),
        ("grain=day&grain=day", "grain"),
        ("by=branch&by=branch", "by"),
        ("where=sleep(9)", "where"),
        ("where=", "where"),
        ("where=branch%20%3D%20'" + "x" * 2000 + "'", "where"),
        ("release=0", "release"),
        ("limit=1001", "limit"),
        ("groupby=branch", "groupby"),
    ],
)
def test_a_parameter_that_cannot_be_taken_is_named(client: Client, query: str, parameter: str) -> None:
    assert list(errors(client.get(f"/metrics/fees?{query}"))) == [parameter]


def test_a_metric_whose_table_does_not_take_the_value_is_the_callers_mistake(client: Client) -> None:
    answer = client.get("/metrics/fees", where="branch = 1")

    assert list(errors(answer)) == ["where"]


def test_an_answer_is_kept_until_the_next_release(library: Library) -> None:
    client = library.client()
    tag = {"If-None-Match": client.get("/metrics/fees").headers["etag"]}
    assert (client.get("/metrics/fees", headers=tag).status, client.get("/definitions", headers=tag).status) == (
        304,
        304,
    )

    library.table("lendings", "day DATE, branch VARCHAR, fee DECIMAL(18,2)", "(DATE '2024-01-01', 'north', 7)")
    library.release()
    after = client.get("/metrics/fees", headers=tag)

    assert (after.status, after.headers["penstock-release"]) == (200, "2")
    assert after.json["items"] == [{"fees": Decimal("7.00")}]
    assert client.get("/metrics/fees", headers=tag, grain="week").status == 422


def test_definitions_say_what_there_is_to_ask(client: Client) -> None:
    page = client.get("/definitions", skip=0, limit=1).json
    (one,) = page["items"]

    assert (page["total"], one["name"], one["label"], one["unit"], one["final_after_days"]) == (
        2,
        "fees",
        "Fees",
        "GBP",
        3,
    )
    assert [(of["name"], of["short"]) for of in one["dimensions"]] == [("lending__branch", "branch")]
    assert client.get("/definitions/fees").json == one
    assert "templates" not in one


def test_numbers_about_the_server_keep_their_usual_place(client: Client) -> None:
    assert client.get("/metrics").status == 404


def test_a_slow_question_does_not_hold_up_others_and_no_endless_line_forms() -> None:
    threads, go = Threads(working=1, waiting=1), threading.Event()

    async def asked() -> tuple[list[bool], HTTPStatus]:
        slow = [asyncio.ensure_future(threads.run(lambda: go.wait(60))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Problem) as refused:
            await threads.run(lambda: True)
        go.set()
        return await asyncio.gather(*slow), refused.value.status

    assert asyncio.run(asked()) == ([True, True], HTTPStatus.SERVICE_UNAVAILABLE)
