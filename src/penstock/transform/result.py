"""What goes into a build and what comes out, as frozen values. Needs neither dbt nor DuckDB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

from penstock.lake.table import Scan

GOLD = "gold"  # the schema of what is released


class ModelKind(StrEnum):
    """append: rows are only ever added (an incremental model of strategy `append`).
    replace: the whole table is a function of its inputs and is written anew."""

    APPEND = "append"
    REPLACE = "replace"


class ModelStatus(StrEnum):
    """built: made from nothing in this build. appended: only new rows were added to what the base held.
    moved: rows of some keys were made anew, the base's others stand. kept: neither inputs nor code changed, the base's rows stand."""

    BUILT = "built"
    APPENDED = "appended"
    MOVED = "moved"
    KEPT = "kept"


class TestStatus(StrEnum):
    """What a dbt test said; `warn` and `fail` both have failing rows, severity decides which."""

    __test__ = False  # a noun of dbt, not something pytest collects

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    ERROR = "error"


@dataclass(frozen=True)
class ModelInput:
    """One silver dataset as a build may see it.

    `scan` is everything at the pinned snapshot. `added` are the files that came since the base was built, `removed`
    those that went, as a whole or of `only` some rows (what they hold may have come again in an added one); `added`
    is None when the difference is not known, so that everything downstream is rebuilt. `since` is the snapshot that
    both count from; when it is given and the base was built at another, they are not trusted.
    """

    scan: Scan
    added: Scan | None = None
    removed: Scan | None = None
    since: int | None = None

    @property
    def gone(self) -> bool:
        """Whether files went since the base was built."""
        return self.removed is not None and bool(self.removed.files)


@dataclass(frozen=True)
class ModelColumn:
    """A column of a built model. `id` is stable over renames (`meta: {id: ...}`, its name by default);
    `lake_type` is the Iceberg type, None where there is none (never in gold). `classification` as in a contract
    (`meta: {classification: personal}`), None where it is not declared."""

    name: str
    duckdb_type: str
    lake_type: str | None
    description: str
    id: str
    classification: str | None


@dataclass(frozen=True)
class ModelResult:
    """One model after a build. `held_rows` is the number of rows the base held where more were appended.

    `rows` of a view that is not released are not counted. `new_rows` are those that the base did not have, where all that
    it had stand; every row in any other case. `content_hash` stands for the rows without their order; of an append model it is None, for that is never
    skipped. `changed` is False when a reader could not tell the table from the base's.
    """

    unique_id: str
    name: str
    schema: str
    kind: ModelKind
    status: ModelStatus
    rows: int
    new_rows: int
    seconds: float
    changed: bool
    content_hash: str | None
    held_rows: int | None
    slice_by: str | None  # a column of dates by whose ranges the lake cuts its files
    moved_slices: tuple[date, ...] | None  # its values in rows that came or went since the base; None where not known
    shown_in: str | None  # a further schema in which readers of a release find it
    columns: tuple[ModelColumn, ...]
    description: str
    tests: tuple[str, ...]  # names of the tests that hold it
    path: Path

    @property
    def table(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def hands_changes_to_release(self) -> bool:
        """Whether a release may ask which of its rows came and which went."""
        return self.status is ModelStatus.MOVED and self.schema == GOLD


@dataclass(frozen=True)
class TestResult:
    """One dbt test after a build; `sample` holds up to five failing rows as text, by column."""

    __test__ = False

    name: str
    model: str | None
    column: str | None
    status: TestStatus
    severity: str  # error blocks the release, warn is reported
    failures: int
    message: str
    sql: str
    sample: tuple[Mapping[str, str | None], ...]
    path: Path

    @property
    def blocks(self) -> bool:
        return self.status in (TestStatus.FAIL, TestStatus.ERROR)


@dataclass(frozen=True)
class Build:
    """A finished build: the database file that holds it, every model, and every test that was run.

    A test is not run again while all models it reads are kept: the base was released, so it passed.
    `semantic_manifest` is dbt's JSON of the metrics that the project declares, None where it declares none.
    """

    database: Path
    models: tuple[ModelResult, ...]
    tests: tuple[TestResult, ...]
    seconds: float
    semantic_manifest: str | None = None

    @property
    def gold(self) -> tuple[ModelResult, ...]:
        return tuple(model for model in self.models if model.schema == GOLD)

    @property
    def failed_tests(self) -> tuple[TestResult, ...]:
        """Tests that block a release."""
        return tuple(test for test in self.tests if test.blocks)
