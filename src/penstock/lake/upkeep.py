"""Keeping a lake small: snapshots expire with their files, and files that nobody refers to are removed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pyiceberg.manifest import ManifestFile
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Snapshot, ancestors_of
from pyiceberg.table.update import RemoveSnapshotsUpdate
from sqlalchemy import text

from penstock.errors import CommitConflict
from penstock.lake.catalog import catalogue_errors
from penstock.lake.commit import Move, outdated_metadata
from penstock.lake.io import discard, local_path
from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.lake.manifests import ManifestReader
from penstock.lake.staging import live_stagings
from penstock.lake.table import Head
from penstock.lake.tables import millis, next_location, stamped, updated

FORGETS = "forgets"  # what a commit that takes values away for good writes in its summary, with their number


@dataclass(frozen=True)
class Retention:
    """How much of a table's history is kept.

    The newest `snapshots` stay, and those that are pinned. Expiry waits until `slack` more have come
    together, so that it may be called after every commit. Data files of an expired snapshot stay
    for `grace`, for readers that planned with it. Snapshots before one that forgot something (its summary
    says so under `FORGETS`) are not kept as history and not waited for: they still hold it.
    """

    snapshots: int = 10
    slack: int = 16
    grace: timedelta = timedelta(hours=1)


@dataclass(frozen=True)
class Expired:
    """What expiry did: snapshots expired, files removed from the disk, and tables left for the next time
    because another writer moved them meanwhile."""

    snapshots: int = 0
    files: int = 0
    postponed: tuple[str, ...] = ()


def expire(
    lake: Lake,
    retention: Retention,
    *,
    lease: Lease,
    pinned: Mapping[str, AbstractSet[int]],
    tables: Iterable[str] | None = None,
) -> Expired:
    """Expire old snapshots in one commit, then remove what no retained snapshot needs.

    `pinned` names snapshots by table that releases still read. Nothing to expire: no commit.
    """
    heads = lake.heads()
    chosen = heads if tables is None else {name: heads[name] for name in tables if name in heads}
    plans = [plan for head in chosen.values() if (plan := _plan(lake, head, retention, pinned.get(head.name, set())))]
    try:
        _commit(lake, lease, plans)
    except CommitConflict:
        return Expired(files=sweep(lake, retention.grace), postponed=tuple(plan.head.name for plan in plans))
    return Expired(sum(len(plan.snapshots) for plan in plans), sweep(lake, retention.grace))


def sweep(lake: Lake, grace: timedelta) -> int:
    """Remove condemned files whose time has come; gives how many. A crash in between costs nothing.

    Metadata goes at once: whoever reads begins from a head, and heads have newer files.
    """
    query = text("SELECT path FROM penstock_condemned WHERE content <> 'data' OR since_ms <= :limit")
    limit = millis(lake.world.clock) - int(grace.total_seconds() * 1000)
    with catalogue_errors(lake.root), lake.catalog.read() as db:
        paths = [row.path for row in db.execute(query, {"limit": limit})]
    if paths:
        discard(lake.world.disk, paths)
        gone = [{"path": path} for path in paths if not os.path.exists(path)]
        with catalogue_errors(lake.root), lake.catalog.write() as db:
            db.execute(text("DELETE FROM penstock_condemned WHERE path = :path"), gone)
    return len(paths)


def remove_orphans(lake: Lake, *, older_than: timedelta) -> tuple[str, ...]:
    """Remove files that no table refers to and that are older than `older_than` (by modification time).

    Such files are left by a process that was killed while staging. Files of a living staging are
    never touched, however old.
    """
    present = list(_files_below(lake.root / "lake"))
    live = live_stagings(lake.root / "locks")
    needed = _condemned(lake) | {path for head in lake.heads().values() for path in files_of(lake, head)}
    limit = (lake.world.clock.now() - older_than).timestamp()
    orphans = [
        path for path, modified in present if path not in needed and modified <= limit and not _belongs_to(path, live)
    ]
    discard(lake.world.disk, orphans)
    return tuple(orphans)


def files_of(lake: Lake, head: Head) -> Iterator[str]:
    """Every file that a table refers to: metadata, manifest lists, manifests and data of all its snapshots."""
    metadata = lake.metadata(head)
    yield local_path(head.metadata_location)
    yield from (local_path(entry.metadata_file) for entry in metadata.metadata_log)
    yield from (local_path(snapshot.manifest_list) for snapshot in metadata.snapshots)
    for manifest in _manifests(lake.manifests, metadata.snapshots).values():
        yield local_path(manifest.manifest_path)
        yield from (local_path(entry.data_file.file_path) for entry in lake.manifests.entries(manifest))


@dataclass(frozen=True)
class _Plan:
    head: Head
    base: TableMetadata
    snapshots: tuple[Snapshot, ...]
    condemned: Mapping[str, str]


def _plan(lake: Lake, head: Head, retention: Retention, pinned: AbstractSet[int]) -> _Plan | None:
    base = lake.metadata(head)
    by_age = sorted(base.snapshots, key=lambda snapshot: snapshot.sequence_number or 0)
    newest = by_age[-retention.snapshots :] if retention.snapshots > 0 else []
    forgotten = _before_forgetting(by_age)
    kept = {snapshot.snapshot_id for snapshot in newest} - forgotten | pinned
    kept |= {ref.snapshot_id for ref in base.refs.values()}
    expiring = tuple(snapshot for snapshot in by_age if snapshot.snapshot_id not in kept)
    urgent = any(snapshot.snapshot_id in forgotten for snapshot in expiring)
    if not expiring or (len(expiring) < retention.slack and not urgent):
        return None
    retained = [snapshot for snapshot in by_age if snapshot.snapshot_id in kept]
    return _Plan(head, base, expiring, _unneeded(lake.manifests, base, expiring, retained))


def _before_forgetting(by_age: list[Snapshot]) -> set[int]:
    """Ids of the snapshots that may hold what a later one forgot."""
    forgetting = [
        place
        for place, snapshot in enumerate(by_age)
        if snapshot.summary is not None and f"penstock.{FORGETS}" in snapshot.summary.additional_properties
    ]
    return {snapshot.snapshot_id for snapshot in by_age[: forgetting[-1]]} if forgetting else set()


def _unneeded(
    reader: ManifestReader, metadata: TableMetadata, expiring: Iterable[Snapshot], retained: list[Snapshot]
) -> dict[str, str]:
    """Path -> content of every file that only the expiring snapshots need."""
    old, new = _manifests(reader, expiring), _manifests(reader, retained)
    gone = [manifest for path, manifest in old.items() if path not in new]
    paths = {local_path(snapshot.manifest_list): "metadata" for snapshot in expiring}
    paths |= {local_path(manifest.manifest_path): "metadata" for manifest in gone}
    if _only_appends(metadata):
        return paths
    needed = {entry.data_file.file_path for manifest in new.values() for entry in reader.entries(manifest)}
    for manifest in gone:
        files = (entry.data_file.file_path for entry in reader.entries(manifest))
        paths |= {local_path(path): "data" for path in files if path not in needed}
    return paths


def _only_appends(metadata: TableMetadata) -> bool:
    """Whether every data file of every snapshot is still in the current one: then no data file can go."""
    line = {snapshot.snapshot_id for snapshot in ancestors_of(metadata.current_snapshot(), metadata)}
    return all(snapshot.snapshot_id in line and _removes_nothing(snapshot) for snapshot in metadata.snapshots)


def _removes_nothing(snapshot: Snapshot) -> bool:
    summary = snapshot.summary
    return summary is not None and all(summary[f"{what}-files"] is None for what in ("deleted-data", "removed-delete"))


def _manifests(reader: ManifestReader, snapshots: Iterable[Snapshot]) -> dict[str, ManifestFile]:
    return {manifest.manifest_path: manifest for one in snapshots for manifest in reader.manifests(one)}


def _commit(lake: Lake, lease: Lease, plans: list[_Plan]) -> None:
    if not plans:
        return
    staging = lake.staging()
    moves = []
    condemned: dict[str, str] = {}
    try:
        for plan in plans:
            ids = [snapshot.snapshot_id for snapshot in plan.snapshots]
            update = RemoveSnapshotsUpdate.model_validate({"snapshot-ids": ids})
            before = plan.head.metadata_location
            changed = updated(plan.base, (update,), before)
            metadata = stamped(changed, lake.world.clock)
            after = staging.wrote(next_location(metadata, before, staging.id))
            lake.files.write(after, metadata)
            moves.append(Move(plan.head.name, before, after, metadata))
            condemned.update(plan.condemned)
            condemned |= dict.fromkeys(outdated_metadata(plan.base, metadata), "metadata")
    except BaseException:
        staging.discard()
        raise
    lake.committer(lease).commit(staging, moves, condemned=condemned)


def _files_below(folder: Path) -> Iterator[tuple[str, float]]:
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            try:
                yield path, os.stat(path).st_mtime
            except FileNotFoundError:
                continue


def _condemned(lake: Lake) -> set[str]:
    with catalogue_errors(lake.root), lake.catalog.read() as db:
        return {row.path for row in db.execute(text("SELECT path FROM penstock_condemned"))}


def _belongs_to(path: str, stagings: frozenset[str]) -> bool:
    """Whether one of the stagings wrote the file: its id is in the name, with or without dashes."""
    name = os.path.basename(path).replace("-", "")
    return any(staging in name for staging in stagings)
