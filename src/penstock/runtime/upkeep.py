"""Keeping the lake small: snapshots, files and releases that nothing needs any more are really removed."""

from __future__ import annotations

from datetime import timedelta

from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.lake.upkeep import Retention, expire, remove_orphans
from penstock.load.retention import forget_raw
from penstock.release.pin import pins
from penstock.release.retention import expire_releases
from penstock.runtime.installation import Installation

ORPHAN_AGE = timedelta(days=1)


def keep_up(installation: Installation, lake: Lake, lease: Lease) -> None:
    """Forget raw bytes and expire releases beyond their retention, then snapshots that no release or reader needs,
    with their files, then what a killed process left behind."""
    retention, clock = installation.project.retention, installation.world.clock
    for dataset in installation.project.contracts:
        forget_raw(lake, dataset, older_than=retention.raw_quarantine_for, lease=lease)
    expire_releases(lake.root, retention, clock=clock)
    expire(
        lake,
        Retention(grace=retention.snapshots_for),
        lease=lease,
        pinned=pins(lake.root),
    )
    remove_orphans(lake, older_than=ORPHAN_AGE)
