"""What to do about a table that was changed by hand: find it, adopt it as it is, or restore the newest."""

from __future__ import annotations

from pyiceberg.table.snapshots import Snapshot, ancestors_of
from pyiceberg.table.update import RemovePropertiesUpdate, SetPropertiesUpdate, TableUpdate

from penstock.errors import RolledBack, UsageError
from penstock.lake.change import POSITION, TableChange, main_branch, positions
from penstock.lake.commit import Move
from penstock.lake.lake import Lake, check_not_rolled_back
from penstock.lake.lease import Lease
from penstock.lake.table import Head
from penstock.lake.tables import next_location, stamped, updated


def changed_by_hand(lake: Lake) -> tuple[RolledBack, ...]:
    """One finding per table whose data and recorded positions disagree."""
    findings = []
    for head in lake.heads().values():
        try:
            check_not_rolled_back(head)
        except RolledBack as finding:
            findings.append(finding)
    return tuple(findings)


def adopt(lake: Lake, name: str, *, lease: Lease) -> Head:
    """Take the data as it is now: positions go back to what its snapshot says; what came later is read again.

    Positions of a snapshot made by a foreign writer are those of its nearest ancestor that has any. Raises UsageError
    when data and positions agree.
    """
    head = _head(lake, name)
    if all(finding.where != name for finding in changed_by_hand(lake)):
        raise _agreed(name)
    carried = next((found for snapshot in _line(lake, head) if (found := _positions(snapshot))), {})
    return _recorded(lake, head, carried, lease)


def restore(lake: Lake, name: str, *, lease: Lease) -> Head:
    """Make the newest snapshot current again that agrees with the recorded positions.

    Raises RolledBack when that snapshot has expired: then only `adopt` is left, and UsageError when it is current.
    """
    head = _head(lake, name)
    return _go_back(lake, head, positions(head.properties), lease)


def rewind(lake: Lake, name: str, source: str, value: str, *, lease: Lease) -> Head:
    """Go back to the newest snapshot at which `source` stood at `value`, for a table that committed together
    with one that was adopted."""
    head = _head(lake, name)
    wanted = positions(head.properties) | {POSITION + source: value}
    return _go_back(lake, head, wanted, lease)


def _go_back(lake: Lake, head: Head, wanted: dict[str, str], lease: Lease) -> Head:
    base = lake.metadata(head)
    newest_first = sorted(base.snapshots, key=lambda snapshot: -(snapshot.sequence_number or 0))
    target = next((snapshot for snapshot in newest_first if _positions(snapshot) == wanted), None)
    if target is None:
        raise RolledBack(
            "No retained snapshot has the wanted positions",
            where=head.name,
            expected=", ".join(f"{key.removeprefix(POSITION)} at {value}" for key, value in sorted(wanted.items())),
            remedy="It has expired: only adopting the data as it is now is left.",
        )
    if target.snapshot_id == head.snapshot_id and wanted == positions(head.properties):
        raise _agreed(head.name)
    updates: list[TableUpdate] = [main_branch(target.snapshot_id), SetPropertiesUpdate(updates=wanted)]
    if gone := sorted(positions(head.properties).keys() - wanted.keys()):
        updates.append(RemovePropertiesUpdate(removals=gone))
    changed = updated(base, updates, head.metadata_location)
    metadata = stamped(changed, lake.world.clock)
    staging = lake.staging()
    try:
        location = staging.wrote(next_location(metadata, head.metadata_location, staging.id))
        lake.files.write(location, metadata)
    except BaseException:
        staging.discard()
        raise
    move = Move(head.name, head.metadata_location, location, metadata)
    lake.committer(lease).commit(staging, [move])
    return move.head


def _recorded(lake: Lake, head: Head, carried: dict[str, str], lease: Lease) -> Head:
    """A snapshot without rows that carries exactly these positions."""
    staging = lake.staging()
    token = f"adopt:{head.name}:{head.snapshot_id}"
    change = TableChange(head, lake.metadata(head), staging, token, lake.io, lake.files, lake.manifests)
    for key, value in carried.items():
        change.position(key.removeprefix(POSITION), value)
    for key in positions(head.properties).keys() - carried.keys():
        change.forget(key.removeprefix(POSITION))
    try:
        location, metadata = change.staged()
    except BaseException:
        staging.discard()
        raise
    move = Move(head.name, head.metadata_location, location, metadata)
    lake.committer(lease).commit(staging, [move])
    return move.head


def _agreed(name: str) -> UsageError:
    return UsageError("The table was not rolled back: its data and its record agree", where=name)


def _head(lake: Lake, name: str) -> Head:
    head = lake.head(name)
    if head is None:
        raise UsageError("There is no such table", where=name, remedy="`penstock status` lists the tables.")
    return head


def _line(lake: Lake, head: Head) -> list[Snapshot]:
    metadata = lake.metadata(head)
    return list(ancestors_of(metadata.current_snapshot(), metadata))


def _positions(snapshot: Snapshot) -> dict[str, str]:
    return {} if snapshot.summary is None else positions(snapshot.summary.additional_properties)
