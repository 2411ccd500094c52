"""Bronze to silver and quarantine: pending bronze rows are conformed, in one commit with the bronze position."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from threading import Lock

import duckdb
import pyarrow as pa

from penstock.conform.counts import Counts
from penstock.errors import RolledBack
from penstock.lake.change import TableChange
from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.lake.ledger import ledger_spec
from penstock.lake.table import Head, Scan
from penstock.load.conflicts import Conflict, Contradiction, conflicts
from penstock.load.conforming import Conforming
from penstock.load.conservation import check_conserved
from penstock.load.ledger import as_declared, known_files, replaced_files
from penstock.load.rules import RULES, rebuild_reason, rules_fingerprint
from penstock.load.tables import (
    bronze_name,
    ensure_silver,
    quarantine_name,
    quarantine_spec,
    silver_name,
    snapshots_spec,
)
from penstock.load.waiting import Waiting
from penstock.spec.contract import Contract, snapshots_name
from penstock.spec.project import Project
from penstock.sql.beside import another
from penstock.sql.connection import connect
from penstock.world import World

ROWS_PER_COMMIT = 5_000_000


@dataclass(frozen=True)
class Settings:
    """What conforming needs besides the declarations: the secret of pseudonyms, memory, and a folder to spill to."""

    pseudonym_key: bytes
    spill: Path
    memory_limit: str = "512MB"  # DuckDB's alone; it takes half as much again, and writing some 300 MB
    _one: Lock = field(default_factory=Lock, repr=False, compare=False)

    def connection(self) -> duckdb.DuckDBPyConnection:
        """A connection with temporary tables of its own to a database that is made once, for that takes as long as a
        small batch."""
        with self._one:
            return another(self._database)

    @cached_property
    def _database(self) -> duckdb.DuckDBPyConnection:
        return connect(memory_limit=self.memory_limit, temp_directory=self.spill)


@dataclass(frozen=True)
class Settled:
    """One silver commit. `replaced` rows left silver for better ones, `revived` earlier versions came back.

    `discarded`: for `discard_value`, how many values of each source column were dropped. `held`: moments of
    snapshots that say nothing of the keys they miss, for a row of theirs could not be read. `conflicts`: files of one
    version that this commit made known, whole or in rows of one key.
    """

    dataset: str
    counts: Counts
    replaced: int
    revived: int
    rebuilt: bool
    seconds: float
    discarded: Mapping[str, int]
    held: tuple[str, ...] = ()
    conflicts: tuple[Conflict | Contradiction, ...] = ()


def settle(
    lake: Lake, project: Project, contract: Contract, *, lease: Lease, world: World, settings: Settings
) -> Iterator[Settled]:
    """Conform until nothing is pending; each commit takes up to five million rows (a rebuild takes all in one)."""
    lake.ensure(quarantine_spec(contract.dataset), lease=lease)
    ensure_silver(lake, contract, project.contracts, lease=lease)
    if project.has_snapshots(contract.dataset):
        lake.ensure(snapshots_spec(contract, project.contracts), lease=lease)
    while (step := _settle_once(lake, project, contract, lease, world, settings)) is not None:
        yield step


def _settle_once(
    lake: Lake, project: Project, contract: Contract, lease: Lease, world: World, settings: Settings
) -> Settled | None:
    started = world.clock.monotonic()
    pa.default_memory_pool().release_unused()  # what reading the files has left would count beside DuckDB's own
    silver = _head(lake, silver_name(contract.dataset))
    quarantine = _head(lake, quarantine_name(contract.dataset))
    snapshots = _head(lake, _snapshots_table(contract)) if project.has_snapshots(contract.dataset) else None
    rebuild = rebuild_reason(project, contract, silver.properties) is not None
    rebuild = rebuild or (snapshots is not None and _differ(lake, project, silver, snapshots))
    waiting = _waiting(lake, project, contract, silver, rebuild=rebuild)
    if not rebuild and not any(part.pending for part in waiting):
        return None
    with (
        settings.connection() as connection,
        lake.stage(lease=lease, token=_token(contract, waiting, rebuild=rebuild)) as commit,
    ):
        work = Conforming(
            connection,
            contract,
            contracts=project.contracts,
            tenant=project.tenant,
            pseudonym_key=settings.pseudonym_key,
            silver=lake.scan_head(silver),
            rebuild=rebuild,
            snapshots=None if snapshots is None else lake.scan_head(snapshots),
        )
        outcome = work.conform(waiting)
        change, refused = commit.table(silver), commit.table(quarantine)
        contradictions = outcome.contradictions()
        accepted = outcome.write(change)
        quarantined = outcome.write_rejected(refused, lake.scan_head(quarantine))
        held: tuple[str, ...] = ()
        moved = [change, refused]
        if work.sightings is not None and snapshots is not None:
            moved.append(commit.table(snapshots))
            held = work.sightings.write(moved[-1], lake.scan_head(quarantine))
        counts = outcome.counts(accepted=accepted, quarantined=quarantined)
        check_conserved(counts, where=silver.name)
        change.summary("counts", json.dumps(asdict(counts)))
        _mark(change, moved, project, contract, waiting)
        facts = {"table": silver.name, "at": world.clock.now().isoformat(), "rebuilt": rebuild}
        replaced = outcome.replaced
        facts |= {"replaced": replaced, "revived": outcome.revived, "discarded": dict(outcome.discarded)}
        commit.record("batch", f"{silver.name}/{world.ids.new()}", facts | asdict(counts))
        commit.apply()
    seconds = world.clock.monotonic() - started
    told: tuple[Conflict | Contradiction, ...] = _conflicts(lake, project, contract, waiting) + contradictions
    return Settled(contract.dataset, counts, replaced, outcome.revived, rebuild, seconds, outcome.discarded, held, told)


def _conflicts(lake: Lake, project: Project, contract: Contract, waiting: Sequence[Waiting]) -> tuple[Conflict, ...]:
    """Those with a file that was taken since the last commit."""
    came = {file.file_id for part in waiting for file in part.files if part.since < file.batch <= part.until}
    found = conflicts(lake, project, contract) if came else ()
    return tuple(one for one in found if {one.holds.file_id, one.gives_way.file_id} & came)


def _differ(lake: Lake, project: Project, silver: Head, snapshots: Head) -> bool:
    """Whether the two tables do not stand where one commit left them: then one was made anew, or taken back."""
    positions = [f"bronze.{source.name}" for source in project.sources.values()]
    return any(lake.position(silver, one) != lake.position(snapshots, one) for one in positions)


def _snapshots_table(contract: Contract) -> str:
    return silver_name(snapshots_name(contract.dataset))


def _head(lake: Lake, name: str) -> Head:
    head = lake.head(name)
    if head is None:
        raise KeyError(name)
    return head


def _waiting(lake: Lake, project: Project, contract: Contract, silver: Head, *, rebuild: bool) -> tuple[Waiting, ...]:
    """What each source of the dataset has in bronze beyond silver's position, up to the rows of one commit."""
    waiting = []
    for source in project.sources_of(contract.dataset):
        bronze = lake.head(bronze_name(source.name))
        if bronze is None:
            continue
        done = int(lake.position(silver, f"bronze.{source.name}") or 0)
        last = int(lake.position(bronze, source.name) or 0)
        if last < done and not rebuild:
            raise RolledBack(
                "Bronze is behind what silver has already taken from it",
                where=bronze.name,
                expected=f"batch {done} or later",
                found=f"batch {last}",
                remedy="`penstock doctor` offers to restore the newest.",
            )
        scan = lake.scan_head(bronze)
        since = 0 if rebuild else done
        until = last if rebuild else _until(scan, since, last)
        known = as_declared(source, known_files(lake, source.name), scan, contract)
        replaced = replaced_files(source, known, until=until)
        newly = replaced - replaced_files(source, known, until=since)
        ledger = ledger_spec(source.name).name
        listed = Scan(ledger, None, (), ()) if lake.head(ledger) is None else lake.scan(ledger)  # topics have none
        waiting.append(Waiting(source, scan, since, until, replaced, newly, known, listed))
    return tuple(waiting)


