"""Checks that the contracts imply: references, uniqueness, freshness."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from penstock.quality.checks import run_checks
from penstock.quality.result import CheckResult, Status
from penstock.spec.contract import Contract
from penstock.spec.stream import Streams, Topic
from tests.quality.quality_shapes import BOOKS, LOANS, NOW, StoppedClock, library, project


def results(
    connection: duckdb.DuckDBPyConnection,
    *,
    contracts: tuple[Contract, ...] = (LOANS, BOOKS),
    now: datetime = NOW,
    topics: tuple[Topic, ...] = (),
) -> dict[str, CheckResult]:
    declared = replace(project(contracts=contracts), streams=Streams(topics={topic.name: topic for topic in topics}))
    return {result.name: result for result in run_checks(declared, connection, clock=StoppedClock(now))}


def test_a_row_whose_reference_has_not_arrived_is_pending_and_never_blocks() -> None:
    connection = library([(1, 10, None), (2, 11, None), (3, 11, None)], books=[10])
    found = results(connection)["references.loans.book_id"]
    assert (found.status, found.value, found.blocks) == (Status.PENDING, "2", False)
    assert "2 rows wait for a row of books that has not arrived; the oldest since 2026-03-01 12:00:00" in found.message
    assert [(row["book_id"], row["_line"]) for row in found.sample] == [("11", "3"), ("11", "4")]


def test_a_pending_row_passes_as_soon_as_its_reference_arrives() -> None:
    assert results(library([(1, 10, None)], books=[10]))["references.loans.book_id"].status is Status.PASS


def test_a_null_refers_to_nothing() -> None:
    assert results(library([(1, None, None)]))["references.loans.book_id"].status is Status.PASS


def test_all_rows_are_pending_while_the_referenced_dataset_was_never_loaded() -> None:
    connection = library([(1, 10, None)])
    connection.execute("DROP TABLE silver.books")
    assert results(connection)["references.loans.book_id"].value == "1"


def test_a_key_that_names_two_rows_blocks_and_says_where_they_came_from() -> None:
    connection = library([(1, None, None), (2, None, None), (1, None, None)])
    found = results(connection)["uniqueness.loans"]
    assert (found.status, found.value, found.blocks) == (Status.FAIL, "1", True)
    assert found.sample[0] == {"loan_id": "1", "_rows": "2", "_places": "['loans.csv:2', 'loans.csv:4']"}


def test_unique_keys_pass_and_a_dataset_without_key_is_not_asked() -> None:
    connection = library([(1, None, None), (2, None, None)])
    assert results(connection)["uniqueness.loans"].status is Status.PASS
    assert "uniqueness.loans" not in results(connection, contracts=(replace(LOANS, key=()), BOOKS))


def test_freshness_counts_from_the_arrival_of_the_newest_row() -> None:
    connection = library([(1, None, None)])
    assert results(connection, now=NOW + timedelta(days=2))["freshness.loans"].status is Status.PASS
    stale = results(connection, now=NOW + timedelta(days=2, seconds=1))["freshness.loans"]
    assert (stale.status, stale.blocks) == (Status.FAIL, False)
    assert (stale.expected, stale.value) == ("a row within 2 days", "2 days 1 second")
    assert stale.message == "the newest row arrived 2026-03-01 12:00:00 UTC, 2 days 1 second ago"


def test_a_clock_that_was_set_back_does_not_make_rows_stale() -> None:
    assert results(library([(1, None, None)]), now=NOW - timedelta(days=1))["freshness.loans"].status is Status.PASS


def test_a_dataset_that_never_had_a_row_is_not_fresh() -> None:
    assert results(library())["freshness.loans"].message == "no row has ever arrived"


def test_a_dataset_that_a_topic_alone_feeds_is_fresh_before_its_first_row_and_not_for_ever_after() -> None:
    lent = Topic("lent", "loans", key=("loan_id",), time="lent_at", path=Path("streams/lent.yml"), fingerprint="t")
    none = results(library(), topics=(lent,))["freshness.loans"]
    assert (none.status, none.message) == (Status.PASS, "no row has ever arrived; none has to")
    once = library([(1, None, None)])
    assert results(once, now=NOW + timedelta(days=3), topics=(lent,))["freshness.loans"].status is Status.FAIL


def test_tables_that_do_not_exist_yet_are_empty_not_errors() -> None:
    connection = library()
    connection.execute("DROP TABLE silver.loans")
    assert {result.status for result in results(connection).values()} == {Status.PASS, Status.FAIL}


def test_a_changed_contract_gives_the_check_another_fingerprint() -> None:
    changed = replace(LOANS, fingerprint="e" * 64)
    before, after = results(library()), results(library(), contracts=(changed, BOOKS))
    assert before["uniqueness.loans"].fingerprint != after["uniqueness.loans"].fingerprint
    assert before["uniqueness.books"].fingerprint == after["uniqueness.books"].fingerprint
