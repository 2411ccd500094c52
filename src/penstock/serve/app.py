"""The application: declared endpoints, what the engine serves itself, and what surrounds every answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from penstock import __version__
from penstock.errors import PenstockError
from penstock.serve.caching import answer, answer_by_content, is_known, not_modified
from penstock.serve.engine import engine_routes
from penstock.serve.head import HeadWithoutBody
from penstock.serve.landing import DESCRIPTION, landing_routes
from penstock.serve.openapi import Described, describe
from penstock.serve.parameters import nothing
from penstock.serve.problem import Problem, not_found
from penstock.serve.site import Current, Site
from penstock.serve.traffic import set_template
from penstock.store.protocol import TakesLong

_EXPOSED = ("ETag", "Penstock-Release")


def make_app(
    current: Current,
    root: Path,
    *,
    cors: Sequence[str] = (),
    routers: Sequence[APIRouter] = (),
    around: Sequence[Middleware] = (),
) -> FastAPI:
    """The API over what `current` serves; `root` is the data directory, for the list of releases.

    `routers` are served before the declared endpoints, under words that declarations may not begin with; `around` are
    asked of every request before CORS.
    """
    app = FastAPI(
        title="Penstock",
        version=__version__,
        openapi_url=None,
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        middleware=[Middleware(HeadWithoutBody), *around, *_cors(cors)],
        exception_handlers={Problem: _problem, HTTPException: _http, PenstockError: _failed, Exception: _crashed},
    )

    def whole(site: Site) -> Described:
        return describe(site.manifest, described, site.first)

    own = [landing_routes(current, whole), engine_routes(current, root), *routers]
    for router in own:
        app.include_router(router)
    described = get_openapi(title="", version="", routes=[route for router in own for route in router.routes])

    async def openapi(request: Request) -> Response:
        set_template(request.scope, DESCRIPTION)
        site = current.site()
        nothing(request.scope["query_string"])
        body = json.dumps(whole(site), ensure_ascii=False).encode()
        return answer_by_content(request, body, site.manifest.release)

    async def declared(request: Request) -> Response:
        return await _declared(request, current.site())

    app.add_route(DESCRIPTION, openapi, methods=["GET"], include_in_schema=False)
    app.add_route("/{path:path}", declared, methods=["GET"], include_in_schema=False)
    return app


async def _declared(request: Request, site: Site) -> Response:
    """What takes a moment is answered here and now, and only the rest in a thread: that costs more than most answers."""
    path = _path(request)
    match = site.routes.find(path)
    if match is None:
        raise not_found(f"There is nothing at {path}.", site.routes.suggestion(path))
    set_template(request.scope, match.template)
    query = request.scope["query_string"]
    if match.row is not None and match.above is None:
        nothing(query)
        return _answer(request, site, site.document(match))
    chosen = site.below(match, site.selection(match, query))
    if is_known(request, site.headers):
        return not_modified(site.headers)
    try:
        return _answer(request, site, site.page(match, chosen, at_once=True))
    except TakesLong:
        return _answer(request, site, await run_in_threadpool(site.page, match, chosen))


def _answer(request: Request, site: Site, body: bytes) -> Response:
    return answer(request, body, site.headers)


def _path(request: Request) -> str:
    """The path as it was sent, percent signs included."""
    raw: bytes | None = request.scope.get("raw_path")
    if raw:
        return raw.decode("latin-1").partition("?")[0]
    return quote(request.scope["path"])


def _cors(origins: Sequence[str]) -> list[Middleware]:
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "HEAD"],
            allow_headers=["If-None-Match"],
            expose_headers=list(_EXPOSED),
        )
    ]


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response(_path(request))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    detail = "Only GET, HEAD and OPTIONS are answered." if status is HTTPStatus.METHOD_NOT_ALLOWED else error.detail
    return Problem(status, detail, headers=error.headers).response(_path(request))


async def _failed(request: Request, error: Exception) -> Response:
    """The store cannot be read now; where it lies is nobody's business."""
    assert isinstance(error, PenstockError)
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"{error.what}.", headers={"Retry-After": "1"}).response(
        _path(request)
    )


async def _crashed(request: Request, _: Exception) -> Response:
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong; it was logged.").response(_path(request))
