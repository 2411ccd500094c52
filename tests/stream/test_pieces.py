"""Rows that come a few at a time, taken by number, against one table that holds them all."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from penstock.stream.pieces import Pieces


def _rows(first: int, count: int) -> pa.Table:
    numbers = range(first, first + count)
    texts = pa.array([f"key {number}" for number in numbers], pa.string())
    return pa.table({"text": texts, "number": pa.array(numbers, pa.int64())})


@given(st.lists(st.integers(0, 40), max_size=40), st.data())
def test_rows_come_out_as_they_came_in(sizes: list[int], data: st.DataObject) -> None:
    pieces, whole = Pieces(_rows(0, 0)), _rows(0, sum(sizes))
    earlier = pieces.whole()
    for size in sizes:
        pieces.add(_rows(len(pieces), size))
    asked = data.draw(st.lists(st.integers(0, len(pieces) - 1) if len(pieces) else st.nothing()))
    newest = data.draw(st.integers(0, len(pieces)))

    assert pieces.take(np.array(asked, dtype=np.int64)).equals(whole.take(pa.array(asked, pa.int64())))
    assert pieces.last(newest).equals(whole.slice(len(pieces) - newest))
    assert pieces.whole().equals(whole)
    assert earlier.num_rows == 0


def test_few_rows_at_a_time_make_few_pieces() -> None:
    pieces = Pieces(_rows(0, 0))
    for _ in range(3000):
        pieces.add(_rows(len(pieces), 3))

    assert pieces.whole()["text"].num_chunks <= 4
