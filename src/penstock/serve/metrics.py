"""Declared metrics over HTTP: what there are (`/definitions`) and what they are (`/metrics/{name}`).

`/metrics` itself stays free: there the world expects how the server is doing, not the business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated

import pyarrow as pa
from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from penstock.errors import UsageError
from penstock.metrics.metric import Grain, Metric
from penstock.release.text import json_rows, texts
from penstock.serve.caching import answer, is_known, kept, not_modified
from penstock.serve.numbers import Numbers, Source
from penstock.serve.openapi import Described, paging, parameter, problems
from penstock.serve.parameters import Reading
from penstock.serve.question import Question, metric_named, question, refusal, release_in
from penstock.serve.site import Current
from penstock.serve.threads import Threads

_DEFINED: Described = {
    "name": "average_fee",
    "label": "Average fee",
    "unit": "GBP",
    "final_after_days": 3,
    "description": "What a loan costs in the mean.",
    "kind": "ratio",
    "owner": "The desk",
    "type": "decimal(18,4)",
    "grains": ["day", "week", "month", "quarter", "year"],
    "without_grain": True,
    "dimensions": [
        {
            "name": "loan__branch",
            "short": "branch",
            "kind": "categorical",
            "own": True,
            "description": "Where it was lent.",
        }
    ],
}
_TEXT: Described = {"type": "string"}
_DAY: Described = {"type": "string", "format": "date"}
_VALUES: Described = {
    "metric": "average_fee",
    "unit": "GBP",
    "items": [{"month": "2024-01-01", "branch": "north", "average_fee": 1.25}],
    "total": 1,
    "skip": 0,
    "limit": 100,
    "release": 7,
}
_RELEASE = parameter(
    "release", "An older release, answered by the definitions of its time.", {"type": "integer", "minimum": 1}
)
_ASKING = [
    {
        **parameter("by", "A dimension to cut by; may stand several times.", {"type": "array", "items": _TEXT}),
        "style": "form",
        "explode": True,
        "example": ["branch"],
    },
    {
        **parameter("grain", "A value for each period; without it, one over all time.", {**_TEXT, "enum": list(Grain)}),
        "example": "month",
    },
    {
        **parameter("from", "The first day. With a grain, the whole period that it lies in.", _DAY),
        "example": "2024-01-01",
    },
    {**parameter("to", "The last day, included; widened like `from`.", _DAY), "example": "2024-03-31"},
    {
        **parameter("where", "A condition on dimensions, in a small part of SQL.", _TEXT),
        "example": "branch IN ('north', 'south')",
    },
]
_Name = Annotated[str, Path(description="The metric, as `/definitions` lists it.", examples=["average_fee"])]


def _answers() -> dict[int | str, Described]:
    return {"304": {"description": "What `If-None-Match` names is still right."}, **problems(404, 422, 503)}


class Dimension(BaseModel):
    """What a metric can be cut by and filtered on; `short` means the same wherever no other is called so."""

    name: str
    short: str
    kind: str = Field(description="categorical, time or entity")
    own: bool = Field(description="Of the rows themselves, not joined to them.")
    description: str


class Definition(BaseModel):
    """A declared metric."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DEFINED]})

    name: str
    label: str
    description: str
    kind: str = Field(description="simple, ratio, derived, cumulative or conversion")
    unit: str = Field(description="What a value of 1 is.")
    owner: str
    final_after_days: int = Field(description="A day's value may change for so many days after it.")
    type: str | None = Field(description="The type of a value where one is declared.")
    grains: list[str]
    without_grain: bool = Field(description="Whether it has one value over all time.")
    dimensions: list[Dimension]


class Definitions(BaseModel):
    """The metrics of a release, in the order of their names."""

    items: list[Definition]
    total: int
    skip: int
    limit: int
    release: int


