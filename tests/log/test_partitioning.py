"""A key's partition is a promise: these values never change."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.log.partitioning import LONGEST_KEY, key_hashes, partitions
from penstock.log.protocol import LogError

WORD = 1 << 64


def hash_of(key: bytes) -> int:
    """The documented hash, byte by byte."""
    state = len(key) * 0x9E3779B97F4A7C15 % WORD
    for at in range(0, len(key), 8):
        state = (state ^ int.from_bytes(key[at : at + 8], "little")) * 0x9E3779B97F4A7C15 % WORD
        state ^= state >> 33
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        state = (state ^ (state >> 33)) * factor % WORD
    return state ^ (state >> 33)


@given(st.lists(st.binary(max_size=40)), st.integers(0, 3))
def test_the_hash_of_many_keys_is_that_of_each(keys: list[bytes], skipped: int) -> None:
    array = pa.array(keys, pa.binary()).slice(skipped)
    assert key_hashes(array).tolist() == [hash_of(key) for key in keys[skipped:]]


def test_partitions_of_known_keys_stay_what_they_are() -> None:
    keys = pa.array([b"default/1", b"default/2", b"default/1", b"other/1", b"x" * LONGEST_KEY, b""])
    assert partitions(keys, 7, sequence=0).tolist() == [4, 3, 4, 5, 0, 0]


def test_rows_without_a_key_go_together_and_take_turns() -> None:
    keys = pa.array([None, b"a", None], pa.binary())
    found = [partitions(keys, 3, sequence=sequence).tolist() for sequence in range(3)]
    assert [(one[0], one[2]) for one in found] == [(0, 0), (1, 1), (2, 2)]
    assert len({one[1] for one in found}) == 1


def test_a_key_beyond_the_limit_is_refused() -> None:
    with pytest.raises(LogError, match="too long"):
        key_hashes(pa.array([b"x" * (LONGEST_KEY + 1)]))


def test_keys_spread_evenly() -> None:
    keys = pa.array([f"default/{number}".encode() for number in range(10_000)])
    found = partitions(keys, 8, sequence=0).tolist()
    assert all(1100 < found.count(part) < 1400 for part in range(8))
