"""How the API describes what it serves of live tables: columns typed as the topology makes them, with examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from penstock.serve.kind import kind_named
from penstock.serve.openapi import Described, made_up, paging, parameter, property_of
from penstock.spec.endpoint_keys import BOUNDS
from penstock.spec.live_endpoint import LiveEndpoint, LiveMeasure
from penstock.store.collection import Field
from penstock.store.live_shape import LiveShape

Shapes = Mapping[str, LiveShape]
"""What live tables hold, by name; a table that is not among them is described without types."""
_TEXT: Described = {"type": "string"}
_COUNT: Described = {"type": "integer", "minimum": 0}
_INSTANT: Described = {"type": ["string", "null"], "format": "date-time"}
_WORDS = {"=": "equal to", ">=": "not below", "<=": "not above"}


def choosers(endpoint: LiveEndpoint) -> Iterator[tuple[str, str, str]]:
    """The parameters that choose rows: name, column, how the column is compared."""
    low, high = BOUNDS
    yield from ((name, name, "=") for name in endpoint.filters)
    for name in endpoint.ranges:
        yield name + low, name, ">="
        yield name + high, name, "<="


def page_answer(endpoint: LiveEndpoint, shapes: Shapes) -> Described:
    """The answer of a list."""
    row = _row(endpoint.table, endpoint.columns, shapes)
    counts = {"total": 1, "skip": 0, "limit": endpoint.usual_limit}
    properties = {
        "items": {"type": "array", "items": row},
        "total": {**_COUNT, "description": "How many rows there are on all pages."},
        "skip": _COUNT,
        "limit": _COUNT,
        "live": _FRESHNESS,
    }
    return _answer(properties, {"items": [_example(row)], **counts, "live": _fresh(endpoint.table)})


def measures_answer(measures: Sequence[LiveMeasure], shapes: Shapes) -> Described:
    """The answer of all measures: an item of each."""
    items = [_measure(one, shapes) for one in measures]
    return _answer(
        {"items": {"type": "array", "items": {"oneOf": items}}}, {"items": [one["examples"][0] for one in items]}
    )


def parameters(endpoint: LiveEndpoint, shapes: Shapes) -> list[Described]:
    """The path's, those of the page, and those that choose rows."""
    found: list[Described] = []
    if endpoint.parent is not None:
        described = {"name": "id", "in": "path", "required": True, "description": f"The {endpoint.parent}."}
        found.append({**described, **_typed(endpoint.table, endpoint.parent, shapes)})
    found += paging(endpoint.limit, endpoint.usual_limit)
    for name, column, sign in choosers(endpoint):
        described = parameter(name, f"Rows whose {column} is {_WORDS[sign]} the value.", {})
        found.append({**described, **_typed(endpoint.table, column, shapes)})
    return found


def _measure(measure: LiveMeasure, shapes: Shapes) -> Described:
    row = _row(measure.table, measure.columns, shapes)
    window = _row(measure.table, (measure.time,), shapes)["properties"][measure.time]
    properties = {
        "name": {"const": measure.name},
        "description": _TEXT,
        "window": {
            "anyOf": [window, {"type": "null"}],
            "description": f"The newest {measure.time}; null without rows.",
        },
        "final": {"type": ["boolean", "null"], "description": "Whether nothing can change the rows any more."},
        "rows": {"type": "array", "items": row},
        "live": _FRESHNESS,
    }
    example = {
        "name": measure.name,
        "description": measure.description,
        "window": _example({"properties": {"window": window}})["window"],
        "final": False,
        "rows": [_example(row)],
        "live": _fresh(measure.table),
    }
    return {**_object(properties), "examples": [example]}


def _row(table: str, columns: Sequence[str], shapes: Shapes) -> Described:
    kinds, key = _kinds(table, shapes), shapes[table].key if table in shapes else ()
    return _object({name: _property(name, kinds.get(name), key=name in key) for name in columns})


def _kinds(table: str, shapes: Shapes) -> Mapping[str, str]:
    return {column.name: column.kind for column in shapes[table].columns} if table in shapes else {}


def _property(name: str, kind: str | None, *, key: bool) -> Described:
    if kind is None:
        return {"examples": ["text"]}
    if kind == "list":  # of whatever the topology collects
        return {"type": ["array", "null"], "examples": [["text"]]}
    return {**property_of(Field(name, kind), key=key), "examples": [made_up(kind)]}


def _typed(table: str, column: str, shapes: Shapes) -> Described:
    """Schema and example of a parameter that is compared with a column."""
    kind = _kinds(table, shapes).get(column)
    return {"schema": _TEXT} if kind is None else {"schema": dict(kind_named(kind).schema), "example": made_up(kind)}


def _example(row: Described) -> dict[str, Any]:
    return {name: described["examples"][0] for name, described in row["properties"].items()}


def _object(properties: Described) -> Described:
    return {
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
    }


def _fresh(table: str) -> Described:
    return {
        "table": table,
        "position": {"0": 1200},
        "watermark": "2024-05-01T06:00:00Z",
        "lag": 0,
        "told_at": "2024-05-01T06:00:02Z",
    }


_FRESHNESS: Described = {
    **_object(
        {
            "table": _TEXT,
            "position": {"type": "object", "additionalProperties": _COUNT},
            "watermark": _INSTANT,
            "lag": {"type": ["integer", "null"], "minimum": 0},
            "told_at": _INSTANT,
        }
    ),
    "description": "How far the rows are, and how far their topology was when it told last.",
}


def _answer(properties: Described, example: Described) -> Described:
    return {
        "description": "Found; `live` tells how fresh it is.",
        "content": {"application/json": {"schema": _object(properties), "example": example}},
    }
