"""The verdict: what blocks, what is noted, and a sentence that names rows and rule."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from penstock.quality.checks import run_checks
from penstock.quality.verdict import judge
from penstock.spec.project import CheckKind, Severity
from tests.quality.quality_shapes import BOOKS, LOANS, StoppedClock, check, library, project, run_one


def model_test(status: str, severity: str = "error", **fields: Any) -> SimpleNamespace:
    facts: dict[str, Any] = {
        "name": "unique_fact_loan_id",
        "model": "fact",
        "column": "loan_id",
        "failures": 2,
        "message": "2 rows",
        "sql": "SELECT loan_id FROM gold.fact",
        "sample": ({"loan_id": "7"},),
        "path": Path("models/schema.yml"),
    }
    return SimpleNamespace(status=status, severity=severity, **facts | fields)


@pytest.mark.parametrize(
    ("status", "severity", "blocks", "warns"),
    [
        ("pass", "error", 0, 0),
        ("fail", "error", 1, 0),
        ("fail", "warn", 0, 1),
        ("warn", "warn", 0, 1),
        ("error", "error", 1, 0),
        ("error", "warn", 1, 0),
    ],
)
def test_a_model_test_blocks_by_its_severity_and_always_when_it_cannot_be_run(
    status: str, severity: Severity, blocks: int, warns: int
) -> None:
    verdict = judge([], [model_test(status, severity)])
    assert (len(verdict.blocking), len(verdict.warnings), verdict.passed) == (blocks, warns, blocks == 0)


@pytest.mark.parametrize(("severity", "passed"), [(Severity.ERROR, False), (Severity.WARN, True)])
@pytest.mark.parametrize("sql", ["SELECT 1", "SELECT nope"])
def test_a_failing_or_broken_check_blocks_by_its_severity(severity: Severity, passed: bool, sql: str) -> None:
    verdict = judge([run_one(library(), check(CheckKind.ROWS, sql, severity=severity))])
    assert verdict.passed is passed
    assert len(verdict.blocking) + len(verdict.warnings) == 1


def test_the_sentence_names_the_rule_and_the_rows() -> None:
    connection = library([(4, None, None)])
    bad = run_one(connection, check(CheckKind.ROWS, "SELECT loan_id, _file, _line FROM silver.loans", name="no_loans"))
    verdict = judge([bad], [model_test("fail")])
    assert verdict.sentence() == (
        "The gate failed, so gold was not changed: "
        "no_loans: 1 row breaks the rule (loan_id 4, _file loans.csv, _line 2). And 1 more."
    )


def test_pending_rows_are_noted_and_pass() -> None:
    checks = run_checks(project(contracts=(LOANS, BOOKS)), library([(1, 5, None)]), clock=StoppedClock())
    verdict = judge(checks)
    assert verdict.passed
    assert "references.loans.book_id" in {reason.rule for reason in verdict.warnings}
    assert verdict.sentence().startswith("The gate passed")


def test_rows_of_model_tests_are_masked() -> None:
    test = model_test("fail", sql="SELECT mail AS m FROM gold.fact", sample=({"m": "ada@example.org"},))
    verdict = judge([], [test], personal=lambda _: frozenset({"mail"}))
    assert "ada" not in verdict.sentence()
