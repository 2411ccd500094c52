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


@given(st.lists(PAIRS, max_size=5), PANES, PANES)
def test_a_table_holds_every_cell_of_the_panes_it_is_asked_for(
    batches: list[list[tuple[int, int]]], first: int, last: int
) -> None:
    index, known = CellIndex(), dict[tuple[int, int], int]()
    for batch in [[(key, 0) for key in range(41)], *batches]:
        new = [pair for pair in dict.fromkeys(batch) if pair not in known]
        known |= {pair: len(known) + number for number, pair in enumerate(new)}
        index.enter(*columns(new))

    table = index.table(first, last)

    if table is not None:
        inside = [cell for (_, pane), cell in known.items() if first <= pane <= last]
        assert sorted(table.between(first, last).tolist()) == inside
        assert all(
            cell == -1 or known[key, table.first + row] == cell for (row, key), cell in np.ndenumerate(table.cells)
        )


def test_a_few_cells_far_away_leave_the_others_in_the_table_and_come_into_it_when_it_reaches_them() -> None:
    index = CellIndex()
    index.enter(np.arange(1000), np.zeros(1000, dtype=np.int64))
    far = 2000  # more panes than a table of so few cells may have

    index.enter(np.array([7]), np.array([far]))

    assert index.table(-far, far - 1) is not None
    assert index.table(0, far) is None
    for pane in range(1, far):
        index.enter(np.arange(1000), np.full(1000, pane))
    assert index.table(0, far) is not None
    assert index.find(np.array([7, 8]), np.array([far, far])).tolist() == [1000, -1]


@pytest.mark.parametrize(("apart", "dense"), [(1, True), (FAR, False)], ids=["side by side", "far apart"])
def test_a_table_is_kept_only_where_it_is_filled(apart: int, dense: bool) -> None:
    index = CellIndex()

    index.enter(np.arange(100), np.arange(100) % 2 * apart)

    assert index._is_table is dense
    assert (index._table.size > 0) is dense


def columns(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    keys, panes = (np.array(column, dtype=np.int64) for column in ([k for k, _ in pairs], [p for _, p in pairs]))
    return keys, panes
