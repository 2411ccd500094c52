"""Declared checks: thresholds, violating rows, reconciliations."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.quality.declared import within
from penstock.quality.result import Status
from penstock.spec.project import CheckKind
from tests.quality.quality_shapes import check, library, run_one

THRESHOLD, ROWS, RECONCILE = CheckKind.THRESHOLD, CheckKind.ROWS, CheckKind.RECONCILE


@pytest.mark.parametrize(
    ("number", "minimum", "maximum", "status"),
    [
        ("1", "1", None, "pass"),
        ("0.99", "1", None, "fail"),
        ("0.1::DOUBLE", "0.1", "0.1", "pass"),
        ("0.1::DOUBLE + 0.2::DOUBLE", None, "0.3", "fail"),
        ("12345678901234567890123.45::DECIMAL(38,2)", None, "12345678901234567890123.45", "pass"),
        ("12345678901234567890123.46::DECIMAL(38,2)", None, "12345678901234567890123.45", "fail"),
        ("'nan'::DOUBLE", "0", None, "fail"),
        ("'inf'::DOUBLE", "0", None, "pass"),
        ("NULL", "0", None, "fail"),
        ("'many'", "0", None, "error"),
        ("true", "0", None, "error"),
    ],
)
def test_a_threshold_compares_one_number_exactly_and_bounds_are_inclusive(
    number: str, minimum: str | None, maximum: str | None, status: str
) -> None:
    result = run_one(library(), check(THRESHOLD, f"SELECT {number}", minimum=minimum, maximum=maximum))
    assert result.status == status
    assert result.blocks is (status != "pass")


@given(st.decimals(allow_infinity=False), st.decimals(allow_nan=False), st.decimals(allow_nan=False))
def test_within_agrees_with_comparison_of_decimals(value: Decimal, low: Decimal, high: Decimal) -> None:
    expected = not value.is_nan() and low <= value <= high
    assert within(value, str(low), str(high)) is expected


@pytest.mark.parametrize("sql", ["SELECT 1 WHERE false", "SELECT 1, 2", "VALUES (1), (2)"])
def test_a_threshold_over_anything_but_one_value_is_an_error(sql: str) -> None:
    assert run_one(library(), check(THRESHOLD, sql, minimum="0")).status is Status.ERROR


def test_a_failed_threshold_says_the_number_and_the_bounds() -> None:
    result = run_one(library(), check(THRESHOLD, "SELECT 7", minimum="10", maximum="20"))
    assert (result.value, result.expected) == ("7", "between 10 and 20")
    assert result.message == "7 is not between 10 and 20"


def test_violating_rows_are_counted_and_the_first_five_kept_in_the_order_of_the_query() -> None:
    connection = library([(number, None, None) for number in range(1, 8)])
    result = run_one(connection, check(ROWS, "SELECT loan_id, _file, _line FROM silver.loans ORDER BY loan_id DESC;"))
    assert (result.status, result.value) == (Status.FAIL, "7")
    assert [row["loan_id"] for row in result.sample] == ["7", "6", "5", "4", "3"]
    assert result.sample[0] == {"loan_id": "7", "_file": "loans.csv", "_line": "8"}


def test_no_violating_row_passes() -> None:
    result = run_one(library(), check(ROWS, "SELECT * FROM silver.loans WHERE loan_id < 0"))
    assert (result.status, result.value, result.sample) == (Status.PASS, "0", ())


def test_long_values_of_sampled_rows_are_cut() -> None:
    result = run_one(library(), check(ROWS, "SELECT repeat('x', 1000000) AS long"))
    long = result.sample[0]["long"]
    assert long is not None
    assert len(long) == 200


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        ("SELECT sum(a) FROM (VALUES (1.10), (2.20)) t(a)", "SELECT 3.3", "pass"),
        ("SELECT 3.30", "SELECT 3.31", "fail"),
        ("SELECT 1::HUGEINT", "SELECT 1.00::DECIMAL(30,2)", "pass"),
        ("SELECT 10000000000000000.1", "SELECT 10000000000000000.2", "fail"),
        ("SELECT NULL::INTEGER", "SELECT NULL::INTEGER", "pass"),
        ("SELECT NULL::INTEGER", "SELECT 0", "fail"),
        ("SELECT 1.5::DOUBLE", "SELECT 1.5", "error"),
        ("SELECT 1.5::DOUBLE", "SELECT 1.5::DOUBLE", "pass"),
        ("VALUES ('a', 1), ('b', 2)", "VALUES ('b', 2), ('a', 1)", "pass"),
        ("VALUES ('a', 1), ('a', 1)", "VALUES ('a', 1)", "fail"),
        ("SELECT 1, 2", "SELECT 1", "error"),
        ("SELECT 1 WHERE false", "SELECT 1 WHERE false", "pass"),
    ],
)
def test_reconcile_compares_two_results_exactly_as_multisets(first: str, second: str, status: str) -> None:
    assert run_one(library(), check(RECONCILE, first, against=second)).status == status


def test_a_failed_reconciliation_of_two_numbers_names_both() -> None:
    result = run_one(library(), check(RECONCILE, "SELECT 3.30", against="SELECT 3.31"))
    assert result.message == "the first query gives 3.30, the second 3.31"


def test_a_failed_reconciliation_of_rows_shows_which_side_has_them() -> None:
    result = run_one(library(), check(RECONCILE, "SELECT 'a' AS month, 1 AS n", against="SELECT 'b', 1"))
    assert result.sample == (
        {"_only_in": "first", "month": "a", "n": "1"},
        {"_only_in": "second", "month": "b", "n": "1"},
    )


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT nope FROM silver.loans",
        "SELECT * FROM silver.nope",
        "SELEC 1",
        "SELECT 1; SELECT 2",
        "DROP TABLE silver.loans",
    ],
)
@pytest.mark.parametrize("kind", list(CheckKind))
def test_a_check_that_cannot_be_run_is_an_error_that_blocks_and_names_its_file(sql: str, kind: CheckKind) -> None:
    connection = library()
    result = run_one(connection, check(kind, sql, minimum="0", against="SELECT 1"))
    assert result.status is Status.ERROR
    assert result.blocks
    assert result.message.startswith("checks/gate.yml: ")
    assert connection.execute("SELECT count(*) FROM silver.loans").fetchall() == [(0,)]


def test_a_value_quoted_by_the_database_is_masked() -> None:
    connection = library([(1, None, "ada@example.org")])
    result = run_one(connection, check(ROWS, "SELECT mail::INTEGER FROM silver.loans"))
    assert result.status is Status.ERROR
    assert "ada" not in result.message


def test_seconds_come_from_the_clock() -> None:
    assert run_one(library(), check(THRESHOLD, "SELECT 1", minimum="0")).seconds == pytest.approx(0.001)
