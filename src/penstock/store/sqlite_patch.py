"""A file of rows made from a former one of which few rows are others: copied, those that went taken out, those that came
put between their neighbours.

Beside its rows a file may hold a digest of each and where it stands, in their order: what two files have both of are rows
that stayed, for a digest is another when a row stands elsewhere among the others. The file is packed then: pages that are
written over keep bytes of what stood there, even where SQLite is told to delete securely.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from penstock.errors import StorageError
from penstock.store.collection import Collection
from penstock.store.protocol import Row, Told
from penstock.store.sqlite_rows import GAP, insert_rows, mark, positions_of, written

_FEW = 8  # one row in so many; with more of them that came or went, all are written anew as fast
_Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Standing:
    """The rows of a file in order: a digest of each, and its position."""

    digests: npt.NDArray[np.uint64]
    positions: _Numbers


@dataclass(frozen=True)
class _Patch:
    """What becomes of a file: the positions of the rows that went, the places (from 0) of those that came, and how all
    stand then."""

    gone: _Numbers
    came: _Numbers
    standing: _Standing


def keep_digests(path: Path, told: Told) -> None:
    """Write the digests of the rows beside them, in a file that is not finished."""
    digests = _digests(told)
    with written(path) as db:
        db.execute("CREATE TABLE standing (digests BLOB NOT NULL, positions BLOB NOT NULL)")
        _keep(db, _Standing(digests, positions_of(len(digests))))


def patch_rows(former: Path, path: Path, collection: Collection, told: Told) -> int | None:
    """Make the file `path` from a former one of the same place; the number of rows. None, and nothing is written,
    when many rows came or went, there is no room between their neighbours, or the former file is damaged."""
    try:
        return _patched(former, path, collection, told)
    except (sqlite3.Error, StorageError):
        path.unlink(missing_ok=True)  # all rows are written anew, which tells if the disk is what is wrong
        return None


def _patched(former: Path, path: Path, collection: Collection, told: Told) -> int | None:
    before = _standing(former)
    patch = None if before is None else _patch(before, _digests(told))
    if patch is None:
        return None
    rows = list(told.having(patch.standing.digests[patch.came].tolist())) if len(patch.came) else []
    if len(rows) != len(patch.came):
        return None
    copied = path.with_name(f"{path.name}.former")  # whatever a killed process left of it goes with the next release
    try:
        shutil.copyfile(former, copied)
        with written(copied) as db:
            if not _write_over(db, collection, patch, rows):
                return None
            db.execute("VACUUM INTO ?", (str(path),))
    finally:
        copied.unlink(missing_ok=True)
    return len(patch.standing.positions)


def _patch(before: _Standing, after: npt.NDArray[np.uint64]) -> _Patch | None:
    """What makes one file of another; None where it would be most of the work, or rows that stayed do not tell their
    order."""
    stayed, stay = _both_have(before.digests, after)
    gone, came = before.positions[~stayed], np.flatnonzero(~stay)
    if (
        not len(after)
        or max(len(gone), len(came)) * _FEW > len(after)
        or not np.array_equal(before.digests[stayed], after[stay])
    ):
        return None
    positions = _between(before.positions[stayed], came, len(after))
    return None if positions is None else _Patch(gone, came, _Standing(after, positions))


def _both_have(
    before: npt.NDArray[np.uint64], after: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which of each are in the other. Where few differ from those in the same place, the others are enough."""
    if len(before) == len(after):
        same = before == after
        if np.count_nonzero(~same) * _FEW <= len(after):
            return same, same
    return np.isin(before, after), np.isin(after, before)


def _between(stayed: _Numbers, came: _Numbers, rows: int) -> _Numbers | None:
    """Where all rows stand: those that stayed as they did, those that came, of which the places are given, spread evenly
    between their neighbours. None where there is no room.

    >>> _between(np.array([10, 20]), np.array([1, 2, 4]), 5).tolist()
    [10, 13, 16, 20, 65556]
    """
    place = np.arange(rows)
    is_new = np.isin(place, came)
    before = np.cumsum(~is_new)[came]  # how many stayed before each: those of equal number follow one another
    _, first, run, length = np.unique(before, return_index=True, return_inverse=True, return_counts=True)
    number, together = np.arange(len(came)) - first[run] + 1, length[run] + 1
    room = GAP * together
    low = np.where(before > 0, stayed[before - 1], stayed[0] - room)
    high = np.where(before < len(stayed), stayed[np.minimum(before, len(stayed) - 1)], low + room)
    if not np.all(high - low >= together):
        return None
    positions = np.empty(rows, np.int64)
    positions[~is_new] = stayed
    positions[came] = low + (high - low) * number // together
    return positions


def _write_over(db: sqlite3.Connection, collection: Collection, patch: _Patch, rows: Sequence[Row]) -> bool:
    """Whether the rows that went were there."""
    db.execute("BEGIN")
    gone = db.executemany("DELETE FROM rows WHERE position = ?", ((one,) for one in patch.gone.tolist()))
    if len(patch.gone) and gone.rowcount != len(patch.gone):
        return False
    insert_rows(db, collection, zip(patch.standing.positions[patch.came].tolist(), rows, strict=True))
    db.execute("DELETE FROM standing")
    _keep(db, patch.standing)
    mark(db, patch.standing.positions)
    db.execute("DROP TABLE IF EXISTS sqlite_stat4")  # where SQLite is built so, some of the former values
    db.execute("COMMIT")
    return True


def _digests(told: Told) -> npt.NDArray[np.uint64]:
    return np.frombuffer(told.digests(), np.uint64)


def _keep(db: sqlite3.Connection, standing: _Standing) -> None:
    db.execute("INSERT INTO standing VALUES (?, ?)", (standing.digests.tobytes(), standing.positions.tobytes()))


def _standing(path: Path) -> _Standing | None:
    """How the rows of a file stand; None where it does not tell, or cannot be read."""
    try:
        with closing(_reading(path)) as db:
            ((digests, positions),) = db.execute("SELECT digests, positions FROM standing")
        found = _Standing(np.frombuffer(digests, np.uint64), np.frombuffer(positions, np.int64))
    except (sqlite3.Error, ValueError, TypeError):
        return None
    return found if len(found.digests) == len(found.positions) else None


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
