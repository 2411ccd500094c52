"""What a run did, as values that the command line prints and the history keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

# Notices that make the exit code 1: a file that was not taken, work after the last commit that was not done.
REFUSED = "refused"
UNFINISHED = "unfinished"


@dataclass(frozen=True)
class DatasetResult:
    """Rows of one dataset in this run. `rows_in` = accepted + quarantined + duplicates + superseded + filtered.

    Seconds are wall time of reading and conforming. `quarantined` includes lines that could not be read.
    """

    dataset: str
    files: int
    rows_in: int
    accepted: int
    quarantined: int
    duplicates: int
    superseded: int
    filtered: int
    replaced: int
    seconds: float


@dataclass(frozen=True)
class Notice:
    """Something that the user should know: a refused, vanished, unsettled, ambiguous or conflicting file, a snapshot that is
    not whole, work after the last commit that was not done."""

    kind: str  # refused | vanished | unsettled | identical | ambiguous | conflicting | held | unfinished
    source: str
    text: str


@dataclass(frozen=True)
class CheckOutcome:
    """A check, or a model's test, as the gate saw it.

    `description` is the rule in the words of who declared it, with what to do; `sample` the first rows that break it,
    personal values masked.
    """

    name: str
    kind: str
    severity: str
    status: str  # pass | fail | error | pending | skipped
    message: str
    description: str = ""
    sample: tuple[Mapping[str, str | None], ...] = ()


@dataclass(frozen=True)
class RunReport:
    """The outcome is `released`, `loaded` (no models), `nothing new`, `gate failed` or `failed`."""

    run: str
    outcome: str
    release: int | None
    previous_release: int | None
    datasets: tuple[DatasetResult, ...]
    notices: tuple[Notice, ...]
    checks: tuple[CheckOutcome, ...]
    gold: Mapping[str, int]  # rows by gold table that changed
    verdict: str
    seconds: float
    exit_code: int

    def as_record(self) -> dict[str, object]:
        return asdict(self)

    @property
    def blocking(self) -> tuple[CheckOutcome, ...]:
        return tuple(check for check in self.checks if check.severity == "error" and check.status in {"fail", "error"})
