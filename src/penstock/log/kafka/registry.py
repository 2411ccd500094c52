"""A client of a schema registry that speaks Confluent's REST interface: subjects, schemas and their numbers."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from penstock.log.protocol import LogError, LogStorageError

_ACCEPT = "application/vnd.schemaregistry.v1+json"
_PATIENCE = 10.0  # seconds


@dataclass
class SchemaRegistry:
    """`url` may hold a user and a password. Answers are remembered: a number never changes its schema."""

    url: str
    _schemas: dict[int, str] = field(default_factory=dict)
    _numbers: dict[tuple[str, str], int] = field(default_factory=dict)

    def register(self, subject: str, schema: str) -> int:
        """The number of a schema under a subject; LogError when the registry finds it incompatible."""
        if (subject, schema) not in self._numbers:
            path = f"/subjects/{urllib.parse.quote(subject, safe='')}/versions"
            self._numbers[subject, schema] = int(self._ask(path, {"schema": schema})["id"])
        return self._numbers[subject, schema]

    def schema(self, number: int) -> str | None:
        """None when the registry knows no such number."""
        if number not in self._schemas:
            try:
                self._schemas[number] = str(self._ask(f"/schemas/ids/{number}")["schema"])
            except _Unknown:
                return None
        return self._schemas[number]

    def _ask(self, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
        parsed = urllib.parse.urlsplit(self.url)
        address = parsed._replace(netloc=parsed.netloc.rpartition("@")[2]).geturl().rstrip("/")
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{address}{path}", data, {"Accept": _ACCEPT, "Content-Type": _ACCEPT})
        if parsed.username is not None:
            secret = f"{urllib.parse.unquote(parsed.username)}:{urllib.parse.unquote(parsed.password or '')}"
            request.add_header("Authorization", f"Basic {base64.b64encode(secret.encode()).decode()}")
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error, address, path) from error
        except (OSError, ValueError) as error:
            raise LogStorageError("The schema registry does not answer", where=address, found=str(error)) from error


class _Unknown(LogError):
    """The registry has no such thing."""


def _refusal(error: urllib.error.HTTPError, address: str, path: str) -> LogError | LogStorageError:
    if error.code == 404:
        return _Unknown("The schema registry does not know this", where=address, found=path)
    if error.code >= 500 or error.code == 429:
        return LogStorageError("The schema registry does not answer", where=address, found=str(error))
    try:
        message = str(json.load(error).get("message", ""))
    except (OSError, ValueError):
        message = ""
    return LogError("The schema registry refused", where=f"{address}{path}", found=f"{error.code} {message}".strip())
