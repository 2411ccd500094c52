"""The keys of a round's rows: found once, whoever asks, and never those of other rows."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from penstock.stream.distinct import Distinct, RoundKeys

WORDS = st.one_of(st.none(), st.sampled_from(["", "a", "b", "ann", "a longer word than eight bytes"]))


@given(st.lists(WORDS))
def test_each_key_is_found_once_in_order_of_appearance(words: list[str | None]) -> None:
    found = Distinct.of(pa.array(words, pa.string()))

    seen = list(dict.fromkeys(words))
    assert found.keys.to_pylist() == [None if word is None else word.encode() for word in seen]
    assert [seen[number] for number in found.of_row.tolist()] == words
    assert found.first.tolist() == [words.index(word) for word in seen]


def test_the_same_columns_are_looked_at_once() -> None:
    rows = pa.table({"who": ["ann", "bob", "ann"], "n": [1, 2, 3]})
    keys = RoundKeys()

    asked = keys.of(rows, ("who",))

    assert keys.of(rows.append_column("more", rows["n"]), ("who",)) is asked


def test_rows_that_were_left_out_are_other_rows() -> None:
    rows = pa.table({"who": ["ann", "bob", "ann"], "other": ["x", "y", "z"]})
    keys = RoundKeys()
    keys.of(rows, ("who",))

    for part, columns, expected in (
        (rows.slice(1), ("who",), [b"bob", b"ann"]),
        (rows.filter(pa.array([True, False, True])), ("who",), [b"ann"]),
        (rows, ("other",), [b"x", b"y", b"z"]),
    ):
        assert keys.of(part, columns).keys.to_pylist() == expected
