"""Answers that their callers may keep, and ask about before they use them again (RFC 9110)."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response


def kept(tag: str, release: int) -> dict[str, str]:
    """The headers of an answer that changes only with its tag."""
    return {"ETag": f'"{tag}"', "Cache-Control": "no-cache", "Penstock-Release": str(release)}


def answer(request: Request, body: bytes, headers: Mapping[str, str]) -> Response:
    """JSON, unless the caller has it already."""
    if is_known(request, headers):
        return not_modified(headers)
    return Response(body, media_type="application/json", headers=headers)


def answer_by_content(request: Request, body: bytes, release: int) -> Response:
    """JSON that can change without a release, so that its tag is made of what it says."""
    return answer(request, body, kept(sha256(body).hexdigest()[:16], release))


def is_known(request: Request, headers: Mapping[str, str]) -> bool:
    """Whether the caller has the answer of these headers (weak comparison, `*` is any)."""
    given = request.headers.get("if-none-match")
    if given is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in given.split(",")]
    return "*" in tags or headers["ETag"] in tags


def not_modified(headers: Mapping[str, str]) -> Response:
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=dict(headers))
