"""Variables in declared paths, and lengths of time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.spec.document import Place
from penstock.spec.duration import format_duration, parse_duration
from penstock.spec.environment import expand
from penstock.spec.problems import Problems

PLACE = Place("sources/a.yml", 4, 8)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("${DROP}/a.csv", "/mnt/drop/a.csv"),
        ("${DROP:-data}/a.csv", "/mnt/drop/a.csv"),
        ("${NONE:-data}/a.csv", "data/a.csv"),
        ("${EMPTY:-data}/a.csv", "data/a.csv"),
        ("$$HOME/${DROP}", "$HOME//mnt/drop"),
        ("plain/*.csv", "plain/*.csv"),
    ],
)
def test_variables_are_replaced(text: str, expanded: str) -> None:
    assert expand(text, {"DROP": "/mnt/drop", "EMPTY": ""}, PLACE, Problems()) == expanded


@pytest.mark.parametrize("text", ["${NONE}", "${EMPTY}", "${NONE:-}", "$HOME", "${", "${1}", "cost$"])
def test_what_cannot_be_replaced_is_a_problem(text: str) -> None:
    problems = Problems()

    assert expand(text, {"EMPTY": ""}, PLACE, problems) is None
    assert len(problems) == 1


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=99_999)))
def test_a_length_of_time_is_read_as_it_was_written(length: timedelta) -> None:
    assert parse_duration(format_duration(length)) == length


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1Y", "P1M", "1D", "P1", "PT1", "P-1D", "P1DT", "p1d", "P999999999D99"]
)
def test_what_has_no_fixed_length_is_none(text: str) -> None:
    assert parse_duration(text) is None


def test_a_length_beyond_all_calendars_is_none() -> None:
    assert parse_duration("P999999999DT24H") is None
