"""The landing document of the API: what is served, so that whoever has only the address finds the rest."""

from __future__ import annotations

import json
from collections.abc import Callable

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from penstock.serve.caching import answer_by_content
from penstock.serve.openapi import Described, problems
from penstock.serve.parameters import nothing
from penstock.serve.site import Current, Site

DESCRIPTION = "/openapi.json"
_EXAMPLE: Described = {
    "project": "library",
    "description": "Books and who borrows them.",
    "release": 7,
    "committed_at": "2024-05-01T06:00:00Z",
    "openapi": DESCRIPTION,
    "paths": [{"path": "/books", "summary": "Every book"}, {"path": "/health", "summary": "Whether it answers"}],
}


class ServedPath(BaseModel):
    """One path that can be asked, and what for."""

    path: str
    summary: str


class Landing(BaseModel):
    """What is served here, and from which release."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    project: str
    description: str
    release: int = Field(description="0 where nothing was released.")
    committed_at: str | None
    openapi: str = Field(description="Where the description of every path is, with parameters and types.")
    paths: list[ServedPath]


def landing_routes(current: Current, described: Callable[[Site], Described]) -> APIRouter:
    """`/`; `described` gives the OpenAPI description of a site."""
    router = APIRouter(tags=["engine"])

    @router.get(
        "/", response_model=Landing, responses=problems(422), operation_id="landing", summary="What is served here"
    )
    async def landing(request: Request) -> Response:
        nothing(request.scope["query_string"])
        site = current.site()
        body = json.dumps(_landing(site, described(site)), ensure_ascii=False).encode()
        return answer_by_content(request, body, site.manifest.release)

    return router


def _landing(site: Site, described: Described) -> Described:
    manifest = site.manifest
    paths = [
        ServedPath(path=path, summary=methods["get"]["summary"]) for path, methods in sorted(described["paths"].items())
    ]
    return Landing(
        project=manifest.project,
        description=described["info"]["description"],
        release=manifest.release,
        committed_at=manifest.committed_at,
        openapi=DESCRIPTION,
        paths=paths,
    ).model_dump()
