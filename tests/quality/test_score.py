"""The quality score: rows that met their contract, of all rows that were judged."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.quality.checks import run_checks
from penstock.quality.result import Status
from penstock.quality.score import Score, overall
from tests.quality.quality_shapes import BOOKS, LOANS, StoppedClock, library, project

counts = st.integers(0, 10**12)


@given(counts, counts)
def test_the_score_is_the_share_of_accepted_rows_rounded_down(accepted: int, quarantined: int) -> None:
    value = Score(accepted, quarantined).value
    if accepted + quarantined == 0:
        assert value is None
    else:
        assert value is not None
        exact = Fraction(100 * accepted, accepted + quarantined)
        assert 0 <= exact - Fraction(value) < Fraction(1, 10_000)
        assert (value == 100) is (quarantined == 0)


@given(st.lists(st.tuples(counts, counts)))
def test_the_whole_is_weighted_by_rows(parts: list[tuple[int, int]]) -> None:
    whole = overall(Score(*part) for part in parts)
    assert (whole.accepted, whole.quarantined) == (sum(a for a, _ in parts), sum(q for _, q in parts))


@pytest.mark.parametrize(
    ("quarantined", "status", "says"),
    [(0, Status.PASS, "score 100 %"), (1, Status.FAIL, "below the target"), (6, Status.FAIL, "ALERT")],
)
def test_target_and_alert_are_reported_and_never_block(quarantined: int, status: Status, says: str) -> None:
    loans = [(number, None, None) for number in range(100 - quarantined)]
    connection = library(loans, quarantined=quarantined)
    found = {r.name: r for r in run_checks(project(contracts=(LOANS, BOOKS)), connection, clock=StoppedClock())}
    for name in ("score.loans", "score"):
        assert (found[name].status, found[name].blocks) == (status, False)
        assert says in found[name].message
    assert found["score.books"].value is None


def test_replayed_rows_no_longer_count_against_the_score() -> None:
    connection = library([(1, None, None)], quarantined=1)
    connection.execute("UPDATE quarantine.loans SET status = 'replayed'")
    found = {r.name: r for r in run_checks(project(contracts=(LOANS,)), connection, clock=StoppedClock())}
    value = found["score.loans"].value
    assert value is not None
    assert Decimal(value) == 100
