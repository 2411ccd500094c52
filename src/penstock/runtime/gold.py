"""From silver to a released gold: build in a copy of the warehouse, check, judge, release, keep the copy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import duckdb

from penstock.errors import GateFailed, counted
from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.lake.table import Scan
from penstock.load.conflicts import conflicts
from penstock.load.tables import quarantine_spec, silver_name, silver_spec, snapshots_spec
from penstock.quality.checks import run_checks
from penstock.quality.growth import Growth
from penstock.quality.implied import Conflicting
from penstock.quality.masking import personal_columns, personal_read
from penstock.quality.result import CheckResult
from penstock.quality.verdict import Verdict, judge
from penstock.release.candidate import define_candidate
from penstock.release.publish import Candidate, publish
from penstock.release.record import Release, latest_release
from penstock.release.shape import Personal
from penstock.runtime.copying import Ahead
from penstock.runtime.installation import Installation
from penstock.runtime.lanes import Tell, in_lanes
from penstock.runtime.live_checks import define_live
from penstock.runtime.metrics import keep_metrics
from penstock.runtime.preparing import Preparation
from penstock.runtime.report import CheckOutcome
from penstock.runtime.serving import judge_endpoints, key_checks
from penstock.runtime.watch import Watch
from penstock.serve.definitions import COUNTED
from penstock.spec.contract import snapshots_name
from penstock.spec.project import Project
from penstock.sql.beside import another
from penstock.transform import warehouse
from penstock.transform.build import build
from penstock.transform.result import Build, ModelInput
from penstock.transform.rows import Rows
from penstock.transform.workspace import DATABASE


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
    ahead: Ahead,
    *,
    counts: Mapping[str, Any],
) -> Judged:
    """Build what changed, pass the gate, release. Whatever fails leaves the last release as it is."""
    project, place, clock = installation.project, installation.place, installation.world.clock
    last = latest_release(place.root)
    base = None if last is None else place.warehouse(last.number)
    built_on = last.number if last is not None and base is not None and base.exists() else None
    inputs, scans = _pin(installation, lake, lease, last)
    try:
        watch.begin("build the models")
        prepared.models()
        found: list[_Found] = []

        def look(built: Build, connection: duckdb.DuckDBPyConnection) -> None:
            watch.end(f"{counted(len(built.models), 'model')}, {counted(len(built.tests), 'test')}")
            watch.begin("pass the gate")
            conflicting = _conflicting(project, lake)
            found.append(_checked(installation, built, connection, scans, inputs, last, prepared, conflicting))

        built = build(
            project,
            inputs=inputs,
            base=base,
            target=place.building,
            clock=clock,
            log=place.logs,
            copy=ahead.copy,
            look=look,
        )
        checks, metrics = found[0]
        read = partial(_personal_read, project, _personal(project, built))
        verdict = judge(checks, built.tests, personal=read)
        watch.end(
            f"{counted(verdict.held, 'rule')} hold, {len(verdict.blocking)} block, {len(verdict.warnings)} to note"
        )
        watch.begin("release gold")
        with warehouse.opened(built.database, read_only=True) as connection:
            release = publish(
                lake,
                project,
                Candidate(
                    models=built.gold,
                    rows=Rows(connection),
                    built_on=built_on,
                    silver={f"silver.{dataset}": given.scan.snapshot_id for dataset, given in inputs.items()},
                ),
                checks=checks,
                tests=built.tests,
                verdict=verdict,
                lease=lease,
                counts={**counts, **({} if metrics is None else {COUNTED: metrics})},
            )
        watch.end(f"release {release.number}")
    except GateFailed:
        watch.end("refused")
        warehouse.discard(place.building)
        return Judged(None, verdict, _outcomes(checks, built, verdict))
    except BaseException:
        warehouse.discard(place.building)
        raise
    warehouse.promote(place.building, place.warehouse(release.number), installation.world.disk)
    return Judged(release, verdict, _outcomes(checks, built, verdict))


def _pin(
    installation: Installation, lake: Lake, lease: Lease, last: Release | None
) -> tuple[dict[str, ModelInput], dict[str, Scan]]:
    """Silver as the build sees it, with what came since the last release; silver and quarantine for the gate."""
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
            inputs[name] = _input(lake, scan, None if last is None else last.silver.get(table.name))
            scans[table.name] = scan
        refused = lake.ensure(quarantine_spec(dataset), lease=lease)
        scans[refused.name] = lake.scan_head(refused)
    return inputs, scans


def _input(lake: Lake, scan: Scan, since: int | None) -> ModelInput:
    """A silver table with the files that came and those that went since a snapshot, if that can be told."""
    changes = None if since is None else lake.changes(scan.table, since, scan.snapshot_id)
    if changes is None or changes.expired:
        return ModelInput(scan, since=since)
    if not changes.removed:
        return ModelInput(scan, changes.added, since=since)
    here = {file.path for file in scan.files}
    gone = tuple(file for file in lake.scan(scan.table, snapshot_id=since).files if file.path not in here)
    return ModelInput(scan, changes.added, replace(scan, files=gone), since)


def _conflicting(project: Project, lake: Lake) -> Conflicting:
    """Files of one version with different content, by dataset."""
    found = {dataset: conflicts(lake, project, contract) for dataset, contract in project.contracts.items()}
    return {dataset: [one.as_row() for one in files] for dataset, files in found.items()}


_Found = tuple[tuple[CheckResult, ...], str | None]


def _checked(
    installation: Installation,
    built: Build,
    connection: duckdb.DuckDBPyConnection,
    scans: Mapping[str, Scan],
    inputs: Mapping[str, ModelInput],
    last: Release | None,
    prepared: Preparation,
    conflicting: Conflicting,
) -> _Found:
    """What the checks say, and the fingerprint of the metrics, which are held against the same tables beside them."""
    checks: list[CheckResult] = []
    metrics: list[str | None] = []

    def check(_: Tell) -> None:
        checks.extend(_check(installation, built, connection, scans, inputs, last, conflicting))

    def keep(tell: Tell) -> None:
        prepared.metrics(tell)
        with another(connection) as own:
            metrics.append(keep_metrics(installation, built, own, last))

    in_lanes([check, keep], at_a_time=installation.world.at_a_time)
    return tuple(checks), metrics[0]


def _check(
    installation: Installation,
    built: Build,
    connection: duckdb.DuckDBPyConnection,
    scans: Mapping[str, Scan],
    inputs: Mapping[str, ModelInput],
    last: Release | None,
    conflicting: Conflicting,
) -> tuple[CheckResult, ...]:
    project, clock = installation.project, installation.world.clock
    judge_endpoints(project, built.gold)
    came, growth = _grown(inputs, last)
    define_candidate(connection, scans=scans, models=built.gold, came=came)
    define_live(connection, installation.place.root / "live", project.checks)
    checks = run_checks(
        project,
        connection,
        clock=clock,
        growth=growth,
        personal=_personal(project, built),
        conflicting=conflicting,
    )
    return (*checks, *key_checks(project.endpoints, connection, clock=clock))


def _grown(inputs: Mapping[str, ModelInput], last: Release | None) -> tuple[Mapping[str, Scan], Growth]:
    """What came to the datasets since the last release, where that is known, and what its checks found."""
    if last is None:
        return {}, Growth()
    came = {name: given.added for name, given in inputs.items() if given.added is not None}
    came |= {name: given.scan for name, given in inputs.items() if not given.scan.files}
    whole = [name for name in came if not inputs[name].gone and (inputs[name].added or inputs[name].since is None)]
    return came, Growth(frozenset(came), frozenset(whole), last.checks)


def _personal(project: Project, built: Build) -> Mapping[str, frozenset[str]]:
    """The personal columns of every gold table."""
    personal = Personal(personal_columns(project))
    return {
        model.name: frozenset(column.name for column in model.columns if personal.holds(column)) for model in built.gold
    }


def _personal_read(project: Project, gold: Mapping[str, frozenset[str]], sql: str) -> frozenset[str]:
    """What is personal in the rows of a model test: dbt writes tables with the warehouse's name."""
    return personal_read(project, [sql], gold, catalogue=DATABASE)


def _outcomes(checks: tuple[CheckResult, ...], built: Build, verdict: Verdict) -> tuple[CheckOutcome, ...]:
    masked = {reason.rule: reason.sample for reason in (*verdict.blocking, *verdict.warnings)}
    from_checks = [
        CheckOutcome(
            check.name, check.kind, check.severity, check.status, check.message, check.description, check.sample
        )
        for check in checks
    ]
    from_tests = [
        CheckOutcome(
            name=test.name,
            kind="test",
            severity=test.severity,
            status="fail" if test.status == "warn" else test.status,
            message=test.message or f"{test.failures} rows",
            sample=masked.get(test.name, ()),
        )
        for test in built.tests
    ]
    return (*from_checks, *from_tests)
