"""What an endpoint of the API serves: rows of one gold table, as a list, as documents, or below another endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

PARENT = "/{id}/"
MOST_ROWS = 1000  # of one page
USUAL_ROWS = 100  # of a page when the caller does not say


@dataclass(frozen=True)
class Ordering:
    """One column that rows are sorted by; rows without a value come last either way."""

    column: str
    descending: bool = False

    def __str__(self) -> str:
        return f"{self.column} desc" if self.descending else self.column


@dataclass(frozen=True)
class Endpoint:
    """One endpoint as declared. `/x` is a list and `/x/{id}` its documents by `key`; `/x/{id}/y` is a list of the
    rows whose column `parent` holds the key of `/x`.

    Rows are sorted by `order`, then by the key, so that no two runs and no two pages disagree. `filters` are
    compared by value, `ranges` by inclusive bounds. `example` holds values as written. `places` says where what
    stands in the declaration (`/key`, `/table`, `/parent`, `/example`, `/path`, or the name of a column), and means nothing.
    """

    path: str
    table: str  # of gold
    key: str
    columns: tuple[str, ...]
    filters: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ()
    order: tuple[Ordering, ...] = ()
    parent: str | None = None
    limit: int = MOST_ROWS
    description: str = ""
    example: tuple[tuple[str, str | None], ...] = ()
    fingerprint: str = ""
    places: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), compare=False)

    @property
    def parent_path(self) -> str | None:
        """The path of the endpoint above.

        >>> Endpoint("/shelves/{id}/books", "books", "isbn", ("isbn",), parent="shelf").parent_path
        '/shelves'
        """
        above, found, _ = self.path.partition(PARENT)
        return above if found else None

    @property
    def document_path(self) -> str | None:
        """The path of a single row; None below another endpoint."""
        return None if self.parent_path is not None else f"{self.path}/{{id}}"

    @property
    def usual_limit(self) -> int:
        return min(USUAL_ROWS, self.limit)

    @property
    def used(self) -> tuple[str, ...]:
        """Every column that the endpoint reads, each once."""
        parent = () if self.parent is None else (self.parent,)
        ordered = tuple(one.column for one in self.order)
        return tuple(dict.fromkeys((*self.columns, *parent, *ordered)))
