"""A shelf of books to store, and a plain store in memory that says what every store must answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import Any

from penstock.errors import StorageError
from penstock.spec.endpoint import Endpoint
from penstock.store.collection import Collection, Field, Part, collections, version_of
from penstock.store.manifest import Manifest
from penstock.store.protocol import Compare, Condition, Row, Rows, Slice

BOOKS = Endpoint("/books", "books", "isbn", ("isbn", "shelf", "pages"), filters=("shelf",), ranges=("pages",))
Book = tuple[str, str | None, int | None]  # isbn, shelf, pages


def document(book: Book) -> str:
    return f'{{"isbn":"{book[0]}"}}'


def manifest(release: int = 1, *, snapshot: int | None = None, endpoints: tuple[Endpoint, ...] = (BOOKS,)) -> Manifest:
    """What a release wants served; its rows are those of the snapshot (the release's own when not given)."""
    fields = (Field("isbn", "text"), Field("shelf", "text"), Field("pages", "integer"))
    wanted = [replace(one, fields=fields) for one in collections(endpoints)]
    versioned = [replace(one, version=version_of(one, release if snapshot is None else snapshot)) for one in wanted]
    return Manifest("library", "", release, f"2024-01-{release:02}T00:00:00Z", endpoints, tuple(versioned))


def rows(books: Iterable[Book], *, cuts: Iterable[int] = ()) -> Rows:
    """The books as the rows of any collection, in two batches; cut into slices at some places, versions by content."""
    held: list[Row] = [(book[0], document(book), book[1], book[2]) for book in books]
    places = [0, *sorted(cuts), len(held)]

    def of(collection: Collection) -> Iterator[Slice]:
        assert collection.indexed == ("shelf", "pages")
        for first, last in pairwise(places):
            part = held[first:last]
            yield Slice(repr(part), partial(iter, [part[:3], part[3:]]))

    return of


def no_rows(collection: Collection) -> Iterable[Slice]:
    raise AssertionError(f"nobody should ask for the rows of {collection.name}")


@dataclass
class MemoryView:
    manifest: Manifest
    stored: dict[str, list[Row]]

    def document(self, collection: Collection, key: str) -> bytes | None:
        return next((_bytes(row) for row in self.stored[collection.version] if row[0] == key), None)

    def page(
        self, collection: Collection, conditions: Sequence[Condition], *, skip: int, limit: int, at_once: bool = False
    ) -> list[bytes]:
        return [_bytes(row) for row in self._chosen(collection, conditions)[skip : skip + limit]]

    def count(self, collection: Collection, conditions: Sequence[Condition], *, at_once: bool = False) -> int:
        return len(self._chosen(collection, conditions))

    def close(self) -> None:
        return

    def _chosen(self, collection: Collection, conditions: Sequence[Condition]) -> list[Row]:
        return [
            row
            for row in self.stored[collection.version]
            if all(meets(row[2 + collection.place_of(one.column)], one) for one in conditions)
        ]


@dataclass
class MemoryStore:
    """All rows in lists."""

    served: Manifest | None = None
    stored: dict[str, list[Row]] = field(default_factory=dict)
    refreshed: int = 0

    def manifest(self) -> Manifest | None:
        return self.served

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        yield

    def refresh(self, wanted: Manifest, rows: Rows) -> Manifest:
        stored = {
            one.version: self.stored.get(one.version)
            or [row for part in rows(one) for batch in part.rows() for row in batch]
            for one in wanted.collections
        }
        for held in stored.values():
            keys = [row[0] for row in held]
            if None in keys or len(set(keys)) != len(keys):
                raise StorageError("A key is absent or stands twice")
        filled = [replace(one, parts=(Part("", len(stored[one.version]), ""),)) for one in wanted.collections]
        self.served, self.stored = replace(wanted, collections=tuple(filled)), stored
        self.refreshed += 1
        return self.served

    def open(self) -> MemoryView:
        if self.served is None:
            raise StorageError("Nothing is served")
        return MemoryView(self.served, self.stored)

    def signature(self) -> object:
        return self.refreshed


def _bytes(row: Row) -> bytes:
    return str(row[1]).encode()


def meets(value: Any, condition: Condition) -> bool:
    if value is None:
        return False
    if condition.compare is Compare.EQUAL:
        return bool(value == condition.value)
    return bool(value >= condition.value if condition.compare is Compare.AT_LEAST else value <= condition.value)
