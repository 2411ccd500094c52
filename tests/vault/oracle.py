"""What a vault must answer, in plain Python: no intervals, no order of arrival, every rule said once.

Hashes are the convention's, written from its published text (docs/vault.md); a moment is any comparable value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from tests.sql.canonical_oracle import canonical, net, row_hash

UNKNOWN = "0" * 64


def hash_key(tenant: str, code: str, *values: object) -> str:
    if all(value is None for value in values):
        return UNKNOWN
    parts = ["-," if value is None else net(canonical(value)) for value in values]
    return hashlib.sha256((net(tenant) + net(code) + "".join(parts)).encode()).hexdigest()


def hash_diff(tenant: str, payload: Mapping[str, object], deleted: bool = False) -> str:
    return row_hash(tenant, {**payload, "is_deleted": True if deleted else None})


@dataclass(frozen=True)
class Version:
    """A row about a key. `diff` is its hash diff."""

    key: str
    applied: datetime
    loaded: datetime
    diff: str
    deleted: bool
    says: Any = None


@dataclass(frozen=True)
class Seen:
    """A key in a full snapshot; no key: the snapshot was there."""

    key: str | None
    applied: datetime
    loaded: datetime


def known(rows: Iterable[Version], applied: datetime | None, loaded: datetime | None) -> list[Version]:
    return [
        row for row in rows if (applied is None or row.applied <= applied) and (loaded is None or row.loaded <= loaded)
    ]


def versions_at(
    rows: Sequence[Version], applied: datetime | None, loaded: datetime | None, seen: Collection[Seen] = ()
) -> dict[str, Version]:
    """The version of each key that holds: the last one, when it is no deletion and no snapshot after it misses it."""
    last: dict[str, Version] = {}
    for row in sorted(known(rows, applied, loaded), key=lambda row: (row.applied, row.diff)):
        last[row.key] = row
    counted = [
        one for one in seen if (applied is None or one.applied <= applied) and (loaded is None or one.loaded <= loaded)
    ]
    snapshots = {one.applied for one in counted}
    return {
        key: row
        for key, row in last.items()
        if not row.deleted
        and not any(
            moment > row.applied and not any(one.key == key and one.applied == moment for one in counted)
            for moment in snapshots
        )
    }


def deletions(seen: Collection[Seen]) -> set[tuple[str, datetime, datetime | None]]:
    """(key, first snapshot without it, the snapshot it came back with), walking from snapshot to snapshot."""
    moments = sorted({one.applied for one in seen})
    found = set()
    for key in {one.key for one in seen if one.key is not None}:
        present = {one.applied for one in seen if one.key == key}
        for before, moment in pairwise(moments):
            if before in present and moment not in present:
                found.add((key, moment, min((later for later in present if later > moment), default=None)))
    return found


def first_loaded(rows: Iterable[Version], version: Version) -> datetime:
    """When the version was loaded, of all the times it was delivered the first."""
    same = (version.key, version.applied, version.diff)
    return min(row.loaded for row in rows if (row.key, row.applied, row.diff) == same)


def relations_at(
    rows: Sequence[Version], driver: Mapping[str, str], applied: datetime | None, loaded: datetime | None
) -> dict[str, Version]:
    """The relation that holds for each driving key: the last begun, unless it ended. `driver` is by relation."""
    holds: dict[str, Version] = {}
    for row in sorted(known(rows, applied, loaded), key=lambda row: (row.applied, row.diff)):
        driving = driver[row.key]
        if not row.deleted:
            holds[driving] = row
        elif driving in holds and holds[driving].key == row.key:
            del holds[driving]
    return holds
