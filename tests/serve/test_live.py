"""Live tables over HTTP: whole transactions only, in a stable order, never kept, and absent in words."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow as pa
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import Response

from penstock.serve.live import LiveDoor, live_routes
from penstock.serve.problem import Problem
from penstock.spec.endpoint import Ordering
from penstock.spec.live_endpoint import LiveEndpoint, LiveMeasure
from penstock.store.live_shape import LiveShape
from penstock.store.live_table import LiveTable
from tests.full_disk import no_room_for_any_file
from tests.serve.asgi_client import Client

SCHEMA = pa.schema(
    [
        ("branch", pa.string()),
        ("window_start", pa.timestamp("us", "UTC")),
        ("visits", pa.int64()),
        ("fees", pa.decimal128(38, 2)),
        ("final", pa.bool_()),
    ]
)
COLUMNS = tuple(SCHEMA.names)
VISITS = LiveEndpoint(
    "/visits",
    "visit_minutes",
    COLUMNS,
    filters=("branch", "fees"),
    ranges=("window_start", "fees"),
    order=(Ordering("window_start", descending=True),),
)
OF_BRANCH = LiveEndpoint("/branches/{id}/visits", "visit_minutes", ("visits",), parent="branch")
MINUTE = LiveMeasure("visits_per_minute", "visit_minutes", ("branch", "visits", "final"), "window_start")
IN_NORTH = LiveMeasure("visits_in_north", "visit_minutes", ("visits",), "window_start", (("branch", "north"),))
SHAPE = LiveShape.of("visit_minutes", SCHEMA, ["branch", "window_start"], version="1")
DOOR = LiveDoor((VISITS, OF_BRANCH), (MINUTE, IN_NORTH), {"visit_minutes": "desk"}, {"visit_minutes": SHAPE})
TOLD = {"desk": {"watermark": 60_000_000, "lag": 3, "at": 61_000_000}}


def minute(number: int) -> datetime:
    return datetime(2024, 1, 1, 0, number, tzinfo=UTC)


def table(folder: Path) -> LiveTable:
    return LiveTable(folder, SHAPE)


def write(to: LiveTable, *rows: tuple[str, int, int], position: int = 1) -> None:
    values = [(branch, minute(at), visits, Decimal("1.50"), at == 0) for branch, at, visits in rows]
    named = [dict(zip(COLUMNS, one, strict=True)) for one in values]
    to.apply(pa.Table.from_pylist(named, SCHEMA), f'{{"0": [{position}, "i"]}}')


def client(folder: Path, door: LiveDoor = DOOR) -> Client:
    app = FastAPI()
    kept = LiveDoor.of_record(json.loads(json.dumps(door.as_record())))
    app.include_router(live_routes(folder, kept, lambda: TOLD))

    async def told(_: object, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return error.response("/")

    app.add_exception_handler(Problem, told)
    return Client(app)


@pytest.fixture
def live(tmp_path: Path) -> Client:
    write(table(tmp_path), ("north", 0, 2), ("north", 1, 5), ("south", 1, 7))
    return client(tmp_path)


def test_rows_come_newest_first_and_say_how_fresh_they_are(live: Client) -> None:
    answer = live.get("/visits")

    assert [(row["branch"], row["visits"]) for row in answer.json["items"]] == [
        ("north", 5),
        ("south", 7),
        ("north", 2),
    ]
    assert answer.json["items"][0]["fees"] == Decimal("1.50")
    assert answer.json["live"] == {
        "table": "visit_minutes",
        "position": {"0": 1},
        "watermark": "1970-01-01T00:01:00Z",
        "lag": 3,
        "told_at": "1970-01-01T00:01:01Z",
    }
    assert answer.headers["cache-control"] == "no-store"
    assert not {"etag", "penstock-release"} & answer.headers.keys()


@pytest.mark.parametrize(
    ("query", "visits"),
    [
        ({"branch": "north"}, [5, 2]),
        ({"fees": "1.5", "branch": "south"}, [7]),
        ({"window_start_min": "2024-01-01T00:01:00Z"}, [5, 7]),
        ({"window_start_max": "2024-01-01T01:00:00+01:00"}, [2]),
        ({"skip": 1, "limit": 1}, [7]),
        ({"branch": "' OR 1=1 --"}, []),
        ({"fees_max": "123456789012345678901234567890"}, [5, 7, 2]),
        ({"fees_min": "99999999999999999", "fees_max": "999999999999999999"}, []),
        ({"fees": "-123456789012345678901234567890"}, []),
    ],
)
def test_rows_are_chosen_by_value_bounds_and_page(live: Client, query: dict[str, object], visits: list[int]) -> None:
    assert [row["visits"] for row in live.get("/visits", query).json["items"]] == visits


def test_rows_below_a_row_are_those_of_its_key(live: Client) -> None:
    assert live.get("/branches/north/visits").json["items"] == [{"visits": 2}, {"visits": 5}]


def test_measures_are_those_of_the_newest_window(live: Client) -> None:
    measure, _ = live.get("/metrics/live").json["items"]

    assert (measure["name"], measure["window"], measure["final"]) == (MINUTE.name, "2024-01-01T00:01:00Z", False)
    assert [(row["branch"], row["visits"]) for row in measure["rows"]] == [("north", 5), ("south", 7)]


def test_a_measure_of_some_rows_is_that_of_their_own_newest_window(tmp_path: Path) -> None:
    write(table(tmp_path), ("north", 0, 2), ("north", 1, 5), ("south", 2, 7))

    _, measure = client(tmp_path).get("/metrics/live").json["items"]

    assert (measure["window"], measure["rows"]) == ("2024-01-01T00:01:00Z", [{"visits": 5}])


def test_a_table_that_no_stream_made_yet_is_a_503_that_says_what_to_do(tmp_path: Path) -> None:
    answer = client(tmp_path).get("/visits")

    assert (answer.status, answer.headers["content-type"]) == (503, "application/problem+json")
    assert "penstock stream" in answer.json["detail"]
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize("query", [{"limit": "0"}, {"fees": "a"}, {"unknown": "1"}, {"window_start_min": "today"}])
def test_what_is_not_written_as_its_kind_is_refused(live: Client, query: dict[str, object]) -> None:
    answer = live.get("/visits", query)

    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json["errors"][0]["parameter"] == next(iter(query))


@settings(max_examples=10, deadline=None)
@given(st.sets(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), min_size=1), st.integers(1, 4))
def test_all_pages_together_are_the_table_in_its_order(
    tmp_path_factory: pytest.TempPathFactory, keys: set[tuple[str, int]], limit: int
) -> None:
    folder = tmp_path_factory.mktemp("live")
    write(table(folder), *((branch, at, number) for number, (branch, at) in enumerate(sorted(keys))))
    asked = client(folder)

    pages = [asked.get("/visits", skip=skip, limit=limit).json for skip in range(0, len(keys), limit)]

    found = [(row["branch"], row["window_start"]) for page in pages for row in page["items"]]
    wanted = sorted(keys, key=lambda key: (-key[1], key[0]))
    assert found == [(branch, f"2024-01-01T00:{at:02}:00Z") for branch, at in wanted]
    assert {page["total"] for page in pages} == {len(keys)}


def test_no_answer_is_torn_while_the_table_is_written(tmp_path: Path) -> None:
    write(table(tmp_path), ("north", 0, 1), ("south", 0, 1))
    asked = client(tmp_path)

    def change() -> None:
        to = table(tmp_path)
        for number in range(2, 60):
            write(to, ("north", 0, number), ("south", 0, number), position=number)

    writer = threading.Thread(target=change)
    writer.start()
    answers = [asked.get("/visits").json for _ in range(15)]
    writer.join()

    for answer in (*answers, asked.get("/visits").json):
        assert {row["visits"] for row in answer["items"]} == {answer["live"]["position"]["0"]}


def test_a_table_that_nobody_writes_is_served_on_a_full_disk(tmp_path: Path) -> None:
    made = table(tmp_path)
    write(made, ("north", 0, 2), ("south", 1, 7))
    made.close()
    asked = client(tmp_path)
    before = asked.get("/visits").json

    with no_room_for_any_file():
        found = [asked.get("/visits").json for _ in range(2)]

    assert before["total"] == 2
    assert found == [before, before]


def described(asked: Client, path: str) -> Any:
    return json.loads(asked.get("/openapi.json").body)["paths"][path]["get"]


@pytest.mark.parametrize("path", ["/visits", "/branches/{id}/visits", "/metrics/live"])
@pytest.mark.parametrize("shapes", [DOOR.shapes, {}])
def test_answers_and_examples_are_as_described(tmp_path: Path, path: str, shapes: dict[str, LiveShape]) -> None:
    write(table(tmp_path), ("north", 0, 2), ("south", 1, 7))
    asked = client(tmp_path, replace(DOOR, shapes=shapes))

    content = described(asked, path)["responses"]["200"]["content"]["application/json"]

    jsonschema.validate(json.loads(asked.get(path.format(id="north")).body), content["schema"])
    jsonschema.validate(content["example"], content["schema"])


def test_columns_and_parameters_carry_their_type(live: Client) -> None:
    get = described(live, "/visits")
    row = get["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["items"]["items"]
    given = {one["name"]: one for one in get["parameters"]}

    assert row["properties"]["branch"] == {"type": "string", "examples": ["text"]}  # of the key: never absent
    assert row["properties"]["visits"] == {"type": ["integer", "null"], "format": "int64", "examples": [1]}
    assert row["additionalProperties"] is False
    assert given["fees"]["schema"] == {"type": "number"}
    assert (given["window_start_min"]["schema"]["format"], given["limit"]["schema"]["default"]) == ("date-time", 100)
    assert described(live, "/branches/{id}/visits")["parameters"][0]["example"] == "text"


def test_what_is_wrong_is_described_as_a_problem(live: Client) -> None:
    answers = described(live, "/metrics/live")["responses"]

    assert {status for status, one in answers.items() if "application/problem+json" in one["content"]} == {"422", "503"}
