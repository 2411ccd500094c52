"""From a path to the endpoint that is meant, and the row named in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from penstock.spec.endpoint import PARENT, Endpoint
from penstock.spec.problems import did_you_mean


@dataclass(frozen=True)
class Match:
    """What a path means: a list (no `row`), a document (`row` of `endpoint` itself) or a list below another
    endpoint (`row` of `above`)."""

    endpoint: Endpoint
    row: str | None = None
    above: Endpoint | None = None

    @property
    def template(self) -> str:
        """The path as it is declared, whatever row is meant.

        >>> Match(Endpoint("/books", "books", "isbn", ("isbn",)), "1").template
        '/books/{id}'
        """
        of_row = self.row is not None and self.above is None
        return (self.endpoint.document_path if of_row else None) or self.endpoint.path


class Routes:
    """All declared paths."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._by_path = {endpoint.path: endpoint for endpoint in endpoints}

    def find(self, path: str) -> Match | None:
        """The meaning of a path as it was sent, percent signs included; a key may so contain a slash.

        >>> books = Endpoint("/books", "books", "isbn", ("isbn",))
        >>> Routes([books]).find("/books/a%2Fb").row
        'a/b'
        """
        exact = self._by_path.get(path)
        if exact is not None:
            return Match(exact) if exact.parent_path is None else None
        front, _, last = path.rpartition("/")
        if not last:
            return None
        document = self._by_path.get(front)
        if document is not None and document.document_path is not None:
            return _match(last, document, None)
        front, _, row = front.rpartition("/")
        below = self._by_path.get(f"{front}{PARENT}{last}")
        return None if below is None or not row else _match(row, below, self._by_path[front])

    def suggestion(self, path: str) -> str | None:
        """The declared path that comes near."""
        return did_you_mean(path.rstrip("/") or "/", self._by_path)


def _match(row: str, endpoint: Endpoint, above: Endpoint | None) -> Match | None:
    try:
        return Match(endpoint, unquote_to_bytes(row).decode("utf-8"), above)
    except UnicodeDecodeError:
        return None
