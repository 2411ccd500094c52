"""Reading the lake: gold at a release, everything else as it is now, through DuckDB and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import duckdb

from penstock.errors import DiskFull, UsageError
from penstock.lake.access import is_writable
from penstock.lake.lake import Lake
from penstock.lake.records import exists
from penstock.lake.table import Head, Scan
from penstock.release.pin import Pin
from penstock.release.record import Release, find_release, latest_release
from penstock.release.views import define_views
from penstock.sql.connection import connect
from penstock.sql.guard import lock_down
from penstock.world import World

_LIVE = ("bronze", "silver", "quarantine", "quality")


@dataclass
class Reader:
    """An open view of the lake that does not change until it is closed, whatever is released or expired meanwhile.
    Where nothing may or can be written, what it reads cannot be held: then it lasts as long as expired files are kept.

    `connection` has the schemas bronze, silver, quarantine and gold and can read nothing else. `tables` maps
    `schema.name` to what was planned. Close it, or use it as a context manager.
    """

    connection: duckdb.DuckDBPyConnection
    release: Release | None
    tables: Mapping[str, Scan]
    _pin: Pin | None

    def close(self) -> None:
        self.connection.close()
        if self._pin is not None:
            self._pin.release()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class _Wanted:
    """What a reader is to see: a release or the latest, and every table or only some of them."""

    release: int | None
    only: frozenset[str] | None

    def has(self, table: str) -> bool:
        return self.only is None or table in self.only


def open_reader(
    root: Path,
    world: World,
    *,
    release: int | None = None,
    only: Iterable[str] | None = None,
    memory_limit: str = "1GB",
    threads: int | None = None,
) -> Reader:
    """Open the lake below `root` for reading.

    Without `release`, gold is the latest release and the other layers are as they are now. With it, gold and
    silver are at that release's snapshots; bronze and quarantine belong to no release and are as they are now.
    With `only`, no table but these (`schema.name`) is planned and seen. Raises UsageError when there is no lake, or
    no such release any more.
    """
    if not exists(root):
        raise UsageError("There is no data yet", where=str(root), remedy="Run `penstock run` first.")
    wanted = _Wanted(release, None if only is None else frozenset(only))
    if is_writable(root):
        with suppress(DiskFull):  # then nothing can be held either
            return _open(root, world, Pin.take(root, world.ids), wanted, memory_limit, threads)
    return _open(root, world, None, wanted, memory_limit, threads)


def _open(root: Path, world: World, pin: Pin | None, wanted: _Wanted, memory_limit: str, threads: int | None) -> Reader:
    spill = None if pin is None else root / "cache" / "spill"
    try:
        with Lake.open(root, world) as lake:
            chosen, scans = _plan(lake, wanted) if pin is None else _pinned(lake, pin, wanted)
        connection = connect(memory_limit=memory_limit, threads=threads, temp_directory=spill)
        connection.execute("SET preserve_insertion_order = true")  # the same question, the same order of rows
        lock_down(connection, define_views(connection, scans))
    except BaseException:
        if pin is not None:
            pin.release()
        raise
    return Reader(connection, chosen, scans, pin)


def _pinned(lake: Lake, pin: Pin, wanted: _Wanted) -> tuple[Release | None, dict[str, Scan]]:
    """Plan, hold the snapshots, and plan again: when both plans agree, nothing that was planned can go."""
    _, scans = _plan(lake, wanted)
    while True:
        held = _snapshots(scans)
        pin.hold(scans.values())
        release, scans = _plan(lake, wanted)
        if _snapshots(scans) == held:
            return release, scans


def _plan(lake: Lake, wanted: _Wanted) -> tuple[Release | None, dict[str, Scan]]:
    number = wanted.release
    release = latest_release(lake.root) if number is None else find_release(lake.root, number)
    scans = {head.name: lake.scan_head(head) for head in _heads(lake, wanted)}
    if release is not None:
        scans |= _released(lake, release, wanted)
        if number is not None:
            scans = {name: _at(lake, scan, release) for name, scan in scans.items()}
    return release, dict(sorted(scans.items()))


def _heads(lake: Lake, wanted: _Wanted) -> Iterator[Head]:
    """The tables as they are now that need no release to be seen."""
    if wanted.only is None:
        return (head for name, head in lake.heads().items() if name.split(".")[0] in _LIVE)
    return filter(None, (lake.head(name) for name in sorted(wanted.only) if name.split(".")[0] in _LIVE))


def _released(lake: Lake, release: Release, wanted: _Wanted) -> dict[str, Scan]:
    """The gold tables of a release, with the columns that they had then; in each schema that shows them."""
    scans: dict[str, Scan] = {}
    for name, table in release.gold.items():
        shown = [name] if table.shown_in is None else [name, f"{table.shown_in}.{name.split('.', 1)[1]}"]
        seen = [one for one in shown if wanted.has(one)]
        if seen:
            scan = replace(lake.scan(name, snapshot_id=table.snapshot), columns=table.columns)
            scans |= dict.fromkeys(seen, scan)
    return scans


def _at(lake: Lake, scan: Scan, release: Release) -> Scan:
    """A silver table at a release; one that had no rows then is empty."""
    if not scan.table.startswith("silver."):
        return scan
    snapshot = release.silver.get(scan.table)
    if snapshot is None:
        return replace(scan, snapshot_id=None, files=())
    return lake.scan(scan.table, snapshot_id=snapshot)


def _snapshots(scans: Mapping[str, Scan]) -> dict[str, int | None]:
    return {name: scan.snapshot_id for name, scan in scans.items()}
