"""What the gate found, as a table of the lake: one row for each check and test of every candidate, released or not.

It is written in the transaction of the release; for a candidate that was refused, in one of its own, which touches
nothing else. No row of the shop is quoted in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from penstock.lake.table import TableColumn, TableSpec
from penstock.quality.result import CheckResult, Kind
from penstock.quality.verdict import ModelTest

RESULTS = "quality.results"
TEST = "test"
_OF_DATASET = (Kind.SCORE, Kind.FRESHNESS, Kind.REFERENCES, Kind.UNIQUENESS)

SPEC = TableSpec(
    RESULTS,
    (
        TableColumn("release", "release", "long", required=True, doc="The release it was judged for"),
        TableColumn("released", "released", "boolean", required=True, doc="Whether the gate let it through"),
        TableColumn("judged_at", "judged_at", "timestamptz", required=True, doc="When the gate judged, UTC"),
        TableColumn("name", "name", "string", required=True, doc="The check or test"),
        TableColumn("kind", "kind", "string", required=True, doc="What it compares; `test` for a model's test"),
        TableColumn("dataset", "dataset", "string", doc="The dataset or model it is about, if it is about one"),
        TableColumn("severity", "severity", "string", required=True, doc="error keeps gold back, warn does not"),
        TableColumn("status", "status", "string", required=True, doc="pass, fail, error or pending"),
        TableColumn("value", "value", "string", doc="What was found, as text"),
        TableColumn(
            "score", "score", "decimal(7, 4)", doc="Of a quality score: per cent of rows that met the contract"
        ),
        TableColumn("expected", "expected", "string", doc="What was expected, as text"),
        TableColumn("message", "message", "string", required=True, doc="The finding in words"),
        TableColumn("fingerprint", "fingerprint", "string", doc="Of the rule as it is declared"),
    ),
    doc="What the gate found, for every candidate",
)
_SCHEMA = pa.schema(
    [
        ("release", pa.int64()),
        ("released", pa.bool_()),
        ("judged_at", pa.timestamp("us", tz="UTC")),
        *((name, pa.string()) for name in ("name", "kind", "dataset", "severity", "status", "value")),
        ("score", pa.decimal128(7, 4)),
        *((name, pa.string()) for name in ("expected", "message", "fingerprint")),
    ]
)


def result_rows(
    checks: Iterable[CheckResult], tests: Iterable[ModelTest], *, release: int, released: bool, judged_at: datetime
) -> pa.Table:
    """One row each, in the order of the checks, then of the tests."""
    common = {"release": release, "released": released, "judged_at": judged_at}
    rows = [{**common, **row} for row in (*_of_checks(checks), *_of_tests(tests))]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def _of_checks(checks: Iterable[CheckResult]) -> Iterator[Mapping[str, Any]]:
    for check in checks:
        yield {
            **check.as_record(),
            "dataset": _dataset(check),
            "score": Decimal(check.value) if check.kind is Kind.SCORE and check.value is not None else None,
        }


def _dataset(check: CheckResult) -> str | None:
    """The second part of `score.orders` or `references.touches.session_id`; the score of all has none."""
    _, _, rest = check.name.partition(".")
    return (rest.split(".")[0] or None) if check.kind in _OF_DATASET else None


def _of_tests(tests: Iterable[ModelTest]) -> Iterator[Mapping[str, Any]]:
    for test in tests:
        yield {
            "name": test.name,
            "kind": TEST,
            "dataset": test.model,
            "severity": test.severity,
            "status": "fail" if test.status == "warn" else test.status,
            "value": str(test.failures),
            "expected": "0",
            "message": f"{test.failures:,} rows break the rule" if test.failures else "holds",
        }
