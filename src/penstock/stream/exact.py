"""Exact sums of whole numbers and of their squares, beyond 64 bits, in two limbs: high * 2^60 + low."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penstock.stream.segment import Segments
from penstock.stream.word_index import Ints, Rows

Floats = npt.NDArray[np.float64]
LARGEST = 1 << 50  # numbers of this size and above are not summed
_HALF, _WHOLE = (1 << 30) - 1, (1 << 60) - 1
_SAFE = 1 << 62
_SPLITTER = float((1 << 27) + 1)


@dataclass(frozen=True)
class Wide:
    """Integers as high * 2^60 + low, low in [0, 2^60)."""

    high: Ints
    low: Ints

    def plus(self, ones: Ints, halves: Ints | int = 0, wholes: Ints | int = 0) -> Wide:
        """Add ones + halves * 2^30 + wholes * 2^60."""
        low = self.low + ones + ((halves & _HALF) << 30)
        return Wide(self.high + wholes + (halves >> 30) + (low >> 60), low & _WHOLE)

    def at(self, places: Rows | slice) -> Wide:
        return Wide(self.high[places], self.low[places])

    def as_double(self) -> Double:
        rounded = self.low.astype(np.float64)
        rest = (self.low - rounded.astype(np.int64)).astype(np.float64)
        total = _sum(self.high.astype(np.float64) * float(1 << 60), rounded)
        return _sum(total.value, total.rest + rest)


@dataclass(frozen=True)
class Double:
    """Numbers of about 106 bits as a sum of two floats (T. J. Dekker, A floating-point technique for extending the
    available precision, 1971)."""

    value: Floats
    rest: Floats

    def times(self, other: Double) -> Double:
        exact = _times(self.value, other.value)
        return Double(exact.value, exact.rest + self.value * other.rest + self.rest * other.value)

    def minus(self, other: Double) -> Floats:
        difference = _sum(self.value, -other.value)
        return difference.value + (difference.rest + (self.rest - other.rest))


def sums_before(segments: Segments, numbers: Ints, state: Wide) -> Wide:
    """For each row in the order of `segments`: `state` plus the numbers of the earlier rows of its key."""
    if _fits(numbers):
        return state.plus(segments.before(numbers))
    return state.plus(segments.before(numbers & _HALF), segments.before(numbers >> 30))


def squares_before(segments: Segments, numbers: Ints, state: Wide) -> Wide:
    """As `sums_before`, of the squares."""
    if _fits(numbers, power=2):
        return state.plus(segments.before(numbers * numbers))
    size = np.abs(numbers)
    high, low = size >> 30, size & _HALF
    cross, ones = 2 * high * low, low * low
    return state.plus(
        segments.before(ones & _HALF),
        segments.before((ones >> 30) + (cross & _HALF)),
        segments.before(high * high + (cross >> 30)),
    )


def with_own(numbers: Ints, before: Wide) -> Wide:
    return before.plus(numbers & _HALF, numbers >> 30)


def with_own_square(numbers: Ints, before: Wide) -> Wide:
    size = np.abs(numbers)
    high, low = size >> 30, size & _HALF
    return before.plus(low * low, 2 * high * low, high * high)


def spread(count: Ints, sums: Double, squares: Double) -> Floats:
    """count * squares - sums^2: the variance times count (count - 1). It hardly loses a digit to cancellation."""
    counted = Double(count.astype(np.float64), np.zeros(len(count)))
    return counted.times(squares).minus(sums.times(sums))


def _fits(numbers: Ints, power: int = 1) -> bool:
    if len(numbers) == 0:
        return True
    largest = max(abs(int(numbers.min())), abs(int(numbers.max())))
    total: int = largest**power * len(numbers)
    return total < _SAFE


def _sum(a: Floats, b: Floats) -> Double:
    total = a + b
    part = total - a
    return Double(total, (a - (total - part)) + (b - part))


def _times(a: Floats, b: Floats) -> Double:
    rounded = a * b
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    rest = ((a_high * b_high - rounded) + a_high * b_low + a_low * b_high) + a_low * b_low
    return Double(rounded, rest)


def _halves(a: Floats) -> tuple[Floats, Floats]:
    scaled = _SPLITTER * a
    high = scaled - (scaled - a)
    return high, a - high
