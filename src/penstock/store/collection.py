"""What is stored: the rows of one table as documents, under one key, in one order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

from penstock.spec.endpoint import Endpoint


@dataclass(frozen=True)
class Field:
    """A column of a collection: what kind of value it holds (the server's word) and what it means."""

    name: str
    kind: str
    description: str = ""


@dataclass(frozen=True)
class Part:
    """Rows of a collection that follow one another, in a file of their own. Equal versions hold equal rows; the next
    release's with an equal `place` may be made from them."""

    version: str
    rows: int
    file: str
    place: str = ""


@dataclass(frozen=True)
class Collection:
    """Rows of one gold table. Endpoints that show the same columns in the same order share one.

    `columns` make up the documents, `indexed` are the columns that rows are chosen by. `order` is complete: it
    ends with the key. `version` says which rows these are, as of a part.
    """

    name: str
    table: str
    key: str
    columns: tuple[str, ...]
    order: tuple[str, ...]  # `column` or `column desc`
    indexed: tuple[str, ...]
    fields: tuple[Field, ...] = ()
    version: str = ""
    parts: tuple[Part, ...] = ()  # in the order of the rows

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    def field(self, name: str) -> Field:
        """The column of that name, of all that the collection uses."""
        return next(field for field in self.fields if field.name == name)

    def place_of(self, name: str) -> int:
        return self.indexed.index(name)


def collections(endpoints: Iterable[Endpoint]) -> tuple[Collection, ...]:
    """The collections that endpoints are answered from, each once; without fields and rows.

    >>> books = Endpoint("/books", "books", "isbn", ("isbn", "title"), filters=("title",))
    >>> below = Endpoint("/shelves/{id}/books", "books", "isbn", ("isbn", "title"), parent="shelf")
    >>> [(one.table, one.indexed) for one in collections([books, below])]
    [('books', ('title', 'shelf'))]
    """
    found: dict[str, Collection] = {}
    for endpoint in endpoints:
        made = _collection(endpoint)
        known = found.setdefault(made.name, made)
        found[made.name] = replace(known, indexed=tuple(dict.fromkeys((*known.indexed, *made.indexed))))
    return tuple(found.values())


def collection_name(endpoint: Endpoint) -> str:
    """The collection that answers an endpoint: the table with a digest of what decides documents and their order."""
    meaning = json.dumps([endpoint.table, endpoint.key, endpoint.columns, _order(endpoint)])
    return f"{endpoint.table}-{sha256(meaning.encode()).hexdigest()[:12]}"


def version_of(collection: Collection, content: int | str) -> str:
    """Which rows a collection holds, or a part of it, by what they are made from: a snapshot, or a digest of them."""
    fields = [[field.name, field.kind] for field in collection.fields]
    meaning = json.dumps([collection.name, collection.indexed, fields, content])
    return sha256(meaning.encode()).hexdigest()[:32]


def _collection(endpoint: Endpoint) -> Collection:
    return Collection(
        name=collection_name(endpoint),
        table=endpoint.table,
        key=endpoint.key,
        columns=endpoint.columns,
        order=_order(endpoint),
        indexed=tuple(dict.fromkeys(_indexed(endpoint))),
    )


def _order(endpoint: Endpoint) -> tuple[str, ...]:
    declared = tuple(map(str, endpoint.order))
    return declared if endpoint.key in {one.column for one in endpoint.order} else (*declared, endpoint.key)


def _indexed(endpoint: Endpoint) -> Iterator[str]:
    yield from endpoint.filters
    yield from endpoint.ranges
    if endpoint.parent is not None:
        yield endpoint.parent
