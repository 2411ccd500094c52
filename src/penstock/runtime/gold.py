"""From silver to a released gold: build in the warehouse or its copy, check, judge, release, keep what was built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import duckdb

from penstock.errors import GateFailed, counted
from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.lake.table import Scan
from penstock.load.tables import quarantine_spec, silver_name, silver_spec, snapshots_spec
from penstock.quality.verdict import Verdict
from penstock.release.model import Candidate
from penstock.release.publish import Judgement, publish
from penstock.release.record import Release, latest_release
from penstock.runtime.built_upon import built_upon
from penstock.runtime.installation import Installation
from penstock.runtime.judging import Gate, Pinned
from penstock.runtime.lanes import Tell, heard, in_lanes
from penstock.runtime.preparing import Preparation
from penstock.runtime.report import CheckOutcome
from penstock.runtime.watch import Watch
from penstock.spec.contract import snapshots_name
from penstock.transform import warehouse
from penstock.transform.build import build
from penstock.transform.result import Build, ModelInput
from penstock.transform.rows import Rows


@dataclass(frozen=True)
class Judged:
    """What became of a candidate: the release, or None where the gate refused it."""

    release: Release | None
    verdict: Verdict
    checks: tuple[CheckOutcome, ...]


def release_gold(
    installation: Installation,
    lake: Lake,
    lease: Lease,
    watch: Watch,
    prepared: Preparation,
    *,
    counts: Mapping[str, Any],
) -> Judged:
    """Build what changed, pass the gate, release; then the warehouse follows. Whatever fails before the release leaves the
    last one and its warehouse as they are; what fails after it leaves a warehouse that the next build starts from."""
    project, place, clock = installation.project, installation.place, installation.world.clock
    last = latest_release(place.root)
    since, base = (None, None) if last is None else built_upon(place, last)
    built_on = None if since is None or base is None else since.number
    pinned = _pin(installation, lake, lease, since)
    candidacy = _Candidacy(installation, lake, lease, watch, prepared, pinned, built_on, counts)
    try:
        watch.begin("build the models")
        prepared.models()
        built = build(
            project,
            inputs=pinned.inputs,
            base=base,
            target=place.building,
            clock=clock,
            log=place.logs,
            in_place=True,
            look=candidacy.look,
        )
        if candidacy.release is not None:
            warehouse.promote(built.database, place.warehouse(candidacy.release.number), installation.world.disk)
    except GateFailed:
        watch.end("refused")
    finally:
        warehouse.discard(place.building)
    return candidacy.judged()


@dataclass
class _Candidacy:
    """A build on its way to a release: the gate judges it while it is staged."""

    installation: Installation
    lake: Lake
    lease: Lease
    watch: Watch
    prepared: Preparation
    pinned: Pinned
    built_on: int | None
    counts: Mapping[str, Any]
    gate: Gate | None = None
    release: Release | None = None

    def look(self, built: Build, connection: duckdb.DuckDBPyConnection) -> None:
        self.watch.end(f"{counted(len(built.models), 'model')}, {counted(len(built.tests), 'test')}")
        self.watch.begin("pass the gate")
        gate = self.gate = Gate(self.installation, self.lake, self.pinned, self.prepared, built, connection)
        publish = partial(self._publish, gate)
        in_lanes([gate.check, gate.keep_metrics, publish], at_a_time=self.installation.world.at_a_time)

    def judged(self) -> Judged:
        if self.gate is None:
            raise AssertionError("a build that ends was looked at")
        return Judged(self.release, self.gate.verdict, self.gate.outcomes())

    def _publish(self, gate: Gate, tell: Tell) -> None:
        candidate = Candidate(
            models=gate.built.gold,
            rows=Rows(gate.connection),
            built_on=self.built_on,
            silver={f"silver.{dataset}": given.scan.snapshot_id for dataset, given in self.pinned.inputs.items()},
        )
        judged = partial(self._judged, gate, tell)
        project, tests = self.installation.project, gate.built.tests
        self.release = publish(self.lake, project, candidate, judged=judged, lease=self.lease, tests=tests)
        tell(self.watch.end, f"release {self.release.number}")

    def _judged(self, gate: Gate, tell: Tell) -> Judgement:
        """Wait for the gate, and for those who are told what it said: nothing moves before."""
        judgement = gate.judgement(self.counts)
        verdict = judgement.verdict
        held, blocking = counted(verdict.held, "rule"), len(verdict.blocking)
        tell(self.watch.end, f"{held} hold, {blocking} block, {len(verdict.warnings)} to note")
        tell(self.watch.begin, "release gold")
        heard(tell)
        return judgement


def _pin(installation: Installation, lake: Lake, lease: Lease, since: Release | None) -> Pinned:
    """Silver as the build sees it, with what came since a release; silver and quarantine for the gate."""
    project = installation.project
    inputs: dict[str, ModelInput] = {}
    scans: dict[str, Scan] = {}
    for dataset, contract in project.contracts.items():
        before = lake.spec(silver_name(dataset))
        head = lake.ensure(silver_spec(contract, project.contracts, before=before), lease=lease)
        heads = {dataset: head}
        if project.has_snapshots(dataset):
            listed = lake.ensure(snapshots_spec(contract, project.contracts), lease=lease)
            heads[snapshots_name(dataset)] = listed
        for name, table in heads.items():
            scan = lake.scan_head(table)
            inputs[name] = _input(lake, scan, None if since is None else since.silver.get(table.name))
            scans[table.name] = scan
        refused = lake.ensure(quarantine_spec(dataset), lease=lease)
        scans[refused.name] = lake.scan_head(refused)
    return Pinned(inputs, scans, since)


def _input(lake: Lake, scan: Scan, since: int | None) -> ModelInput:
    """A silver table with what came and what went since a snapshot, if that can be told."""
    changes = None if since is None else lake.changes(scan.table, since, scan.snapshot_id)
    if changes is None or changes.expired:
        return ModelInput(scan, since=since)
    return ModelInput(scan, changes.added, changes.gone if changes.removed else None, since)