def _until(bronze: Scan, since: int, last: int) -> int:
    """The last batch that still fits into one commit, at least one batch further."""
    rows: dict[int, int] = {}
    for file in bronze.files:
        bounds = file.bounds.get("_batch")
        batch = last if bounds is None else int(str(bounds[1]))
        rows[batch] = rows.get(batch, 0) + file.rows
    taken = 0
    until = since
    for batch in sorted(batch for batch in rows if since < batch <= last):
        taken += rows[batch]
        if taken > ROWS_PER_COMMIT and until > since:
            return until
        until = batch
    return last


def _mark(
    change: TableChange, tables: Sequence[TableChange], project: Project, contract: Contract, waiting: Sequence[Waiting]
) -> None:
    """Positions in all tables, rules in silver."""
    for part in waiting:
        for moved in tables:
            moved.position(f"bronze.{part.source.name}", str(part.until))
        change.property(RULES + part.source.name, rules_fingerprint(project, contract, part.source))
    declared = {source.name for source in project.sources_of(contract.dataset)}
    for key in change.head.properties:
        if key.startswith(RULES) and key.removeprefix(RULES) not in declared:
            change.property(key, "")
            gone = f"bronze.{key.removeprefix(RULES)}"
            for moved in tables:
                if moved.head.position(gone) is not None:
                    moved.forget(gone)


def _token(contract: Contract, waiting: Sequence[Waiting], *, rebuild: bool) -> str:
    """Made of content positions only, so that the same work has the same token."""
    parts = [f"{part.source.name} {part.since} {part.until}" for part in waiting]
    return sha256("\n".join([contract.dataset, str(rebuild), contract.fingerprint, *parts]).encode()).hexdigest()
