"""Requests to an application in this process, without a network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import unquote, urlencode


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body; numbers with a point are decimals."""
        return json.loads(self.body, parse_float=Decimal)


@dataclass(frozen=True)
class Client:
    """Sends requests to an ASGI application, each in a loop of its own."""

    app: Any

    def get(
        self,
        path: str,
        query: Mapping[str, object] | None = None,
        /,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        **named: object,
    ) -> Answer:
        """`query` and what is `named` are encoded; a query in `path` is sent as it stands."""
        path, _, given = path.partition("?")
        return asyncio.run(self._send(method, path, given or urlencode({**(query or {}), **named}), headers or {}))

    async def _send(self, method: str, path: str, query: str, headers: Mapping[str, str]) -> Answer:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(b"host", b"test"), *((k.lower().encode(), v.encode()) for k, v in headers.items())],
            "client": ("127.0.0.1", 1),
            "server": ("test", 80),
        }
        sent: list[Any] = []

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        start, *bodies = sent
        held = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], held, b"".join(message.get("body", b"") for message in bodies))
