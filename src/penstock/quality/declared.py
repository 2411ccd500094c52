"""The checks declared in `checks/`: thresholds, violating rows, reconciliations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial

import duckdb

from penstock.quality.each_row import of_rows_that_came
from penstock.quality.growth import Growth
from penstock.quality.live import missing_live
from penstock.quality.masking import personal_read
from penstock.quality.query import Names, number, one_value, sample
from penstock.quality.reconcile import reconcile
from penstock.quality.result import Kind, Status
from penstock.quality.rule import Outcome, Rule
from penstock.spec.project import Check, CheckKind, Project


def declared_rules(
    project: Project, gold: Mapping[str, Iterable[str]] | None = None, *, growth: Growth | None = None
) -> tuple[Rule, ...]:
    """One rule per declared check, in the order of the project. `gold` has the personal columns of each model. A rule
    that judges each row by itself looks only at those that came where it held for the others, as `growth` tells."""
    grown = Growth() if growth is None else growth
    return tuple(
        _rule(check, partial(personal_read, project, _queries(check), gold or {}), grown) for check in project.checks
    )


def _queries(check: Check) -> Sequence[str]:
    return [check.sql] if check.against is None else [check.sql, check.against]


def _rule(check: Check, personal: Names, growth: Growth) -> Rule:
    return Rule(
        name=check.name,
        kind=Kind(check.kind.value),
        severity=check.severity,
        expected=_expected(check),
        fingerprint=check.fingerprint,
        where=str(check.path),
        description=check.description,
        run=lambda connection: missing_live(check, connection) or _runner(check, personal, growth)(connection),
    )


def _runner(check: Check, personal: Names, growth: Growth) -> Callable[[duckdb.DuckDBPyConnection], Outcome]:
    match check.kind:
        case CheckKind.THRESHOLD:
            return lambda connection: _threshold(check, connection)
        case CheckKind.ROWS:
            return lambda connection: _violations(_asked(check, growth), connection, personal)
        case CheckKind.RECONCILE:
            return lambda connection: reconcile(connection, check.sql, check.against or "", personal=personal)


def _expected(check: Check) -> str:
    if check.kind is CheckKind.THRESHOLD:
        return bounds_text(check.minimum, check.maximum)
    return "no row" if check.kind is CheckKind.ROWS else "the same result from both queries"


def _threshold(check: Check, connection: duckdb.DuckDBPyConnection) -> Outcome:
    found = number(one_value(connection, check.sql))
    if found is None:
        return Outcome(Status.FAIL, None, "there is no number: the query gave NULL")
    value = format(found, "f") if found.is_finite() else str(found)
    if within(found, check.minimum, check.maximum):
        return Outcome(Status.PASS, value, f"{value} is {bounds_text(check.minimum, check.maximum)}")
    return Outcome(Status.FAIL, value, f"{value} is not {bounds_text(check.minimum, check.maximum)}")


def _asked(check: Check, growth: Growth) -> str:
    """The query, over the rows that came alone where that is enough."""
    held = growth.holds_for_the_others(check.name, check.fingerprint, of=())
    narrow = of_rows_that_came(check.sql, growth.came, growth.gold) if held else None
    return check.sql if narrow is None else narrow


def _violations(sql: str, connection: duckdb.DuckDBPyConnection, personal: Names) -> Outcome:
    found = sample(connection, sql, personal)
    if found.rows == 0:
        return Outcome(Status.PASS, "0", "no row breaks the rule")
    rows = "1 row breaks the rule" if found.rows == 1 else f"{found.rows:,} rows break the rule"
    return Outcome(Status.FAIL, str(found.rows), rows, found.sample)


def within(value: Decimal, minimum: str | None, maximum: str | None) -> bool:
    """Whether a number lies within inclusive bounds, compared exactly; NaN lies nowhere.

    >>> within(Decimal("0.1"), "0.1", None), within(Decimal("NaN"), None, None)
    (True, False)
    """
    if value.is_nan():
        return False
    return (minimum is None or value >= Decimal(minimum)) and (maximum is None or value <= Decimal(maximum))


def bounds_text(minimum: str | None, maximum: str | None) -> str:
    """Inclusive bounds as a phrase.

    >>> bounds_text("1", None)
    'at least 1'
    """
    if minimum is not None and maximum is not None:
        return f"exactly {minimum}" if minimum == maximum else f"between {minimum} and {maximum}"
    if minimum is not None:
        return f"at least {minimum}"
    return f"at most {maximum}" if maximum is not None else "any number"
