"""What a worker process was asked: how many requests of each route, how they ended, and how long they took."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from penstock.serve.histogram import Histogram

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
OTHER = "other"  # route of what nothing answers
_TEMPLATE = "penstock.template"
_CLASSES = 6  # of statuses: the hundreds


def set_template(scope: Scope, template: str) -> None:
    """Say which route a request was of, where the application's own routes do not say so."""
    scope[_TEMPLATE] = template


@dataclass
class RouteTraffic:
    """`statuses` counts by the hundreds of the status."""

    statuses: list[int] = field(default_factory=lambda: [0] * _CLASSES)
    seconds: Histogram = field(default_factory=lambda: Histogram(SECONDS))


@dataclass
class Traffic:
    """Counts of one worker since it was started; `open` requests are under way."""

    routes: dict[str, RouteTraffic] = field(default_factory=dict)
    open: int = 0

    def count(self, route: str, status: int, seconds: float) -> None:
        one = self.routes.get(route)
        if one is None:
            one = self.routes[route] = RouteTraffic()
        one.statuses[status // 100] += 1
        one.seconds.observe(seconds)

    def as_record(self) -> dict[str, Any]:
        return {
            "open": self.open,
            "routes": {
                name: {"statuses": one.statuses, "counts": one.seconds.counts, "total": one.seconds.total}
                for name, one in list(self.routes.items())  # a request may come in between
            },
        }

    def add(self, record: Mapping[str, Any]) -> None:
        """What another worker has counted, as its record says."""
        self.open += record["open"]
        for name, told in record["routes"].items():
            one = self.routes.setdefault(name, RouteTraffic())
            one.statuses = [mine + theirs for mine, theirs in zip(one.statuses, told["statuses"], strict=True)]
            one.seconds.add(told["counts"], told["total"])


class Counting:
    """Counts every request in `traffic`; one that is a defect counts as 500. It costs a few microseconds."""

    def __init__(self, app: ASGIApp, traffic: Traffic, monotonic: Callable[[], float]) -> None:
        self.app, self.traffic, self.monotonic = app, traffic, monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        traffic, began = self.traffic, self.monotonic()
        traffic.open += 1
        try:
            await self.app(scope, receive, noting)
        finally:
            traffic.open -= 1
            traffic.count(_route(scope), status, self.monotonic() - began)


def _route(scope: Scope) -> str:
    """As it is declared, never as it was asked: there are few of those."""
    template = scope.get(_TEMPLATE)
    if template is None:
        template = getattr(scope.get("route"), "path", None)
    return OTHER if template is None else str(template)
