"""The spans of a dimension's changes are those instants at which another version holds, no fewer and no more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import jinja2
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.commerce.hand_shop import COMMERCE

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
MOMENTS = [FIRST + timedelta(days=day) for day in range(8)]
Versions = tuple[tuple[datetime, str], ...]  # what was told when, in order

histories = st.dictionaries(st.sampled_from(MOMENTS[1:-1]), st.sampled_from("ab")).map(
    lambda told: tuple(sorted(told.items()))
)


def spans(before: Versions, after: Versions) -> list[tuple[datetime, datetime]]:
    """The macro's answer on the rows that came and went."""
    text = (COMMERCE / "models" / "macros" / "versions.sql").read_text(encoding="utf-8")
    macros = jinja2.Environment().from_string(text, {"penstock_changes": lambda name: name}).module
    went, came = set(rows(before)), set(rows(after))
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            "CREATE TABLE changes (id INT, key TIMESTAMPTZ, says VARCHAR, version INT, valid_from TIMESTAMPTZ,"
            " valid_to TIMESTAMPTZ, is_current BOOL, _came BOOL)"
        )
        for row in [(*row, False) for row in went - came] + [(*row, True) for row in came - went]:
            connection.execute("INSERT INTO changes VALUES (1, $1, $2, $3, $1, $4, $4 IS NULL, $5)", row)
        found = connection.execute(macros.changed_spans("changes", ["id"])).fetchall()  # type: ignore[attr-defined]
    return [(since, until) for _, since, until in found]


def rows(told: Versions) -> list[tuple[datetime, str, int, datetime | None]]:
    ends = [*(since for since, _ in told[1:]), None]
    return [(since, says, n + 1, ends[n]) for n, (since, says) in enumerate(told)]


def held(told: Versions, moment: datetime) -> tuple[datetime, str] | None:
    """What holds at a moment: the first version also before it begins."""
    return max((one for one in told if one[0] <= moment), default=told[0] if told else None)


@settings(max_examples=40, deadline=None)
@given(before=histories, after=histories)
def test_a_moment_lies_in_a_span_when_what_holds_then_differs_and_only_then(before: Versions, after: Versions) -> None:
    found = spans(before, after)
    for moment in MOMENTS:
        is_told = any(since <= moment < until for since, until in found)
        assert is_told == (held(before, moment) != held(after, moment))


def test_a_version_that_follows_leaves_the_time_before_it_alone() -> None:
    before = ((MOMENTS[1], "a"),)
    found = spans(before, (*before, (MOMENTS[3], "b")))
    assert [span for span in found if span[0] < min(span[1], MOMENTS[3])] == []
    assert any(since <= MOMENTS[3] < until for since, until in found)
