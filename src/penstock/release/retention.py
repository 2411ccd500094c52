"""How long releases stay readable."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from penstock.lake.records import put_record
from penstock.release.record import KIND, Release, releases
from penstock.spec.project import Retention
from penstock.world import Clock


def expired(
    releases: Sequence[Release], retention: Retention, now: datetime, *, named: Collection[int] = ()
) -> tuple[int, ...]:
    """The numbers of readable releases that may go: older than `releases_for`, not among the last `releases_keep`, and
    not `named` by somebody who may read it again. The last release never goes. Pure."""
    newest_first = sorted((one for one in releases if one.expired_at is None), key=lambda one: -one.number)
    beyond = newest_first[max(1, retention.releases_keep) :]
    old = (one.number for one in beyond if one.committed_at + retention.releases_for < now)
    return tuple(sorted(number for number in old if number not in named))


def expire_releases(root: Path, retention: Retention, *, clock: Clock, named: Collection[int] = ()) -> tuple[int, ...]:
    """Mark releases beyond their retention as expired; from now on they answer so. Returns their numbers.

    Files stay until upkeep expires the snapshots that nothing pins any more. The record keeps what happened,
    without the tables, so that a long history stays small.
    """
    every = releases(root)
    now = clock.now()
    going = expired(every, retention, now, named=named)
    for release in every:
        if release.number in going:
            marked = replace(release, gold={}, silver={}, checks=(), expired_at=now)
            put_record(root, KIND, release.key, marked.as_record(), at=release.committed_at)
    return going
