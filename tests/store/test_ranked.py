"""Columns of ranks: every condition is met by the rows whose value meets it, also where rows were put among others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.store.protocol import Compare, Condition, Stored
from penstock.store.ranked import Ranked, merged, ranked
from tests.store.shelf import meets

TEXTS = st.text(max_size=3) | st.sampled_from(["north", "south", ""])
COLUMNS = (
    st.tuples(st.just("north"), st.lists(st.none() | TEXTS, max_size=20))
    | st.tuples(st.just(1), st.lists(st.none() | st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1), max_size=20))
    | st.tuples(st.just(0.5), st.lists(st.none() | st.floats(allow_infinity=True, allow_nan=False), max_size=20))
)


def met(column: Ranked, condition: Condition) -> list[int]:
    chosen = column.chosen(condition)
    return [] if chosen is None else np.flatnonzero(chosen).tolist()


def expected(values: Sequence[Stored], condition: Condition) -> list[int]:
    return [row for row, value in enumerate(values) if meets(value, condition)]


@given(COLUMNS, st.data())
def test_rows_put_among_others_are_those_of_a_new_column(
    column: tuple[Stored, list[Stored]], data: st.DataObject
) -> None:
    usual, values = column
    cut = data.draw(st.integers(0, len(values)))
    source = data.draw(st.lists(st.integers(0, max(len(values) - 1, 0)), max_size=30 if values else 0))
    after = [values[place] for place in source]

    grown = merged(ranked(values[:cut]), values[cut:], np.array(source, np.int64))

    fresh = ranked(after)
    assert (grown.values.to_pylist(), grown.ranks.tolist()) == (fresh.values.to_pylist(), fresh.ranks.tolist())
    for value in {usual, *(one for one in values if one is not None)}:
        for compare in Compare:
            condition = Condition("it", compare, value)  # type: ignore[arg-type]
            assert met(grown, condition) == expected(after, condition)


@pytest.mark.parametrize(("value", "other"), [(0.0, -0.0), (1.0, 1), (2**53 + 1, 2**53)])
def test_numbers_are_compared_exactly_whatever_their_kind(value: float, other: float) -> None:
    assert met(ranked([value]), Condition("it", Compare.EQUAL, other)) == ([0] if value == other else [])


def test_what_is_no_number_counts_as_absent() -> None:
    assert met(ranked([float("nan"), 1.0]), Condition("it", Compare.AT_LEAST, 0.0)) == [1]


@pytest.mark.parametrize("values", [[], [None, None]])
def test_a_column_without_values_meets_nothing(values: list[Stored]) -> None:
    for value in ("north", 1):
        assert met(ranked(values), Condition("it", Compare.AT_MOST, value)) == []
    assert met(merged(ranked(values), [7], np.array([len(values)])), Condition("it", Compare.EQUAL, 7)) == [0]
