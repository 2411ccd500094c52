"""Keeping the lake small: snapshots, files and releases that nothing needs any more are really removed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from penstock.lake.records import last_record, put_record
from penstock.runtime.installation import Installation

if TYPE_CHECKING:
    from penstock.lake.lake import Lake
    from penstock.lake.lease import Lease

KIND = "upkeep"
EVERY = timedelta(days=1)
ORPHAN_AGE = timedelta(days=1)


def is_due(installation: Installation) -> bool:
    """Whether a run without anything new must keep up all the same, for what is kept for a time has an end.

    A clock that was set back or forth is a reason too. Without data there is nothing to keep.
    """
    if not installation.place.exists:
        return False
    done = last_record(installation.place.root, KIND)
    return done is None or abs(installation.world.clock.now() - done.committed_at) >= EVERY


def keep_up(installation: Installation, lake: Lake, lease: Lease) -> None:
    """Drop warehouses of former releases, forget raw bytes and expire releases beyond their retention at which no replay
    of a stream looks tables up, then snapshots that no release or reader needs, with their files, then records that
    nothing rests on, then what a killed process left behind."""
    from penstock.lake.upkeep import Retention, expire, remove_orphans
    from penstock.load.retention import forget_raw
    from penstock.release.pin import pins
    from penstock.release.retention import expire_releases
    from penstock.runtime.forgetting import forget_records
    from penstock.runtime.lookup_releases import named_releases

    _drop_warehouses(installation)
    retention, clock = installation.project.retention, installation.world.clock
    for name in lake.heads("quarantine"):  # also of datasets that are not declared any more
        forget_raw(lake, name.removeprefix("quarantine."), older_than=retention.raw_quarantine_for, lease=lease)
    expire_releases(lake.root, retention, clock=clock, named=named_releases(installation))
    expire(
        lake,
        Retention(grace=retention.snapshots_for),
        lease=lease,
        pinned=pins(lake.root),
    )
    forget_records(lake.root, older_than=retention.records_for, now=clock.now())
    remove_orphans(lake, older_than=ORPHAN_AGE)
    put_record(lake.root, KIND, "last", {}, at=clock.now())


def _drop_warehouses(installation: Installation) -> None:
    """Those of releases before the last one are caches that nothing reads any more, once that has its own."""
    from penstock.release.record import latest_release

    place = installation.place
    release = latest_release(place.root)
    if release is None or not place.warehouse(release.number).exists():
        return
    for path in place.cache.glob("warehouse-*.duckdb*"):
        if path != place.warehouse(release.number):
            path.unlink(missing_ok=True)
