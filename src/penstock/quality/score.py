"""The quality score: the share of rows that met their contract.

    score = 100 * accepted / (accepted + quarantined)

`accepted` is the rows of silver, `quarantined` the rows of quarantine that are still open. The score of the
whole project adds up the rows of all datasets, so a dataset weighs as much as it has rows. Rows that were
duplicates, lost to a better version or were left out by a declared rule are neither. Without any row there is
no score. It is rounded down at the fourth digit, so 100 means that not one row is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from hashlib import sha256

import duckdb

from penstock.errors import counted
from penstock.quality.result import Kind, Status
from penstock.quality.rule import Outcome, Rule
from penstock.spec.project import Project, Severity
from penstock.sql.names import quote

_DIGITS = Decimal("0.0001")


@dataclass(frozen=True)
class Score:
    """Rows of one dataset, or of several together, that met and that broke their contract."""

    accepted: int
    quarantined: int

    def __add__(self, other: Score) -> Score:
        return Score(self.accepted + other.accepted, self.quarantined + other.quarantined)

    @property
    def value(self) -> Decimal | None:
        """Per cent, four digits, rounded down; None without rows.

        >>> Score(accepted=99_999, quarantined=1).value
        Decimal('99.9990')
        """
        rows = self.accepted + self.quarantined
        return None if rows == 0 else (Decimal(100 * self.accepted) / rows).quantize(_DIGITS, rounding=ROUND_DOWN)


def overall(scores: Iterable[Score]) -> Score:
    """All rows together."""
    return sum(scores, Score(0, 0))


def measure(connection: duckdb.DuckDBPyConnection, dataset: str, known: Collection[str]) -> Score:
    """Count a dataset's rows in silver and in open quarantine; a table that is not `known` has none."""
    accepted = _count(connection, f"silver.{quote(dataset)}") if f"silver.{dataset}" in known else 0
    refused = f"quarantine.{quote(dataset)} WHERE status = 'open'"
    return Score(accepted, _count(connection, refused) if f"quarantine.{dataset}" in known else 0)


def score_rules(project: Project, known: Collection[str]) -> tuple[Rule, ...]:
    """One rule per dataset, by name, and where there are several, one for all together. `known` are the tables that
    are there; each is counted once.

    Below the target is a warning, below the alert bound is a louder one; neither keeps gold back, for the rows
    in it did meet their contracts. A project that wants that declares a threshold check.
    """
    datasets = sorted(project.contracts)
    held: dict[str, Score] = {}

    def score(connection: duckdb.DuckDBPyConnection, dataset: str) -> Score:
        if dataset not in held:
            held[dataset] = measure(connection, dataset, known)
        return held[dataset]

    each = tuple(_rule(project, f"score.{name}", [name], str(project.contracts[name].path), score) for name in datasets)
    return (*each, _rule(project, "score", datasets, str(project.root), score)) if len(datasets) > 1 else each


def _rule(
    project: Project,
    name: str,
    datasets: Sequence[str],
    where: str,
    score: Callable[[duckdb.DuckDBPyConnection, str], Score],
) -> Rule:
    target, alert = Decimal(str(project.quality_target)), Decimal(str(project.quality_alert))
    return Rule(
        name=name,
        kind=Kind.SCORE,
        severity=Severity.WARN,
        expected=f"at least {target:f} %",
        fingerprint=sha256(f"{name}\x00{target}\x00{alert}".encode()).hexdigest(),
        where=where,
        description=f"rows of {', '.join(datasets)} that met their contract",
        run=lambda connection: judge(overall(score(connection, one) for one in datasets), target, alert),
    )


def judge(score: Score, target: Decimal, alert: Decimal) -> Outcome:
    """The score beside its two bounds, in per cent."""
    value = score.value
    if value is None:
        return Outcome(Status.PASS, None, "there are no rows yet")
    of = counted(score.accepted + score.quarantined, "row")
    told = f"{score.quarantined:,} of {of} in quarantine: score {value.normalize():f} %"
    if value < alert:
        return Outcome(Status.FAIL, f"{value:f}", f"ALERT: {told}, below the alert bound of {alert:f} %")
    if value < target:
        return Outcome(Status.FAIL, f"{value:f}", f"{told}, below the target of {target:f} %")
    return Outcome(Status.PASS, f"{value:f}", told)


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {relation}").fetchall()[0][0])
