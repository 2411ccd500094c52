"""What a check of the gate found, as a frozen value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from penstock.spec.project import Severity

SAMPLE_ROWS = 5
Places: TypeAlias = "Mapping[str, Sequence[int]]"
"""Lines by the id of their file."""
MASK = "***"


class Kind(StrEnum):
    """What a check compares: the first three are declared in `checks/`, the others follow from the contracts."""

    THRESHOLD = "threshold"  # one number within bounds
    ROWS = "rows"  # a query whose rows are the violations
    RECONCILE = "reconcile"  # two queries with the same result
    REFERENCES = "references"  # rows whose referenced row has not arrived
    UNIQUENESS = "uniqueness"  # a key names one row, over all time
    FRESHNESS = "freshness"  # how long ago the newest row arrived
    VERSIONS = "versions"  # files of one version that say different things
    SCORE = "score"  # share of rows that met their contract


class Status(StrEnum):
    """pass: holds. fail: does not hold. error: the check itself could not be run, which counts as a failure.
    pending: rows still wait for others that may yet arrive; reported, and never a reason to stop.
    skipped: there is nothing to look at yet; reported, and never a reason to stop."""

    PASS = "pass"
    FAIL = "fail"
    ERROR = "error"
    PENDING = "pending"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class CheckResult:
    """One check after it was run.

    `value` and `expected` are text for people, `sample` holds up to five of the rows that broke the rule
    as text by column, with personal values masked. `where` is the file that declares the rule. `waiting` tells where
    the rows stand that wait, None where they are too many.
    """

    name: str
    kind: Kind
    severity: Severity
    status: Status
    value: str | None
    expected: str
    message: str
    sample: tuple[Mapping[str, str | None], ...]
    seconds: float
    fingerprint: str
    where: str
    description: str = ""
    waiting: Places | None = None

    @property
    def blocks(self) -> bool:
        """Whether this result keeps gold from being released."""
        return self.severity is Severity.ERROR and self.status in (Status.FAIL, Status.ERROR)

    def as_record(self) -> dict[str, object]:
        """As JSON values: what a release or a refused release remembers of it. Samples are left out, for
        records outlive the rows they would quote."""
        return {
            "name": self.name,
            "kind": self.kind.value,
            "severity": self.severity.value,
            "status": self.status.value,
            "value": self.value,
            "expected": self.expected,
            "message": self.message,
            "fingerprint": self.fingerprint,
        }

    def remembered(self) -> dict[str, object]:
        """As a record, with where the rows stand that wait, for the next release to ask again of these."""
        return self.as_record() | ({} if self.waiting is None else {"waiting": self.waiting})
