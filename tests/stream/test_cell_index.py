"""The cell of a key in a pane, against a dictionary, in dense and in sparse traffic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.stream.cell_index import CellIndex

FAR = 1 << 40
PANES = st.one_of(st.integers(-20, 20), st.sampled_from([-FAR, FAR]))
PAIRS = st.lists(st.tuples(st.integers(0, 40), PANES), max_size=30)


@given(st.lists(PAIRS, max_size=5), PAIRS)
def test_a_cell_is_found_by_key_and_pane_however_far_panes_are_apart(
    batches: list[list[tuple[int, int]]], asked: list[tuple[int, int]]
) -> None:
    index, known = CellIndex(), dict[tuple[int, int], int]()
    for batch in batches:
        new = [pair for pair in dict.fromkeys(batch) if pair not in known]
        known |= {pair: len(known) + number for number, pair in enumerate(new)}
        index.enter(*columns(new))

    wanted = [*known, *asked]

    assert index.find(*columns(wanted)).tolist() == [known.get(pair, -1) for pair in wanted]


@pytest.mark.parametrize(("apart", "dense"), [(1, True), (FAR, False)], ids=["side by side", "far apart"])
def test_a_table_is_kept_only_where_it_is_filled(apart: int, dense: bool) -> None:
    index = CellIndex()

    index.enter(np.arange(100), np.arange(100) % 2 * apart)

    assert index._is_table is dense
    assert (index._table.size > 0) is dense


def columns(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    keys, panes = (np.array(column, dtype=np.int64) for column in ([k for k, _ in pairs], [p for _, p in pairs]))
    return keys, panes
