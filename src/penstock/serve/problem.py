"""What is wrong with a request, as RFC 9457 has it (application/problem+json)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """An answer that is not the one asked for. `errors` name the parameters that were refused: each with
    `parameter`, `detail` and, where there are some, `expected`, `found` and `remedy`."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    def response(self, path: str) -> Response:
        """The problem as an answer to a request for `path`; nobody may keep it."""
        value: dict[str, object] = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
            "instance": path,
        }
        if self.errors:
            value["errors"] = [dict(error) for error in self.errors]
        return Response(
            json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"),
            status_code=self.status.value,
            media_type=MEDIA_TYPE,
            headers={"Cache-Control": "no-store", **self.headers},
        )


def not_found(detail: str, remedy: str | None = None) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, detail if remedy is None else f"{detail} {remedy}")


def refused(errors: Sequence[Mapping[str, str]]) -> Problem:
    """Parameters that mean nothing here; the detail tells of all of them."""
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, " ".join(error["detail"] for error in errors), errors=errors)


def error(parameter: str, detail: str, **facts: str | None) -> dict[str, str]:
    """One refused parameter."""
    return {
        "parameter": parameter,
        "detail": detail,
        **{name: fact for name, fact in facts.items() if fact is not None},
    }
