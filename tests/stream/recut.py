"""The same rows in other batches."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")


def recut(rows: Sequence[T], cuts: Sequence[int]) -> list[Sequence[T]]:
    """All rows in order, in batches that begin at `cuts`."""
    edges = sorted({0, len(rows), *(cut % (len(rows) + 1) for cut in cuts)})
    return [rows[first:next] for first, next in pairwise(edges)]
