"""Rows that follow one another as one file that never changes once it is finished.

A page is a run of documents however far it lies. Conditions are held against the ranks of all rows, which takes some
millionths of a second for ten thousand of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from penstock.errors import StorageError
from penstock.store.collection import Collection
from penstock.store.layout import Digests, Documents, Rows, indexed, read_rows, scalars, unfinished
from penstock.store.protocol import Condition, Row, Stored
from penstock.store.ranked import Texts, Which, ranked

_TOTALS = 4096  # remembered numbers of rows


def write_rows(path: Path, collection: Collection, batches: Iterable[Sequence[Row]], digests: Digests | None) -> int:
    """Write a new file; the number of rows."""
    keys: list[str] = []
    lengths: list[int] = []
    columns: list[list[Stored]] = [[] for _ in collection.indexed]
    with unfinished(path) as file:
        documents = Documents(file)
        for batch in batches:
            texts = [str(row[1]).encode() for row in batch]
            documents.add(texts)
            keys += (key_of(row, collection) for row in batch)
            lengths += map(len, texts)
            for place, column in enumerate(columns, start=2):
                column += (row[place] for row in batch)
        texts_of_keys = pa.array(keys, pa.string())
        hashes, rows = indexed(texts_of_keys)
        ends = np.cumsum(lengths, dtype=np.int64)
        told = Rows(texts_of_keys, hashes, rows, ends, digests, [ranked(column) for column in columns])
        require_different_keys(told, collection)
        documents.finish(told)
    return len(told)


def key_of(row: Row, collection: Collection) -> str:
    if row[0] is None:
        raise _no_key(collection)
    return str(row[0])


def require_different_keys(rows: Rows, collection: Collection) -> None:
    """StorageError when a key stands twice: equal keys have equal hashes, so these stand together."""
    for place in np.flatnonzero(rows.hashes[1:] == rows.hashes[:-1]).tolist():
        same = np.flatnonzero(rows.hashes == rows.hashes[place])
        keys = rows.keys.take(rows.rows[same]).to_pylist()
        if len(set(keys)) < len(keys):
            raise _no_key(collection)


def _no_key(collection: Collection) -> StorageError:
    return StorageError(
        f"The key `{collection.key}` of gold.{collection.table} is absent or stands twice, so rows cannot be served",
        remedy="Name a key that is unique, and test it in the model (`unique`, `not_null`).",
    )


def fault(path: Path, rows: int) -> str | None:
    """What is wrong with a file, read as a whole: missing, damaged, or of another number of rows."""
    try:
        found, _ = read_rows(path, checked=True)
    except FileNotFoundError:
        return f"{path} is missing"
    except StorageError as error:
        return f"{path} is damaged: {error.found}"
    hashes, places = indexed(found.keys)
    if not np.array_equal(hashes, found.hashes) or not np.array_equal(places, found.rows):
        return f"{path} is damaged: keys do not tell where they stand"
    return None if len(found) == rows else f"{path} holds {len(found):,} rows, not {rows:,}"


class RowFile:
    """A finished file, open for reading by any thread."""

    def __init__(self, path: Path, collection: Collection, rows: int) -> None:
        self._collection = collection
        told, self._documents = read_rows(path)
        self._columns = told.columns
        self._ends = told.ends
        self._hashes, self._rows = scalars(told.hashes), scalars(told.rows)
        self._keys = Texts(told.keys)
        self._totals: dict[str, int] = {"": rows}

    def document(self, key: bytes, hashed: int) -> bytes | None:
        place = bisect_left(self._hashes, hashed)
        while place < len(self._hashes) and self._hashes[place] == hashed:
            row = self._rows[place]
            if self._keys[row] == key:
                return self._run(row, row + 1)[0]
            place += 1
        return None

    def page(self, conditions: Sequence[Condition], *, skip: int, limit: int) -> list[bytes]:
        if not conditions:
            return self._run(skip, min(skip + limit, len(self._ends)))
        chosen = self._chosen(conditions)
        rows = [] if chosen is None else np.flatnonzero(chosen)[skip : skip + limit].tolist()
        return [self._run(row, row + 1)[0] for row in rows]

    def total(self, asked: str) -> int | None:
        """How many rows meet conditions, where that was counted before; `asked` stands for them, and is empty for none."""
        return self._totals.get(asked)

    def count(self, conditions: Sequence[Condition], asked: str) -> int:
        chosen = self._chosen(conditions)
        total = 0 if chosen is None else int(np.count_nonzero(chosen))
        if len(self._totals) >= _TOTALS:
            self._totals = {"": self._totals[""]}
        self._totals[asked] = total
        return total

    def to_compare(self, conditions: Sequence[Condition]) -> int:
        """How many ranks have to be looked at to count the rows that meet conditions."""
        return len(self._ends) * len(conditions)

    def _chosen(self, conditions: Sequence[Condition]) -> Which | None:
        """Which rows meet all conditions; None where none does."""
        met = []
        for one in conditions:
            chosen = self._columns[self._collection.place_of(one.column)].chosen(one)
            if chosen is None:
                return None
            met.append(chosen)
        return reduce(np.logical_and, met)

    def _run(self, first: int, after: int) -> list[bytes]:
        """The documents of rows that follow one another."""
        return list(self._cut(first, after)) if first < after else []

    def _cut(self, first: int, after: int) -> Iterator[bytes]:
        begin = 0 if first == 0 else int(self._ends[first - 1])
        for one, other in pairwise([begin, *self._ends[first:after].tolist()]):
            yield self._documents[one:other].tobytes()
