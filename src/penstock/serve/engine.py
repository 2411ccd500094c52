"""What the engine serves itself: its health, and the releases there were."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from penstock.release.record import Release, releases
from penstock.serve.kind import instant
from penstock.serve.openapi import paging, problems
from penstock.serve.parameters import nothing, selection
from penstock.serve.site import Current


class Health(BaseModel):
    """That it answers, and which release it answers from."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "ok",
                    "project": "library",
                    "release": 7,
                    "committed_at": "2024-05-01T06:00:00Z",
                    "endpoints": 3,
                }
            ]
        }
    )

    status: str
    project: str
    release: int = Field(description="0 where nothing was released.")
    committed_at: str | None
    endpoints: int


class OneRelease(BaseModel):
    """A release: when it was made, how many rows every gold table had, and which tables it changed."""

    number: int
    committed_at: str
    tables: dict[str, int]
    changed: list[str]
    readable: bool = Field(description="False when it expired.")


class Releases(BaseModel):
    """Releases, newest first."""

    items: list[OneRelease]
    total: int
    skip: int
    limit: int
    release: int = Field(description="The release that is served.")


def engine_routes(current: Current, root: Path) -> APIRouter:
    """`/health` and `/releases` of the data directory `root`."""
    router = APIRouter(tags=["engine"])

    @router.get("/health", responses=problems(422), operation_id="health", summary="Whether it answers")
    async def health(request: Request, response: Response) -> Health:
        nothing(request.scope["query_string"])
        manifest = current.site().manifest
        response.headers["Cache-Control"] = "no-store"
        return Health(
            status="ok",
            project=manifest.project,
            release=manifest.release,
            committed_at=manifest.committed_at,
            endpoints=len(manifest.endpoints),
        )

    @router.get(
        "/releases",
        responses=problems(422),
        operation_id="list_releases",
        summary="The releases, newest first",
        openapi_extra={"parameters": paging()},
    )
    def list_releases(request: Request, response: Response) -> Releases:
        chosen = selection(request.scope["query_string"])
        served = current.site().manifest.release
        known = [release for release in reversed(releases(root)) if release.number <= served]
        response.headers["Cache-Control"] = "no-cache"
        return Releases(
            items=[_shown(release) for release in known[chosen.skip : chosen.skip + chosen.limit]],
            total=len(known),
            skip=chosen.skip,
            limit=chosen.limit,
            release=served,
        )

    return router


def _shown(release: Release) -> OneRelease:
    return OneRelease(
        number=release.number,
        committed_at=instant(release.committed_at),
        tables={name: table.rows for name, table in release.gold.items()},
        changed=list(release.changed),
        readable=release.expired_at is None,
    )
