"""Examining an installation: what is well, what is not, and the remedies that a person may ask for."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from penstock.errors import PenstockError, counted
from penstock.lake.records import exists
from penstock.runtime.installation import Installation

if TYPE_CHECKING:
    from penstock.lake.lake import Lake
    from penstock.lake.table import DataFile, DeleteFile

ROOM_FOR_WORK = 1 << 30  # bytes


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `text` says what is wrong and what to do, or what is well."""

    subject: str
    ok: bool
    text: str


def examine(installation: Installation) -> tuple[Finding, ...]:
    """Look at software, disk, sources, catalogue, tables, releases, batches and readers of the log; nothing is changed."""
    return (
        _software(),
        _disk(installation),
        *_sources(installation),
        *_lake(installation),
        _store(installation),
        *_log(installation),
        *_readers(installation),
    )


def mend(installation: Installation, *, adopt: str | None, restore: str | None, relocate: bool) -> None:
    """Do what was asked for; nothing when nothing was."""
    if relocate:
        from penstock.lake.relocate import relocate as move

        move(installation.place.root, installation.world)
    if adopt is None and restore is None:
        return
    from penstock.lake.lake import Lake
    from penstock.runtime import mending

    with (
        Lake.open(installation.place.root, installation.world) as lake,
        lake.lease("run", holder=f"penstock doctor, process {os.getpid()}") as lease,
    ):
        if adopt is not None:
            mending.adopt(lake, installation.project, adopt, lease=lease)
        if restore is not None:
            mending.restore(lake, restore, lease=lease)


def _software() -> Finding:
    parts = ("duckdb", "pyarrow", "pyiceberg", "dbt-core", "dbt-duckdb")
    versions = ", ".join(f"{part} {version(part)}" for part in parts)
    return Finding("software", True, f"Python {sys.version.split()[0]}, {versions}")


def _disk(installation: Installation) -> Finding:
    folder = installation.place.root
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    place = installation.place
    if not (place.is_writable if place.exists else os.access(folder, os.W_OK)):
        return Finding("disk", False, f"{folder} cannot be written; choose another --data-dir or mend its permissions")
    enough = free >= ROOM_FOR_WORK
    return Finding("disk", enough, f"{free / 1e9:,.1f} GB free" + ("" if enough else "; make room before the next run"))


def _sources(installation: Installation) -> Iterator[Finding]:
    from penstock.ingest.discovery import discover

    for source in installation.project.sources.values():
        try:
            found = discover(source, installation.project.root, (), installation.world.clock)
        except PenstockError as error:
            yield Finding(f"source {source.name}", False, str(error))
        else:
            yield Finding(f"source {source.name}", True, f"{counted(len(found.new), 'file')} can be read")


def _lake(installation: Installation) -> Iterator[Finding]:
    place = installation.place
    if not exists(place.root):
        yield Finding("data", True, f"none yet in {place.root}; `penstock run` makes it")
        return
    from penstock.lake.doctor import changed_by_hand
    from penstock.lake.lake import Lake

    try:
        with Lake.open(place.root, installation.world) as lake:
            findings = changed_by_hand(lake)
            yield from (Finding(f"table {one.where}", False, _offer(one)) for one in findings)
            yield from _files(lake)
    except PenstockError as error:
        yield Finding("data", False, str(error))


def _store(installation: Installation) -> Finding:
    from penstock.runtime.served_release import examined

    return Finding("serving store", *examined(installation))


def _log(installation: Installation) -> Iterator[Finding]:
    """Whether batches of the data directory's event log can be read; brokers of Kafka look after theirs themselves."""
    from penstock.runtime.event_log import open_log, waits_for_readers
    from penstock.runtime.log_health import health, told

    if not waits_for_readers(installation):
        return
    try:
        with open_log(installation) as log:
            found = health(log)
            yield from (Finding("event log", False, str(error)) for error in found.damaged)
            if not found.damaged:
                yield Finding("event log", True, told(found, len(log.topics())))
    except PenstockError as error:
        yield Finding("event log", False, str(error))


def _readers(installation: Installation) -> Iterator[Finding]:
    """Those that hold back rows which retention would let go, and that nobody declares."""
    from penstock.runtime.readers import held_back

    try:
        found = held_back(installation)
    except PenstockError as error:
        yield Finding("event log", False, str(error))
        return
    for one in found:
        text = (
            f"{counted(one.rows, 'row')} of {one.topic} wait for it beyond the topic's retention, and the project does"
            f" not declare it; `penstock topics forget {one.reader}` gives them up"
        )
        yield Finding(f"reader {one.reader}", False, text)


def _offer(error: PenstockError) -> str:
    return (
        f"{error.what}: the record says {error.expected}, the data {error.found}."
        f" `penstock doctor --restore {error.where}` goes back to the newest data;"
        f" `penstock doctor --adopt {error.where}` keeps the data as it is and reads on from there."
    )


def _files(lake: Lake) -> Iterator[Finding]:
    """Every data file of every table is there in the size that the table says."""
    damaged = 0
    files = 0
    for head in lake.heads().values():
        scan = lake.scan_head(head)
        there: Sequence[DataFile | DeleteFile] = (*scan.files, *scan.deletes)
        for file in there:
            files += 1
            if not os.path.isfile(file.path) or os.path.getsize(file.path) != file.bytes:
                damaged += 1
                yield Finding(
                    f"table {head.name}",
                    False,
                    f"{file.path} is missing or not of the recorded size; restore it from a backup",
                )
    if not damaged:
        yield Finding("data", True, f"all there, in the recorded size: {counted(files, 'data file')}")
