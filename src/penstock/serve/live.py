"""Live tables over HTTP: rows while streams change them, and how fresh they are. Nobody may keep such an answer."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response

from penstock.serve.kind import Kind, instant, kind_named
from penstock.serve.live_description import Shapes, choosers, measures_answer, page_answer, parameters
from penstock.serve.openapi import problems
from penstock.serve.parameters import Reading, nothing
from penstock.serve.problem import Problem, error, refused
from penstock.spec.endpoint import Ordering
from penstock.spec.live_endpoint import LiveEndpoint, LiveMeasure
from penstock.store.live_file import live_file
from penstock.store.live_reader import LivePage, LiveReader, open_live
from penstock.store.live_shape import LiveShape
from penstock.store.live_values import EPOCH, decimal_of, restored

Streaming = Mapping[str, Mapping[str, int | None]]
"""By topology: `watermark` and `at` (when it told so) in microseconds since 1970, and `lag` in rows."""
MEASURES_PATH = "/metrics/live"
_NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True)
class LiveDoor:
    """What is served of live tables; `topologies` says which topology keeps a table, `shapes` what it makes of it."""

    endpoints: tuple[LiveEndpoint, ...] = ()
    measures: tuple[LiveMeasure, ...] = ()
    topologies: Mapping[str, str] = field(default_factory=dict)
    shapes: Shapes = field(default_factory=dict)

    def as_record(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> LiveDoor:
        """From what JSON makes of a record."""
        endpoints = [
            LiveEndpoint(
                **{
                    **one,
                    "order": tuple(Ordering(**by) for by in one["order"]),
                    **{name: tuple(one[name]) for name in ("columns", "filters", "ranges")},
                }
            )
            for one in record["endpoints"]
        ]
        measures = [
            LiveMeasure(**{**one, "columns": tuple(one["columns"]), "where": tuple(map(tuple, one["where"]))})
            for one in record["measures"]
        ]
        shapes = {name: LiveShape.of_record(one) for name, one in record["shapes"].items()}
        return cls(tuple(endpoints), tuple(measures), record["topologies"], shapes)


def live_routes(folder: Path, door: LiveDoor, streaming: Callable[[], Streaming]) -> APIRouter:
    """The declared live endpoints over the tables in `folder`, and `/metrics/live` where measures are declared."""
    router = APIRouter(tags=["live"])
    for endpoint in door.endpoints:
        router.add_api_route(
            endpoint.path,
            _rows_of(folder, endpoint, door, streaming),
            methods=["GET"],
            operation_id=f"live_{re.sub('[^a-z0-9]+', '_', endpoint.path).strip('_')}",
            summary=endpoint.description.split("\n")[0] or f"Rows of {endpoint.table}",
            responses={**problems(422, 503), 200: page_answer(endpoint, door.shapes)},
            response_class=Response,
            openapi_extra={"parameters": parameters(endpoint, door.shapes)},
        )
    if door.measures:
        router.add_api_route(
            MEASURES_PATH,
            _measures_of(folder, door, streaming),
            methods=["GET"],
            operation_id="live_measures",
            summary="The live measures of the newest window",
            responses={**problems(422, 503), 200: measures_answer(door.measures, door.shapes)},
            response_class=Response,
        )
    return router


def _rows_of(
    folder: Path, endpoint: LiveEndpoint, door: LiveDoor, streaming: Callable[[], Streaming]
) -> Callable[[Request], Response]:
    def rows(request: Request) -> Response:  # in a thread: it reads files
        told = streaming()  # before the rows, so that no row is older than it says
        with _opened(folder, endpoint.table, endpoint.used) as reader:
            kinds = reader.shape.kinds
            where, skip, limit = _asked(request, endpoint, kinds)
            order = [(one.column, one.descending) for one in endpoint.order]
            page = reader.page(where, order=order, skip=skip, limit=limit)
        fresh = _freshness(endpoint.table, page, door, told)
        items = ",".join(_object(row, endpoint.columns, kinds) for row in page.rows)
        counts = f'"total":{page.total},"skip":{skip},"limit":{limit}'
        return _answer(f'{{"items":[{items}],{counts},"live":{json.dumps(fresh)}}}')

    return rows


def _measures_of(folder: Path, door: LiveDoor, streaming: Callable[[], Streaming]) -> Callable[[Request], Response]:
    def measures(request: Request) -> Response:
        nothing(request.scope["query_string"])
        told = streaming()
        items = [_measured(folder, one, door, told) for one in door.measures]
        return _answer(f'{{"items":[{",".join(items)}]}}')

    return measures


def _measured(folder: Path, measure: LiveMeasure, door: LiveDoor, told: Streaming) -> str:
    """The current rows of a measure; none, and no position, where its table is not there yet."""
    try:
        with _opened(folder, measure.table, measure.used) as reader:
            kinds = reader.shape.kinds
            where = [(name, "=", _stored(text, kind_named(kinds[name]))) for name, text in measure.where]
            page = reader.page(where, newest=measure.time, limit=1000)
    except Problem:
        kinds, page = {}, LivePage([], 0, None)
    window = _text(page.rows[0][measure.time], kinds[measure.time]) if page.rows else "null"
    rows = ",".join(_object(row, measure.columns, kinds) for row in page.rows)
    fresh = json.dumps(_freshness(measure.table, page, door, told))
    final = [bool(row["final"]) for row in page.rows if "final" in row]
    whether = json.dumps(all(final) if final else None)
    name, description = json.dumps(measure.name), json.dumps(measure.description, ensure_ascii=False)
    return (
        f'{{"name":{name},"description":{description},"window":{window},"final":{whether},'
        f'"rows":[{rows}],"live":{fresh}}}'
    )


@contextmanager
def _opened(folder: Path, table: str, columns: Sequence[str]) -> Iterator[LiveReader]:
    """The table for reading; Problem 503 where the stream that makes it has not."""
    if not live_file(folder, table).exists():
        raise _absent(f"The live table {table} is not there yet: `penstock stream` or `penstock up` makes it.")
    reader = open_live(folder, table)
    try:
        missing = set(columns) - reader.shape.kinds.keys()
        if missing:
            named = ", ".join(sorted(missing))
            raise _absent(f"The live table {table} has no {named} yet: start `penstock stream` anew.")
        yield reader
    finally:
        reader.close()


def _absent(detail: str) -> Problem:
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "5"})


def _asked(
    request: Request, endpoint: LiveEndpoint, kinds: Mapping[str, str]
) -> tuple[list[tuple[str, str, Any]], int, int]:
    """Conditions on stored values, and the page; Problem 422 with all that is wrong."""
    chosen_by = list(choosers(endpoint))
    reading = Reading(request.scope["query_string"], ("skip", "limit", *(name for name, _, _ in chosen_by)))
    skip, limit = reading.paging(usual=endpoint.usual_limit, most=endpoint.limit)
    where: list[tuple[str, str, Any]] = []
    for name, column, sign in chosen_by:
        kind = kind_named(kinds[column])
        if reading.value(name, kind.parse, kind.expected) is not None:
            where.append((column, sign, _stored(reading.text(name) or "", kind)))
    reading.finish()
    if endpoint.parent is not None:
        kind, given = kind_named(kinds[endpoint.parent]), request.path_params["id"]
        if kind.parse(given) is None:
            raise refused([error("id", f"id is not {kind.expected}.", expected=kind.expected)])
        where.append((endpoint.parent, "=", _stored(given, kind)))
    return where, min(skip, (1 << 62)), limit


def _stored(text: str, kind: Kind) -> Any:
    """A parameter that its kind could read, as live tables store it."""
    decimal = decimal_of(kind.name)
    if decimal is not None:
        whole = int(Decimal(text).scaleb(decimal[1]))
        return whole if whole.bit_length() < 64 else float(whole)  # lies beyond whatever is stored, and is compared so
    if kind.name == "date":
        return (date.fromisoformat(text) - EPOCH.date()).days
    return kind.parse(text)


def _object(row: Mapping[str, Any], columns: Sequence[str], kinds: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{_text(row[name], kinds[name])}" for name in columns) + "}"


def _text(value: Any, kind: str) -> str:
    """A stored value as JSON, written as the other answers write it.

    >>> _text(1234, "decimal(10,2)"), _text(0, "instant"), _text(None, "text")
    ('12.34', '"1970-01-01T00:00:00Z"', 'null')
    """
    found = restored(value, kind)
    match found:
        case str() if kind == "list":
            return found
        case Decimal():
            return format(found, "f")
        case datetime():  # which is a date too
            return f'"{instant(found)}"'
        case date():
            return f'"{found}"'
        case bytes():
            return json.dumps(base64.b64encode(found).decode())
        case float() if not math.isfinite(found):
            return f'"{found}"'
    return json.dumps(found, ensure_ascii=False)


def _moment(microseconds: int) -> str:
    return instant(EPOCH + timedelta(microseconds=microseconds))


def _freshness(table: str, page: LivePage, door: LiveDoor, told: Streaming) -> dict[str, Any]:
    """How far the table is: offsets by partition of the topic of its changes, and what its topology told last."""
    positions = {} if page.position is None else json.loads(page.position)
    state = told.get(door.topologies.get(table, ""), {})
    watermark, at = state.get("watermark"), state.get("at")
    return {
        "table": table,
        "position": {part: offset for part, (offset, _) in positions.items()},
        "watermark": None if watermark is None or watermark < 0 else _moment(watermark),
        "lag": state.get("lag"),
        "told_at": None if at is None else _moment(at),
    }


def _answer(body: str) -> Response:
    return Response(body.encode(), media_type="application/json", headers=_NO_STORE)
