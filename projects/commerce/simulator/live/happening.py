"""What happens at each number.

Events come in rounds of twenty. In each place of a round something of a visit happens, a little later than in the place
before: somebody looks around, perhaps orders, pays, is sent the goods, changes their mind. Where the visit has nothing
to tell, somebody pays a merchant of the marketplace. One place now and then belongs to a fraud.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from simulator.chance import zipf
from simulator.column import NULL, Flags, Ints
from simulator.live.cast import MERCHANTS, Cast
from simulator.live.draws import Draws, weighted

ROUND = 20
PATTERNS = ("small_then_huge", "burst", "impossible_travel")
SMALL_THEN_HUGE, BURST, TRAVEL = range(3)
_LENGTHS = np.array([13, 6, 2])  # payments of each pattern, one a round
_FIRST_FRAUD, _FRAUD_EVERY, _FRAUD_PLACE = 100, 1_500, 18  # in rounds
_LAST_SMALL = 12
STEP, _LONG_AFTER = 50, 2_000  # rounds between two places of a visit, and before what comes long after
_LAGS = np.array([0, 1, 2, 3, 4, 5, 5, 5, 5, 6, 7, 8, 8, 0, 0, 0, 6, 0, 0, 0]) * STEP
_LAGS[13:16] = (_LONG_AFTER, _LONG_AFTER, 2 * _LONG_AFTER)
ORDER_PLACE = 5  # of a round
PLACED_AFTER = int(_LAGS[ORDER_PLACE])  # rounds after its visit has begun
_REPEATED_AFTER = 37 * ROUND


class Kind(IntEnum):
    """What a number stands for; each is one row of one topic."""

    MERCHANT = 0
    FRAUD = 1
    PAYMENT = 2
    PAYBACK = 3
    EVENT = 4
    ORDER = 5
    PAID = 6
    LINE = 7
    PLACED = 8
    CANCELLED = 9
    REFUND = 10
    SHIPMENT = 11
    PURCHASE = 12


class Dirt(IntEnum):
    """What is wrong with a row."""

    NONE = 0
    DUPLICATE = 1
    LATE = 2
    MALFORMED = 3


@dataclass(frozen=True)
class Happening:
    """`kind` of each of `numbers`, and the visit it belongs to (NULL when to none). Of a number that repeats another,
    `source` is that one."""

    numbers: Ints
    source: Ints
    kind: Ints
    visit: Ints
    dirt: Ints

    def of(self, *kinds: Kind) -> Ints:
        """The places of these kinds."""
        found = np.zeros(len(self.kind), dtype=bool)
        for kind in kinds:
            found |= self.kind == kind
        return np.flatnonzero(found)


@dataclass(frozen=True)
class World:
    """The cast with the chances of one seed; `dirt` is how many of a thousand purchases at merchants go wrong in each
    way."""

    cast: Cast
    draws: Draws
    seed: int
    dirt: int = 0

    def happening(self, first: int, after: int) -> Happening:
        """The numbers from `first` up to `after`, which is not among them."""
        numbers = np.arange(first, after, dtype=np.int64)
        kind, visit = self.kinds(numbers)
        dirt = self.faults(numbers, kind)
        source = np.where(dirt == Dirt.DUPLICATE, numbers - _REPEATED_AFTER, numbers)
        return Happening(numbers, source, kind, visit, dirt)

    def kinds(self, numbers: Ints) -> tuple[Ints, Ints]:
        round_, place = numbers // ROUND, numbers % ROUND
        visit = round_ - _LAGS[place]
        begun = visit >= 0
        orders, lines, cancelled, refunded = self.fate(visit)
        orders &= begun
        kind = np.full(len(numbers), Kind.MERCHANT, dtype=np.int64)
        kind[begun & ((place < 5) | (place == 10))] = Kind.EVENT
        for at, what, condition in (
            (5, Kind.ORDER, orders),
            (6, Kind.LINE, orders),
            (7, Kind.LINE, orders & (lines == 2)),
            (8, Kind.PLACED, orders),
            (9, Kind.PAYMENT, orders),
            (11, Kind.SHIPMENT, orders & ~cancelled),
            (12, Kind.SHIPMENT, orders & (lines == 2)),
            (13, Kind.CANCELLED, orders & cancelled),
            (14, Kind.PAYBACK, orders & cancelled),
            (15, Kind.REFUND, orders & refunded),
            (16, Kind.PAID, orders),
        ):
            kind[condition & (place == at)] = what
        kind[(place == _FRAUD_PLACE) & (self.fraud_step(numbers) >= 0)] = Kind.FRAUD
        kind[(place == ROUND - 1) & (self.draws.unit("bought in", numbers) < 0.2)] = Kind.PURCHASE
        alone = (kind == Kind.MERCHANT) | (kind == Kind.FRAUD) | (kind == Kind.PURCHASE)
        return kind, np.where(alone, NULL, visit)

    def fate(self, visit: Ints) -> tuple[Flags, Ints, Flags, Flags]:
        """Of each visit: whether it leads to an order, of how many lines, whether the first is cancelled or refunded."""
        orders = self.draws.unit("orders", visit) < 0.3
        lines = np.where(self.draws.unit("lines", visit) < 0.35, 2, 1)
        back = self.draws.unit("back", visit)
        return orders, lines, back < 0.05, (back >= 0.05) & (back < 0.11)

    def fraud_step(self, numbers: Ints) -> Ints:
        """The rank of each number in the fraud of its round, from 0; -1 where there is none."""
        round_ = numbers // ROUND - _FIRST_FRAUD
        step = round_ % _FRAUD_EVERY
        return np.where((round_ >= 0) & (step < _LENGTHS[self.pattern(numbers)]), step, -1)

    def pattern(self, numbers: Ints) -> Ints:
        return self.episode(numbers) % len(PATTERNS)

    def episode(self, numbers: Ints) -> Ints:
        return (numbers // ROUND - _FIRST_FRAUD) // _FRAUD_EVERY

    def faults(self, numbers: Ints, kind: Ints) -> Ints:
        """Dirt of purchases at merchants. What is repeated was itself a clean purchase."""
        if self.dirt == 0:
            return np.zeros(len(numbers), dtype=np.int64)
        dirt = np.where(kind == Kind.MERCHANT, self._drawn_fault(numbers), Dirt.NONE)
        twice = np.flatnonzero(dirt == Dirt.DUPLICATE)
        before = numbers[twice] - _REPEATED_AFTER
        clean = (before >= 0) & (self.kinds(before)[0] == Kind.MERCHANT) & (self._drawn_fault(before) == Dirt.NONE)
        dirt[twice[~clean]] = Dirt.NONE
        return dirt

    def _drawn_fault(self, numbers: Ints) -> Ints:
        share = self.dirt / 1000
        return np.minimum(self.draws.unit("dirt", numbers) // share + 1, 4).astype(np.int64) % 4

    # Who, what and how much

    def user(self, numbers: Ints, kind: Ints, visit: Ints) -> Ints:
        """The place in the cast of who it is about."""
        alone = visit == NULL
        who = self.draws.pick("visitor", self.cast.buyers, visit)
        if alone.any():
            who[alone] = self.draws.pick("payer", self.cast.buyers, numbers[alone])
        fraud = kind == Kind.FRAUD
        if fraud.any():
            regulars = self.cast.regulars
            places = self.draws.unit("victim", self.episode(numbers[fraud])) * len(regulars)
            who[fraud] = regulars[places.astype(np.int64)]
        return who

    def line(self, visit: Ints, line: Ints, store: Ints) -> tuple[Ints, Ints]:
        """Variant and quantity of a line of each visit."""
        key = visit * 2 + line - 1
        places = (self.draws.unit("variant", key) * self.cast.sold.shape[1]).astype(np.int64)
        units = 1 + (self.draws.unit("units", key) ** 3 * 4).astype(np.int64)
        return self.cast.sold[store, places].astype(np.int64), units

    def worth(self, visit: Ints, lines: Ints, store: Ints) -> Ints:
        """What all lines of each visit cost, in ten-thousandths."""
        first, units = self.line(visit, np.ones_like(visit), store)
        second, more = self.line(visit, np.full_like(visit, 2), store)
        return self.cast.price[first] * units + np.where(lines == 2, self.cast.price[second] * more, 0)

    def spent(self, numbers: Ints, user: Ints) -> Ints:
        """What is paid to a merchant, in ten-thousandths: about what the user usually spends."""
        usual = self.cast.usual[user]
        return self._rounded(usual * (0.6 + 0.8 * self.draws.unit("spent", numbers)), user)

    def stolen(self, numbers: Ints, user: Ints) -> Ints:
        """What a payment of a fraud is of, in ten-thousandths."""
        pattern, step = self.pattern(numbers), self.fraud_step(numbers)
        usual = self.cast.usual[user]
        small = usual * (0.02 + 0.02 * self.draws.unit("spent", numbers))
        of_burst = usual * (20 + 10 * self.draws.unit("spent", numbers))
        huge = np.where(step == _LAST_SMALL, usual * 60.0, small)
        amount = np.where(pattern == SMALL_THEN_HUGE, huge, np.where(pattern == BURST, of_burst, usual))
        return self._rounded(amount, user)

    def _rounded(self, amount: np.ndarray, user: Ints) -> Ints:
        coarse = self.cast.coarse[self.cast.store[user]]
        return np.maximum(amount.astype(np.int64) // coarse * coarse, coarse)


MERCHANT_PICKS = weighted(zipf(MERCHANTS))
