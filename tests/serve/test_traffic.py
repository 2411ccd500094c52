"""Requests are counted by the route as it is declared, by the hundreds of their status, and by how long they took."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.middleware import Middleware
from starlette.types import Message

from penstock.serve.histogram import Histogram
from penstock.serve.traffic import OTHER, Counting, Traffic
from tests.serve.lending import Library

BOUNDS = (0.01, 0.1, 1.0)


def ticking() -> Iterator[float]:
    """A stopwatch that goes on by a fiftieth of a second whenever it is looked at."""
    return (number / 50 for number in range(1_000))


@pytest.mark.parametrize(
    ("path", "route", "hundreds"),
    [
        ("/books", "/books", 2),
        ("/books/b%2Fc", "/books/{id}", 2),
        ("/books/never-written", "/books/{id}", 4),
        ("/books/a/loans", "/books/{id}/loans", 2),
        ("/books?pages=many", "/books", 4),
        ("/metrics/fees", "/metrics/{name}", 2),
        ("/health", "/health", 2),
        ("/openapi.json", "/openapi.json", 2),
        ("/wp-admin/setup.php", OTHER, 4),
    ],
)
def test_a_request_counts_for_its_route_and_how_it_ended(
    library: Library, path: str, route: str, hundreds: int
) -> None:
    traffic, times = Traffic(), ticking()
    client = library.client(around=[Middleware(Counting, traffic=traffic, monotonic=lambda: next(times))])

    client.get(path)

    ((name, counted),) = traffic.routes.items()
    assert (name, counted.statuses[hundreds], sum(counted.statuses)) == (route, 1, 1)
    assert (sum(counted.seconds.counts), traffic.open) == (1, 0)
    assert counted.seconds.total == pytest.approx(0.02)


def test_head_and_what_is_known_already_count_for_the_same_route(library: Library) -> None:
    traffic = Traffic()
    client = library.client(around=[Middleware(Counting, traffic=traffic, monotonic=lambda: 0.0)])

    tag = client.get("/books", method="HEAD").headers["etag"]
    client.get("/books", headers={"If-None-Match": tag})

    assert traffic.routes["/books"].statuses[2:4] == [1, 1]


def test_a_defect_counts_as_a_500_and_while_it_goes_on_as_open() -> None:
    traffic = Traffic()
    seen = []

    async def broken(*_: object) -> None:
        seen.append(traffic.open)
        raise ZeroDivisionError

    async def receive() -> Message:
        raise AssertionError

    async def send(_: Message) -> None:
        raise AssertionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(Counting(broken, traffic, lambda: 0.0)({"type": "http"}, receive, send))

    assert (seen, traffic.open, traffic.routes[OTHER].statuses[5]) == ([1], 0, 1)


def test_what_workers_counted_adds_up() -> None:
    first, second, whole = Traffic(), Traffic(), Traffic()
    requests = [(first, "/a", 200, 0.002), (second, "/a", 503, 20.0), (second, "/b", 200, 0.1)]
    for traffic, route, status, seconds in requests:
        traffic.count(route, status, seconds)
        whole.count(route, status, seconds)
    summed = Traffic()

    for traffic in (first, second):
        summed.add(traffic.as_record())

    assert summed == whole


@given(st.lists(st.floats(0, 5)))
def test_a_bucket_holds_all_that_took_at_most_so_long(durations: list[float]) -> None:
    counted = Histogram(BOUNDS)
    for one in durations:
        counted.observe(one)

    expected = [(str(bound), float(sum(one <= bound for one in durations))) for bound in BOUNDS]

    assert counted.buckets() == [*expected, ("+Inf", float(len(durations)))]
    assert counted.total == pytest.approx(sum(durations))
