"""What the API serves of live tables: rows while they change, and the measures of the newest window."""

from __future__ import annotations

from dataclasses import dataclass, field

from penstock.spec.endpoint import MOST_ROWS, USUAL_ROWS, Ordering


@dataclass(frozen=True)
class LiveEndpoint:
    """Rows of the live table `table` at `path`; in `/x/{id}/y` the column `parent` holds what stands for `{id}`.

    Rows are sorted by `order`, then by the key of the table. `place` says where it is declared, and means nothing.
    """

    path: str
    table: str
    columns: tuple[str, ...]
    parent: str | None = None
    filters: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ()
    order: tuple[Ordering, ...] = ()
    limit: int = MOST_ROWS
    description: str = ""
    place: str = field(default="", compare=False)

    @property
    def usual_limit(self) -> int:
        return min(USUAL_ROWS, self.limit)

    @property
    def used(self) -> tuple[str, ...]:
        """Every column that is read, each once."""
        parent = () if self.parent is None else (self.parent,)
        return tuple(dict.fromkeys((*self.columns, *parent, *(one.column for one in self.order))))


@dataclass(frozen=True)
class LiveMeasure:
    """Measures of the rows of a live table with the greatest value of `time`, of those whose columns `where` have these
    values, told at `/metrics/live` under `name`."""

    name: str
    table: str
    columns: tuple[str, ...]
    time: str
    where: tuple[tuple[str, str], ...] = ()  # (column, value)
    description: str = ""
    place: str = field(default="", compare=False)

    @property
    def used(self) -> tuple[str, ...]:
        """Every column that is read, each once."""
        return tuple(dict.fromkeys((self.time, *(name for name, _ in self.where), *self.columns)))
