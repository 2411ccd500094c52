"""The API's own description (OpenAPI 3.1), made from the declarations and the types of the released columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from penstock import __version__
from penstock.serve.kind import kind_named
from penstock.serve.parameters import FURTHEST, choosers
from penstock.spec.endpoint import MOST_ROWS, USUAL_ROWS, Endpoint
from penstock.store.collection import Collection, Field
from penstock.store.manifest import Manifest
from penstock.store.protocol import Compare

Described = dict[str, Any]
FirstRow = Callable[[Endpoint], bytes | None]
"""The first row of an endpoint as JSON, or None where it has none."""
_COMPARED = {Compare.EQUAL: "equal to", Compare.AT_LEAST: "not below", Compare.AT_MOST: "not above"}
_MEANINGS = {
    404: "There is no such thing.",
    422: "A parameter is unknown, or not written as its type is.",
    503: "It cannot be answered now; `Retry-After` says when to ask again.",
}
_PROBLEM: Described = {
    "type": "object",
    "description": "What is wrong with a request (RFC 9457).",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["parameter", "detail"],
                "properties": {
                    name: {"type": "string"} for name in ("parameter", "detail", "expected", "found", "remedy")
                },
            },
        },
    },
}


def describe(manifest: Manifest, own: Mapping[str, Any], first: FirstRow) -> Described:
    """The whole description; `own` are paths and schemas of what the engine serves itself.

    Examples are what the declaration says, else the first row (nothing served is personal), else made up by type.
    """
    shown = {one.path: _example(one, manifest.collection(one), first(one)) for one in manifest.endpoints}
    components = own.get("components", {}).get("schemas", {})
    schemas: Described = {"problem": _PROBLEM, **components}
    paths: Described = {}
    for endpoint in manifest.endpoints:
        collection = manifest.collection(endpoint)
        schemas |= _schemas(endpoint, collection, manifest, shown[endpoint.path])
        paths |= _paths(endpoint, collection, manifest, shown)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": manifest.project,
            "version": __version__,
            "description": manifest.description or f"What {manifest.project} releases.",
        },
        "paths": {**paths, **own.get("paths", {})},
        "components": {"schemas": schemas},
    }


def paging(most: int = MOST_ROWS, usual: int = USUAL_ROWS) -> list[Described]:
    """The parameters of every list."""
    return [
        parameter(
            "skip", "How many rows to leave out.", {"type": "integer", "minimum": 0, "maximum": FURTHEST, "default": 0}
        ),
        parameter(
            "limit", "How many rows to give.", {"type": "integer", "minimum": 1, "maximum": most, "default": usual}
        ),
    ]


def parameter(name: str, description: str, schema: Described) -> Described:
    """An optional parameter of a query string."""
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def problems(*statuses: int) -> dict[int | str, Described]:
    """Answers that are problems."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/problem"}}}
    return {str(status): {"description": _MEANINGS[status], "content": content} for status in statuses}


def schema_name(endpoint: Endpoint) -> str:
    """The name of an endpoint's rows.

    >>> schema_name(Endpoint("/shelves/{id}/books", "books", "isbn", ("isbn",)))
    'shelves_books'
    """
    return "_".join(word.replace("-", "_") for word in endpoint.path.split("/") if word and word != "{id}")


def _schemas(
    endpoint: Endpoint, collection: Collection, manifest: Manifest, row: Described
) -> Iterator[tuple[str, Described]]:
    name = schema_name(endpoint)
    fields = [collection.field(column) for column in endpoint.columns]
    yield (
        name,
        {
            "type": "object",
            "description": endpoint.description,
            "required": list(endpoint.columns),
            "additionalProperties": False,
            "properties": {field.name: property_of(field, key=field.name == endpoint.key) for field in fields},
            "examples": [row],
        },
    )
    page = {
        "items": {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}},
        "total": {"type": "integer", "description": "How many rows there are on all pages."},
        "skip": {"type": "integer"},
        "limit": {"type": "integer"},
        "release": {"type": "integer", "description": "The release that the rows are of."},
    }
    example = {"items": [row], "total": 1, "skip": 0, "limit": 100, "release": manifest.release}
    yield (
        f"{name}_page",
        {
            "type": "object",
            "required": list(page),
            "additionalProperties": False,
            "properties": page,
            "examples": [example],
        },
    )


