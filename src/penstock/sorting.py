"""Sorting whole numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def stable_order(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The rows by number (-1 or more), ties as they came: where they fit, one plain sort of number and row in one word.

    >>> stable_order(np.array([7, -1, 7, 3])).tolist()
    [1, 3, 0, 2]
    """
    bits = len(numbers).bit_length()
    if bits + int(numbers.max(initial=0)).bit_length() > 62:
        return np.argsort(numbers, kind="stable")
    packed = np.sort((numbers << bits) | np.arange(len(numbers)))
    order: npt.NDArray[np.int64] = packed & ((1 << bits) - 1)
    return order
