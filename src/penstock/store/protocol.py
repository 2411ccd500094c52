"""What every keyed store can do. The conformance suite in the tests says it by example."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeAlias

from penstock.store.collection import Collection
from penstock.store.manifest import Manifest

Stored: TypeAlias = str | int | float | None  # a value that rows are chosen by; how it compares is how it is sorted
Row: TypeAlias = Sequence[Stored]  # key as text, document as JSON text, then the values of `indexed`


class Digested(Protocol):
    """The rows of a slice by their digests, without reading all of them."""

    def digests(self) -> array[int]:
        """Of each row in order a number of 64 bits that is another when the row is, or stands elsewhere."""

    def rows(self, digests: Sequence[int]) -> Iterable[Row]:
        """The rows of some digests, in order."""


@dataclass(frozen=True)
class Slice:
    """Rows that follow one another: in order, in batches, read when they are wanted. Equal versions of a collection
    hold equal rows, so that those of the former release need not be read; of a slice with the same `place`, which it
    has where its rows are `digested`, only those that came; and none where it is known that its rows `stayed`."""

    version: str
    rows: Callable[[], Iterable[Sequence[Row]]]
    place: str = ""
    digested: Digested | None = None
    stayed: bool = False


Rows: TypeAlias = Callable[[Collection], Iterable[Slice]]  # all rows of a collection, one slice after the other


class Compare(Enum):
    EQUAL = "="
    AT_LEAST = ">="
    AT_MOST = "<="


@dataclass(frozen=True)
class Condition:
    """One condition on an indexed column; an absent value meets none."""

    column: str
    compare: Compare
    value: str | int | float


class TakesLong(Exception):
    """The answer needs more than a moment: ask again where nobody waits for it."""


class View(Protocol):
    """One release as it was when the view was opened, whatever is refreshed meanwhile. May be used by several
    threads. Close it.

    With `at_once` an answer that would take more than about a millisecond is given up with TakesLong.
    """

    @property
    def manifest(self) -> Manifest: ...
    def document(self, collection: Collection, key: str) -> bytes | None:
        """The row of that key as JSON, or None."""

    def page(
        self, collection: Collection, conditions: Sequence[Condition], *, skip: int, limit: int, at_once: bool = False
    ) -> list[bytes]:
        """Rows that meet all conditions, in order: `limit` of them after the first `skip`."""

    def count(self, collection: Collection, conditions: Sequence[Condition], *, at_once: bool = False) -> int:
        """How many rows meet all conditions."""

    def close(self) -> None: ...


class Store(Protocol):
    """Where releases are served from."""

    def manifest(self) -> Manifest | None:
        """What is served now; None before the first refresh."""

    def exclusive(self) -> AbstractContextManager[None]:
        """Keeps other processes from refreshing; waits for its turn. Decide what to serve inside."""

    def refresh(self, wanted: Manifest, rows: Rows) -> Manifest:
        """Serve `wanted` from now on: all of it or, if anything fails, what was served before.

        Only collections whose version is not there yet are asked of `rows`, and only those slices are read that are
        not there. `parts` are filled in. Raises StorageError when the rows cannot be stored (no space, a key that is
        absent or stands twice in a slice; that none stands in two is the gate's to see).
        """

    def open(self) -> View:
        """A view of what is served now; StorageError when nothing is."""

    def signature(self) -> object:
        """Something cheap that differs after every refresh."""
