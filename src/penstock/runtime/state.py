"""What is there now, read with plain files and SQLite, so that looking is quick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.ingest.discovery import Discovery, discover
from penstock.ingest.file import KnownFile
from penstock.ingest.hashes import Hashes
from penstock.lake.records import TableSummary, read_heads, read_records, read_table_summary
from penstock.load.rules import rebuild_reason
from penstock.release.gate import last_gate
from penstock.release.record import latest_release
from penstock.runtime.ledger_cache import recall, remember, spare
from penstock.runtime.place import DataDirectory
from penstock.runtime.plan import Pending, State
from penstock.spec.contract import Contract
from penstock.spec.project import Project
from penstock.spec.source import Source
from penstock.world import World

if TYPE_CHECKING:
    from penstock.lake.lake import Lake

POSITION = "penstock.position."


def read_state(project: Project, place: DataDirectory, world: World, *, lake: Lake | None = None) -> State:
    """New files of every source, rows silver has not seen, and whether gold follows.

    `lake` is opened only if it is not given and a ledger must be read anew.
    """
    tables = _Tables.read(place.root)
    discoveries = {
        source.name: _discovered(source, project, place, world, _known(source.name, place, world, tables, lake))
        for source in project.sources.values()
    }
    pending = {dataset: _pending(project, contract, place, tables) for dataset, contract in project.contracts.items()}
    release = latest_release(place.root)
    return State(
        discoveries=discoveries,
        pending=pending,
        gold_reason=gold_reason(project, place),
        release=None if release is None else release.number,
    )


def _discovered(
    source: Source, project: Project, place: DataDirectory, world: World, known: tuple[KnownFile, ...]
) -> Discovery:
    hashes = Hashes(place.cache / f"hashes-{source.name}.json")
    found = discover(source, project.root, known, world.clock, hashes=hashes, without=place.root)
    hashes.save()
    return found


@dataclass
class _Tables:
    """Heads of the catalogue, with what their metadata says on demand."""

    heads: Mapping[str, str]

    @classmethod
    def read(cls, root: Path) -> _Tables:
        return cls(read_heads(root))

    def summary(self, name: str) -> TableSummary | None:
        location = self.heads.get(name)
        return None if location is None else read_table_summary(location)

    def properties(self, name: str) -> Mapping[str, str]:
        summary = self.summary(name)
        return {} if summary is None else summary.properties


def _known(
    source: str, place: DataDirectory, world: World, tables: _Tables, lake: Lake | None
) -> tuple[KnownFile, ...]:
    location = tables.heads.get(f"ledger.{source}")
    if location is None:
        return ()
    remembered = recall(place.cache, source, location)
    if remembered is not None:
        return remembered if lake is None else spare(lake, source, location, remembered)
    if lake is not None:
        return remember(place.cache, lake, source)
    from penstock.lake.lake import Lake

    with Lake.open(place.root, world) as opened:
        return remember(place.cache, opened, source)


def _pending(project: Project, contract: Contract, place: DataDirectory, tables: _Tables) -> Pending:
    silver = tables.properties(f"silver.{contract.dataset}")
    batches = rows = 0
    for source in project.sources_of(contract.dataset):
        taken = int(tables.properties(f"bronze.{source.name}").get(POSITION + source.name, "0"))
        done = int(silver.get(f"{POSITION}bronze.{source.name}", "0"))
        if taken > done:
            batches += taken - done
            rows += _rows_since(place.root, f"bronze.{source.name}", done)
    return Pending(batches, rows, rebuild_reason(project, contract, silver))


def _rows_since(root: Path, table: str, batch: int) -> int:
    """Rows of the batches after `batch`; a batch that was read again counts as it was read last."""
    records = read_records(root, "batch", prefix=f"{table}/")
    return sum({record["batch"]: record["accepted"] for record in records if record["batch"] > batch}.values())


def gold_reason(project: Project, place: DataDirectory) -> str | None:
    """Why gold must be built and released, or None where the last release equals silver and the declarations."""
    tables, release = _Tables.read(place.root), latest_release(place.root)
    gate = last_gate(place.root)
    if gate is not None and not gate.passed:
        return f"the gate refused release {gate.number}"
    if release is None:
        return "nothing was released yet"
    if release.models != project.models_fingerprint:
        return "the models changed"
    if release.project != project.fingerprint:
        return "the declarations changed"
    silver = {name: tables.summary(name) for name in (f"silver.{table}" for table in project.silver_tables)}
    now = {name: None if summary is None else summary.snapshot for name, summary in silver.items()}
    return "silver changed" if now != dict(release.silver) else None