def property_of(field: Field, *, key: bool) -> Described:
    """The schema of a column's values; those of the key are never absent."""
    schema = dict(kind_named(field.kind).schema)
    described = {"description": field.description} if field.description else {}
    if key:
        return {**schema, **described}
    if field.kind == "number":  # what is not finite has no JSON number
        return {"anyOf": [schema, {"enum": ["nan", "inf", "-inf"]}, {"type": "null"}], **described}
    return {**schema, "type": [schema["type"], "null"], **described}


def _example(endpoint: Endpoint, collection: Collection, first: bytes | None) -> Described:
    declared = dict(endpoint.example)
    found = {} if first is None else json.loads(first)
    return {
        name: _shown(collection.field(name), declared[name])
        if name in declared
        else found.get(name, made_up(collection.field(name).kind))
        for name in endpoint.columns
    }


def made_up(kind: str) -> Any:
    """A value of a kind, for an example."""
    example = kind_named(kind).example
    return json.loads(format(example, "f")) if kind.startswith("decimal") else example


def _shown(field: Field, text: str | None) -> Any:
    bare = field.kind in ("integer", "number", "boolean") or field.kind.startswith("decimal")
    return None if text is None else json.loads(text) if bare else text


def _paths(
    endpoint: Endpoint, collection: Collection, manifest: Manifest, shown: Mapping[str, Described]
) -> Iterator[tuple[str, Described]]:
    row = shown[endpoint.path]
    name = schema_name(endpoint)
    tag = {"tags": [endpoint.path.split("/")[1]]}
    known = [
        _like(
            parameter(
                one.name, f"Rows whose {one.column} is {_COMPARED[one.compare]} the value.", dict(one.kind.schema)
            ),
            row.get(one.column),
        )
        for one in choosers(endpoint, collection)
    ]
    above = next((one for one in manifest.endpoints if one.path == endpoint.parent_path), None)
    id_above = [] if above is None else [_row(above, manifest.collection(above), shown)]
    yield (
        endpoint.path,
        {
            "get": {
                **tag,
                "operationId": f"list_{name}",
                "summary": endpoint.description.split("\n")[0] or f"List {name.replace('_', ' ')}",
                "description": f"Sorted by {', '.join(collection.order)}.",
                "parameters": [*id_above, *paging(endpoint.limit, endpoint.usual_limit), *known],
                "responses": _answers(f"{name}_page", *((422, 503) if above is None else (404, 422, 503))),
            }
        },
    )
    if endpoint.document_path is not None:
        yield (
            endpoint.document_path,
            {
                "get": {
                    **tag,
                    "operationId": f"get_{name}",
                    "summary": f"One row by its {endpoint.key}",
                    "parameters": [_row(endpoint, collection, shown)],
                    "responses": _answers(name, 404, 422, 503),
                }
            },
        )


def _answers(schema: str, *statuses: int) -> dict[int | str, Described]:
    return {
        "200": {
            "description": "Found.",
            "headers": {
                "ETag": {"description": "Changes with every release.", "schema": {"type": "string"}},
                "Penstock-Release": {"description": "The release answered from.", "schema": {"type": "integer"}},
            },
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
        },
        "304": {"description": "What `If-None-Match` names is still right."},
        **problems(*statuses),
    }


def _row(endpoint: Endpoint, collection: Collection, shown: Mapping[str, Described]) -> Described:
    schema = dict(kind_named(collection.field(endpoint.key).kind).schema)
    described = {"name": "id", "in": "path", "required": True, "description": f"The {endpoint.key}.", "schema": schema}
    return _like(described, shown[endpoint.path].get(endpoint.key))


def _like(described: Described, example: Any) -> Described:
    return described if example is None else {**described, "example": example}
