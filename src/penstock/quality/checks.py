"""Running all checks of the gate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import duckdb

from penstock.errors import PenstockError, without_values
from penstock.quality.declared import declared_rules
from penstock.quality.growth import Growth
from penstock.quality.implied import Conflicting, implied_rules
from penstock.quality.query import relations
from penstock.quality.result import CheckResult, Status
from penstock.quality.rule import Outcome, Rule
from penstock.quality.score import score_rules
from penstock.side_by_side import side_by_side
from penstock.spec.project import Project
from penstock.sql.beside import on_own
from penstock.world import Clock


def run_checks(
    project: Project,
    connection: duckdb.DuckDBPyConnection,
    *,
    clock: Clock,
    growth: Growth | None = None,
    personal: Mapping[str, Iterable[str]] | None = None,
    conflicting: Conflicting | None = None,
) -> tuple[CheckResult, ...]:
    """Run every check, some side by side; one that cannot be run is a result of status `error`, never an exception.

    `connection` has the schemas silver and quarantine at the snapshots of the candidate, and the candidate
    gold. Declared checks come first, in their order, then those the contracts imply, then the scores. Where there is
    `growth`, the schema came has the rows that came to its datasets, with the columns of silver. `personal` has the
    personal columns of each gold table. `conflicting`: see `implied_rules`.
    """
    known = relations(connection)
    rules = (
        *declared_rules(project, personal, growth=growth),
        *implied_rules(project, known, now=clock.now(), growth=growth, conflicting=conflicting),
        *score_rules(project, known),
    )
    return tuple(side_by_side(on_own(connection, lambda own, rule: _run(rule, own, clock)), rules))


def _run(rule: Rule, connection: duckdb.DuckDBPyConnection, clock: Clock) -> CheckResult:
    started = clock.monotonic()
    try:
        outcome = rule.run(connection)
    except (duckdb.Error, PenstockError) as error:
        outcome = Outcome(Status.ERROR, None, f"{rule.where}: {_sentence(error)}")
    return CheckResult(
        name=rule.name,
        kind=rule.kind,
        severity=rule.severity,
        status=outcome.status,
        value=outcome.value,
        expected=rule.expected,
        message=outcome.message,
        sample=outcome.sample,
        seconds=clock.monotonic() - started,
        fingerprint=rule.fingerprint,
        where=rule.where,
        description=rule.description,
        waiting=outcome.waiting,
    )


def _sentence(error: Exception) -> str:
    """The database's own message; one about a value quotes it, so what is quoted is masked."""
    message = str(error)
    return without_values(message) if isinstance(error, duckdb.DataError) else message