class Values(BaseModel):
    """Values of a metric, in the order of period and dimensions; nulls last. Numbers have all their digits."""

    model_config = ConfigDict(json_schema_extra={"examples": [_VALUES]})

    metric: str
    unit: str
    items: list[dict[str, str | int | float | bool | None]] = Field(
        description="The first day of the period, called as the grain; the dimensions as they were asked for; the "
        "value, called as the metric."
    )
    total: int
    skip: int
    limit: int
    release: int


def metric_routes(current: Current, source: Source) -> APIRouter:
    """`/definitions` and `/metrics/{name}` of the release that is served, and of older ones."""
    router = APIRouter(tags=["metrics"])
    threads = Threads(working=2, waiting=32)

    @router.get(
        "/definitions",
        response_model=Definitions,
        responses=_answers(),
        operation_id="list_definitions",
        summary="The declared metrics: what each number means",
        openapi_extra={"parameters": [_RELEASE, *paging()]},
    )
    async def list_definitions(request: Request) -> Response:
        reading = Reading(request.scope["query_string"], ("release", "skip", "limit"))
        skip, limit = reading.paging()
        release = release_in(reading)
        reading.finish()
        served = current.site().manifest

        def make() -> Response:
            numbers = source.at(served, release)
            every = [numbers.metrics.metrics[name].as_summary() for name in sorted(numbers.metrics.metrics)]
            items = [_text(one) for one in every[skip : skip + limit]]
            return _answer(request, numbers, _page({}, items, total=len(every), skip=skip, limit=limit, of=numbers))

        return await threads.run(make)

    @router.get(
        "/definitions/{name}",
        response_model=Definition,
        responses=_answers(),
        operation_id="get_definition",
        summary="What one metric means",
        openapi_extra={"parameters": [_RELEASE]},
    )
    async def get_definition(request: Request, name: _Name) -> Response:
        reading = Reading(request.scope["query_string"], ("release",))
        release = release_in(reading)
        reading.finish()
        served = current.site().manifest

        def make() -> Response:
            numbers = source.at(served, release)
            return _answer(request, numbers, _text(metric_named(numbers.metrics, name).as_summary()))

        return await threads.run(make)

    @router.get(
        "/metrics/{name}",
        response_model=Values,
        responses=_answers(),
        operation_id="query_metric",
        summary="A declared metric, cut by dimensions and periods",
        openapi_extra={"parameters": [*_ASKING, _RELEASE, *paging()]},
    )
    async def query_metric(request: Request, name: _Name) -> Response:
        asked = question(request.scope["query_string"])
        served = current.site().manifest

        def make() -> Response:
            numbers = source.at(served, asked.release)
            metric = metric_named(numbers.metrics, name)
            wanted = asked.of(metric)
            headers = kept(numbers.etag, numbers.release)
            if is_known(request, headers):
                return not_modified(headers)
            try:
                rows = numbers.rows(wanted)
            except UsageError as found:
                raise refusal(found) from None
            return _answer(request, numbers, _values(metric, rows, asked, numbers))

        return await threads.run(make)

    return router


def _values(metric: Metric, rows: pa.Table, asked: Question, numbers: Numbers) -> bytes:
    shown = rows.slice(min(asked.skip, rows.num_rows), asked.limit)
    items = [text.encode() for batch in texts(shown.to_reader(), json_rows) for text in batch]
    first = {"metric": metric.name, "unit": metric.unit}
    return _page(first, items, total=rows.num_rows, skip=asked.skip, limit=asked.limit, of=numbers)


def _page(first: Mapping[str, str], items: Sequence[bytes], *, total: int, skip: int, limit: int, of: Numbers) -> bytes:
    """A list as all others are, after what is said of the whole."""
    facts = b"".join(b"%s:%s," % (_text(name), _text(value)) for name, value in first.items())
    counts = (total, skip, limit, of.release)
    return b'{%s"items":[%s],"total":%d,"skip":%d,"limit":%d,"release":%d}' % (facts, b",".join(items), *counts)


def _answer(request: Request, numbers: Numbers, body: bytes) -> Response:
    return answer(request, body, kept(numbers.etag, numbers.release))


def _text(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
