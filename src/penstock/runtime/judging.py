"""The gate of a release: checks and metrics are held against what was built, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, TypeVar

import duckdb

from penstock.lake.lake import Lake
from penstock.lake.table import Scan
from penstock.load.conflicts import conflicts
from penstock.load.near import near
from penstock.quality.checks import run_checks
from penstock.quality.growth import CAME_GOLD, Growth
from penstock.quality.implied import Conflicting
from penstock.quality.masking import personal_columns, personal_read
from penstock.quality.result import CheckResult
from penstock.quality.verdict import Verdict, judge
from penstock.release.candidate import define_candidate
from penstock.release.publish import Judgement
from penstock.release.record import Release
from penstock.release.shape import Personal
from penstock.runtime.installation import Installation
from penstock.runtime.lanes import Tell
from penstock.runtime.live_checks import define_live
from penstock.runtime.metrics import keep_metrics
from penstock.runtime.preparing import Preparation
from penstock.runtime.report import CheckOutcome
from penstock.runtime.serving import judge_endpoints, key_checks
from penstock.serve.definitions import COUNTED
from penstock.spec.project import Project
from penstock.sql.beside import another
from penstock.sql.names import quote
from penstock.sql.scan import read_scan
from penstock.transform.result import Build, ModelInput, ModelResult
from penstock.transform.rows import came_since
from penstock.transform.workspace import DATABASE

Found = TypeVar("Found")


@dataclass(frozen=True)
class Pinned:
    """What a build is made from: its inputs, the scans that the gate looks at, and the release it is built upon."""

    inputs: Mapping[str, ModelInput]
    scans: Mapping[str, Scan]
    last: Release | None


@dataclass(frozen=True)
class Gate:
    """Judges what was built, on connections of its own to its warehouse. `check` and `keep_metrics` may be at work side
    by side; who asks for the judgement waits for both."""

    installation: Installation
    lake: Lake
    pinned: Pinned
    prepared: Preparation
    built: Build
    connection: duckdb.DuckDBPyConnection
    _checks: Future[tuple[CheckResult, ...]] = field(default_factory=Future)
    _metrics: Future[str | None] = field(default_factory=Future)

    def check(self, _: Tell) -> None:
        _answer(self._checks, self._check)

    def keep_metrics(self, tell: Tell) -> None:
        _answer(self._metrics, partial(self._keep, tell))

    @property
    def checks(self) -> tuple[CheckResult, ...]:
        return self._checks.result()

    @cached_property
    def verdict(self) -> Verdict:
        personal = partial(_personal_read, self.installation.project, self._personal)
        return judge(self.checks, self.built.tests, personal=personal)

    def judgement(self, counts: Mapping[str, Any]) -> Judgement:
        """What a release needs to know; `counts` and the fingerprint of the metrics are kept in its record."""
        metrics = self._metrics.result()
        return Judgement(self.verdict, self.checks, {**counts, **({} if metrics is None else {COUNTED: metrics})})

    def outcomes(self) -> tuple[CheckOutcome, ...]:
        masked = {reason.rule: reason.sample for reason in (*self.verdict.blocking, *self.verdict.warnings)}
        from_checks = [
            CheckOutcome(
                check.name, check.kind, check.severity, check.status, check.message, check.description, check.sample
            )
            for check in self.checks
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
            for test in self.built.tests
        ]
        return (*from_checks, *from_tests)

    @cached_property
    def _personal(self) -> Mapping[str, frozenset[str]]:
        """The personal columns of every gold table."""
        personal = Personal(personal_columns(self.installation.project))
        return {
            model.name: frozenset(column.name for column in model.columns if personal.holds(column))
            for model in self.built.gold
        }

    def _keep(self, tell: Tell) -> str | None:
        self.prepared.metrics(tell)
        with another(self.connection) as own:
            return keep_metrics(self.installation, self.built, own, self.pinned.last)

    def _check(self) -> tuple[CheckResult, ...]:
        project, clock, built = self.installation.project, self.installation.world.clock, self.built
        judge_endpoints(project, built.gold)
        came, growth = _grown(project, self.pinned)
        with another(self.connection) as own:
            define_candidate(own, scans=self.pinned.scans, models=built.gold, came=came)
            growth = replace(growth, gold=_define_came_to_gold(own, built.gold))
            define_live(own, self.installation.place.root / "live", project.checks)
            checks = run_checks(
                project,
                own,
                clock=clock,
                growth=growth,
                personal=self._personal,
                conflicting=_conflicting(project, self.lake),
            )
            return (*checks, *key_checks(project.endpoints, own, clock=clock, growth=growth))


def _answer(asked: Future[Found], work: Callable[[], Found]) -> None:
    try:
        asked.set_result(work())
    except BaseException as error:
        asked.set_exception(error)
        raise


def _conflicting(project: Project, lake: Lake) -> Conflicting:
    """Files of one version with different content, by dataset."""
    found = {dataset: conflicts(lake, project, contract) for dataset, contract in project.contracts.items()}
    return {dataset: [one.as_row() for one in files] for dataset, files in found.items()}


def _grown(project: Project, pinned: Pinned) -> tuple[Mapping[str, Scan], Growth]:
    """What came to the datasets since the last release, where that is known, and what its checks found."""
    inputs, last = pinned.inputs, pinned.last
    if last is None:
        return {}, Growth()
    came = {name: given.added for name, given in inputs.items() if given.added is not None}
    came |= {name: given.scan for name, given in inputs.items() if not given.scan.files}
    whole = [name for name in came if not inputs[name].gone and (inputs[name].added or inputs[name].since is None)]
    return came, Growth(frozenset(came), frozenset(whole), last.checks, partial(_earlier, project, inputs))


def _define_came_to_gold(connection: duckdb.DuckDBPyConnection, models: Sequence[ModelResult]) -> frozenset[str]:
    """Make the schema of the rows that came to gold tables; those of which they are known."""
    connection.execute(f"CREATE SCHEMA {CAME_GOLD}")
    known = {model.name: rows for model in models if (rows := came_since(model)) is not None}
    for name, rows in known.items():
        connection.execute(f"CREATE VIEW {CAME_GOLD}.{quote(name)} AS {rows}")
    return frozenset(known)


def _earlier(
    project: Project,
    inputs: Mapping[str, ModelInput],
    connection: duckdb.DuckDBPyConnection,
    dataset: str,
    keys: str | None,
) -> str:
    given = inputs[dataset]
    came = set() if given.added is None else {file.path for file in given.added.files}
    stood = replace(given.scan, files=tuple(file for file in given.scan.files if file.path not in came))
    contract, files = project.contracts[dataset], stood.files
    if keys is not None:
        files = tuple(near(connection, contract, files, stood.columns, keys))
    return f"({read_scan(files, stood.columns)})"


def _personal_read(project: Project, gold: Mapping[str, frozenset[str]], sql: str) -> frozenset[str]:
    """What is personal in the rows of a model test: dbt writes tables with the warehouse's name."""
    return personal_read(project, [sql], gold, catalogue=DATABASE)
