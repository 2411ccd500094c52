"""A file of rows made from a former one of which few rows are others: what stayed is copied, what came is put between.

A file may tell a digest of each of its rows: what two files have both of are rows that stayed, for a digest is another
when a row stands elsewhere among the others. Nothing of the rows that went is in the new file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.errors import StorageError
from penstock.store.collection import Collection
from penstock.store.layout import Digests, Documents, Rows, hash_of, read_rows, unfinished
from penstock.store.protocol import Digested, Row
from penstock.store.ranked import Places, Which, merged
from penstock.store.row_file import key_of, require_different_keys

_GONE = 2  # one row in so many; where more of them went, all are asked for
_STAYED = 4  # one row in so many; where fewer of them stayed, all are asked for


@dataclass(frozen=True)
class _Patch:
    """What becomes of a file: `source` tells for each row its place in the former file, or after all of these in what
    came."""

    source: Places
    came: Places


def digests_of(digested: Digested) -> Digests:
    return np.frombuffer(digested.digests(), np.uint64)


def patch_rows(former: Path, path: Path, collection: Collection, digested: Digested, digests: Digests) -> int | None:
    """Make the file `path` from a former one of the same place; the number of rows. None, and nothing is written,
    when many rows came or went, or the former file is damaged."""
    try:
        before, documents = read_rows(former, checked=True)
    except (FileNotFoundError, StorageError):
        return None
    patch = None if before.digests is None else _patch(before.digests, digests)
    if patch is None:
        return None
    rows = list(digested.rows(digests[patch.came].tolist())) if len(patch.came) else []
    if len(rows) != len(patch.came):
        return None
    texts = [str(row[1]).encode() for row in rows]
    after = _after(before, patch.source, rows, texts, collection, digests)
    require_different_keys(after, collection)
    with unfinished(path) as file:
        written = Documents(file)
        written.add(_documents(before.ends, documents, texts, patch.source))
        written.finish(after)
    return len(after)


def _patch(before: Digests, after: Digests) -> _Patch | None:
    """What makes one file of another; None where it would be most of the work, or rows that stayed do not tell their
    order."""
    stayed, stay = _both_have(before, after)
    came, gone = np.flatnonzero(~stay), int(np.count_nonzero(~stayed))
    if gone * _GONE >= len(after) or (len(after) - len(came)) * _STAYED < len(after):
        return None
    if not np.array_equal(before[stayed], after[stay]):
        return None
    source = np.empty(len(after), np.int64)
    source[stay] = np.flatnonzero(stayed)
    source[came] = len(before) + np.arange(len(came))
    return _Patch(source, came)


def _both_have(before: Digests, after: Digests) -> tuple[Which, Which]:
    """Which of each are in the other. Those that stand in the same place need not be looked for."""
    both = min(len(before), len(after))
    stayed, stay = np.zeros(len(before), np.bool_), np.zeros(len(after), np.bool_)
    stayed[:both] = stay[:both] = before[:both] == after[:both]
    sought, others = np.flatnonzero(~stay), np.flatnonzero(~stayed)
    others = others[np.argsort(before[others])]
    if len(others):
        places = np.minimum(np.searchsorted(before[others], after[sought]), len(others) - 1)
        found = before[others[places]] == after[sought]
        stay[sought[found]] = stayed[others[places[found]]] = True
    return stayed, stay


def _after(
    before: Rows, source: Places, came: Sequence[Row], texts: Sequence[bytes], collection: Collection, digests: Digests
) -> Rows:
    """What is told of the rows of a file that is made from another."""
    names = [key_of(row, collection) for row in came]
    hashes = np.empty(len(before) + len(came), np.uint32)
    hashes[before.rows] = before.hashes
    hashes[len(before) :] = [hash_of(name) for name in names]
    hashes = hashes[source]
    rows = np.argsort(hashes, kind="stable").astype(np.uint32)
    lengths = np.concatenate([np.diff(before.ends, prepend=0), np.fromiter(map(len, texts), np.int64, len(texts))])
    return Rows(
        keys=pa.concat_arrays([before.keys, pa.array(names, pa.string())]).take(source),
        hashes=hashes[rows],
        rows=rows,
        ends=np.cumsum(lengths[source]),
        digests=digests,
        columns=[
            merged(column, [row[place] for row in came], source) for place, column in enumerate(before.columns, start=2)
        ],
    )


def _documents(
    ends: npt.NDArray[np.int64], documents: memoryview, came: Sequence[bytes], source: Places
) -> Iterator[bytes | memoryview]:
    """The documents in their order, those that follow one another in the former file as one."""
    held, starts = len(ends), np.concatenate([[0], ends])
    firsts = np.flatnonzero(np.diff(source, prepend=-2) != 1)
    lasts = np.append(firsts[1:], len(source)) - 1
    for first, last in zip(source[firsts].tolist(), source[lasts].tolist(), strict=True):
        if first >= held:
            yield from came[first - held : last - held + 1]
        else:
            after = min(last, held - 1) + 1
            yield documents[int(starts[first]) : int(starts[after])]
            yield from came[: last + 1 - after]
