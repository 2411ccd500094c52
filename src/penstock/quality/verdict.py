"""The verdict of the gate: may this candidate be released."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from penstock.errors import counted, without_values
from penstock.quality.masking import hidden_columns, masked
from penstock.quality.result import CheckResult, Status
from penstock.spec.project import Severity


class ModelTest(Protocol):
    """What the verdict needs to know of a test of the models (`transform` has the value)."""

    @property
    def name(self) -> str: ...
    @property
    def model(self) -> str | None: ...
    @property
    def column(self) -> str | None: ...
    @property
    def status(self) -> str: ...  # pass | warn | fail | error
    @property
    def severity(self) -> str: ...
    @property
    def failures(self) -> int: ...
    @property
    def message(self) -> str: ...
    @property
    def sql(self) -> str: ...
    @property
    def sample(self) -> tuple[Mapping[str, str | None], ...]: ...
    @property
    def path(self) -> Path: ...


@dataclass(frozen=True)
class Reason:
    """One thing that is wrong, or worth knowing: which rule, where it is declared, what was found, which rows."""

    rule: str
    where: str
    message: str
    sample: tuple[Mapping[str, str | None], ...] = ()

    def __str__(self) -> str:
        shown = "; ".join(_row(row) for row in self.sample)
        return f"{self.rule}: {self.message}" + (f" ({shown})" if shown else "")

    def as_record(self) -> dict[str, str]:
        return {"rule": self.rule, "where": self.where, "message": self.message}


@dataclass(frozen=True)
class Verdict:
    """`blocking` keeps gold as it is; `warnings` are reported beside the release."""

    blocking: tuple[Reason, ...]
    warnings: tuple[Reason, ...]
    held: int  # rules that hold

    @property
    def passed(self) -> bool:
        return not self.blocking

    def sentence(self) -> str:
        """One sentence for a person: what was decided, by which rule, over which rows."""
        if self.passed:
            noted = f", {len(self.warnings)} to note" if self.warnings else ""
            holds = "holds" if self.held == 1 else "hold"
            return f"The gate passed: {counted(self.held, 'rule')} {holds}{noted}."
        first, more = self.blocking[0], len(self.blocking) - 1
        rest = "" if more == 0 else f" And {more} more."
        return f"The gate failed, so gold was not changed: {str(first).rstrip('.')}.{rest}"


def judge(
    checks: Sequence[CheckResult],
    tests: Sequence[ModelTest] = (),
    *,
    personal: Callable[[str], frozenset[str]] = lambda _: frozenset(),
) -> Verdict:
    """Weigh check results and model tests; pure. Sampled rows of tests are masked by the column names that are `personal`
    in what their SQL reads.

    A check or test of severity `error` that fails, or cannot be run, blocks. Rows that wait for a reference
    are noted and never block.
    """
    blocking = [_check_reason(check) for check in checks if check.blocks]
    quiet = (Status.PASS, Status.SKIPPED)
    warnings = [_check_reason(check) for check in checks if check.status not in quiet and not check.blocks]
    blocking += [_test_reason(test, personal(test.sql)) for test in tests if _blocks(test)]
    warnings += [
        _test_reason(test, personal(test.sql)) for test in tests if test.status != "pass" and not _blocks(test)
    ]
    skipped = sum(check.status is Status.SKIPPED for check in checks)
    held = len(checks) + len(tests) - len(blocking) - len(warnings) - skipped
    return Verdict(tuple(blocking), tuple(warnings), held)


def _blocks(test: ModelTest) -> bool:
    """dbt says `warn` for a failing test of that severity; a test that could not be run blocks in any case."""
    return test.status == "error" or (test.status == "fail" and test.severity == Severity.ERROR)


def _check_reason(check: CheckResult) -> Reason:
    return Reason(check.name, check.where, check.message, check.sample)


def _test_reason(test: ModelTest, personal: frozenset[str]) -> Reason:
    names = list(test.sample[0]) if test.sample else []
    hidden = hidden_columns(test.sql, names, personal)
    place = ".".join(part for part in (test.model, test.column) if part is not None)
    told = without_values(test.message) if test.status == "error" else test.message
    message = f"{place}: {told}" if place else told
    return Reason(test.name, str(test.path), message, tuple(masked(row, hidden) for row in test.sample))


def _row(row: Mapping[str, str | None]) -> str:
    return ", ".join(f"{name} {'NULL' if value is None else value}" for name, value in row.items())
