"""How the server and what runs beside it are doing, at `/metrics`, where the world looks for it."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from penstock.serve.parameters import nothing

PATH = "/metrics"
_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_EXAMPLE = 'penstock_topology_lag_rows{topology="payments_live"} 12.0\n'


def health_routes(tell: Callable[[], bytes]) -> APIRouter:
    """`/metrics` in the text format of Prometheus, made anew for every scrape. It needs no release."""
    router = APIRouter(tags=["engine"])

    @router.get(
        PATH,
        operation_id="prometheus",
        summary="How the data directory and its processes are doing, for Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"example": _EXAMPLE}}, "description": "Text format 0.0.4."}},
    )
    def metrics(request: Request) -> Response:
        nothing(request.scope["query_string"])
        return Response(tell(), media_type=_TEXT, headers={"Cache-Control": "no-store"})

    return router
