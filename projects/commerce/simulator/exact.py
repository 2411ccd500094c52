"""Exact sums: integers by group, amounts by group brought into another currency, and decimals as text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from simulator.column import Ints
from simulator.market import RATE_UNIT

_UNIT = 100 * RATE_UNIT  # a hundredth times a rate
_DIGITS = 18


def count_by(groups: Ints) -> dict[int, int]:
    found, counts = np.unique(groups, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def sum_by(groups: Ints, values: Ints) -> dict[int, int]:
    """Sums of integers that fit into 64 bits together."""
    if len(groups) == 0:
        return {}
    order = np.argsort(groups, kind="stable")
    sorted_groups = groups[order]
    begins = np.flatnonzero(np.r_[True, sorted_groups[1:] != sorted_groups[:-1]])
    sums = np.add.reduceat(values[order], begins)
    return dict(zip(sorted_groups[begins].tolist(), sums.tolist(), strict=True))


def money_by(groups: Ints, cents: Ints, rates: Ints) -> dict[int, Fraction]:
    """Sums of hundredths times hundred-millionths, as money: equal rates are summed first, the rest in big integers."""
    distinct, place = np.unique(rates, return_inverse=True)
    width = max(len(distinct), 1)
    totals: dict[int, int] = defaultdict(int)
    for both, sum_ in sum_by(groups * width + place, cents).items():
        totals[both // width] += sum_ * int(distinct[both % width])
    return {group: Fraction(total, _UNIT) for group, total in totals.items()}


def added(*parts: Mapping[int, Fraction | int]) -> dict[int, Fraction]:
    """Sums of several maps; a group is there when it is in any."""
    totals: dict[int, Fraction] = defaultdict(Fraction)
    for part in parts:
        for group, value in part.items():
            totals[group] += value
    return dict(totals)


def ratio(above: Mapping[int, Fraction | int], below: Mapping[int, Fraction | int]) -> dict[int, Fraction]:
    """Quotients for the groups with something to divide by."""
    return {
        group: Fraction(above.get(group, 0)) / Fraction(divisor) for group, divisor in below.items() if divisor != 0
    }


def as_text(value: Fraction | int) -> str:
    """A plain decimal: exact if it has at most eighteen digits after the point, else rounded half to even.

    >>> as_text(Fraction(5, 2)), as_text(-3), as_text(Fraction(1, 3))
    ('2.5', '-3', '0.333333333333333333')
    """
    scaled = round(Fraction(value) * 10**_DIGITS)
    sign, digits = ("-" if scaled < 0 else ""), f"{abs(scaled):0{_DIGITS + 1}}"
    return f"{sign}{digits[:-_DIGITS]}.{digits[-_DIGITS:]}".rstrip("0").rstrip(".")
