"""Keys become the numbers 0, 1, 2 in the order in which they first came, whatever they look like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.stream.key_index import KeyIndex, has_null, row_keys
from penstock.stream.word_index import Hash, Keys, WordIndex, Words, hashed
from tests.stream.recut import recut

TEXTS = st.lists(st.one_of(st.none(), st.text("ab\x00é", max_size=20)), max_size=60)


def oracle(keys: Sequence[object]) -> list[int]:
    seen: dict[object, int] = {}
    return [seen.setdefault(key, len(seen)) for key in keys]


def same_for_all(keys: Keys) -> Words:
    return np.zeros(len(keys.lengths), dtype=np.uint64)


@given(TEXTS, st.lists(st.integers(0, 60), max_size=4))
def test_texts_get_slots_in_order_of_appearance_however_the_batches_are_cut(
    keys: list[str | None], cuts: list[int]
) -> None:
    index = KeyIndex()

    slots = [slot for batch in recut(keys, cuts) for slot in index.slots(pa.array(batch, pa.string())).tolist()]

    assert slots == oracle(keys)
    assert len(index) == len(set(keys))


@given(st.lists(st.one_of(st.none(), st.integers(-(1 << 63), (1 << 63) - 1)), max_size=60))
def test_integers_are_keys_too(keys: list[int | None]) -> None:
    assert KeyIndex().slots(pa.array(keys, pa.int64())).tolist() == oracle(keys)


@given(TEXTS)
def test_keys_of_one_hash_are_told_apart_by_their_bytes(keys: list[str | None]) -> None:
    index = KeyIndex(same_for_all)

    first, again = (index.slots(pa.array(keys, pa.string())).tolist() for _ in range(2))

    assert first == again
    assert len({(key, slot) for key, slot in zip(keys, first, strict=True)}) == len(set(keys)) == len(set(first))


def test_an_index_grows_while_keys_come_and_moves_few_of_them_with_each(monkeypatch: pytest.MonkeyPatch) -> None:
    index, moved, enter = KeyIndex(), list[int](), WordIndex._enter

    def counted(self: WordIndex, table: np.ndarray, first: int, last: int) -> None:
        moved.append(last - first)
        enter(self, table, first, last)

    monkeypatch.setattr(WordIndex, "_enter", counted)
    keys = [number * 7919 % 6000 for number in range(12_000)]  # each once, then each again
    came = [index.slots(pa.array(keys[first : first + 9], pa.int64())).tolist() for first in range(0, len(keys), 9)]

    assert [slot for slots in came for slot in slots] == oracle(keys)
    assert max(moved) < 100
    assert index.find(pa.array(keys[:6000], pa.int64())).tolist() == list(range(6000))


@given(TEXTS, TEXTS)
def test_a_new_index_of_the_kept_keys_gives_the_same_slots(before: list[str | None], after: list[str | None]) -> None:
    index, restored = KeyIndex(), KeyIndex()
    index.slots(pa.array(before, pa.string()))
    restored.slots(index.keys())

    assert restored.slots(pa.array(after, pa.string())).tolist() == index.slots(pa.array(after, pa.string())).tolist()
    assert restored.keys().equals(index.keys())


def test_finding_a_key_does_not_add_it() -> None:
    index = KeyIndex()
    index.slots(pa.array(["a"]))

    assert index.find(pa.array(["b", "a", None])).tolist() == [-1, 0, -1]
    assert len(index) == 1


def test_a_slice_of_a_batch_is_read_where_it_lies() -> None:
    keys = pa.array(["x", "long enough for two words", None, "a", "x"])[1:]

    assert KeyIndex().slots(keys).tolist() == [0, 1, 2, 3]


def test_ten_thousand_keys_grow_the_index() -> None:
    keys = pa.array([f"member {number}" for number in range(10_000)])
    index = KeyIndex(hashed)

    assert np.array_equal(index.slots(keys), np.arange(10_000))
    assert np.array_equal(index.slots(keys), np.arange(10_000))


@pytest.mark.parametrize(
    ("first", "second"), [(("a:", "b"), ("a", ":b")), ((None, "a"), ("", "a")), (("1", "2"), ("12", ""))]
)
def test_keys_of_several_columns_do_not_run_into_each_other(
    first: tuple[str | None, ...], second: tuple[str | None, ...]
) -> None:
    rows = pa.table({"x": pa.array([first[0], second[0]]), "y": pa.array([first[1], second[1]])})

    assert KeyIndex().slots(row_keys(rows, ["x", "y"])).tolist() == [0, 1]


def test_rows_with_a_null_in_the_key_are_named() -> None:
    rows = pa.table({"x": ["a", None, "c"], "y": pa.array([1, 2, None], pa.int64())})

    assert has_null(rows, ["x", "y"]).tolist() == [False, True, True]
    assert KeyIndex().slots(row_keys(rows, [])).tolist() == [0, 0, 0]


@pytest.mark.parametrize("hash", [hashed, same_for_all])
@given(keys=TEXTS, asked=TEXTS)
def test_keys_that_are_entered_at_once_are_found_as_those_that_came(
    hash: Hash, keys: list[str | None], asked: list[str | None]
) -> None:
    distinct = list(dict.fromkeys(keys))
    index = KeyIndex(hash)

    index.enter(pa.array(distinct, pa.string()))

    assert index.slots(pa.array(asked, pa.string())).tolist() == oracle([*distinct, *asked])[len(distinct) :]
    assert index.keys().cast(pa.large_string()).to_pylist() == list(dict.fromkeys([*distinct, *asked]))
