"""What the shop stands in: stores with their zones and currencies, the calendar of demand, exchange rates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np

from simulator.chance import Floats, shares, stream
from simulator.column import SECOND_OF_DAY, Ints, choice, day, flag, instant, rate
from simulator.options import Options
from simulator.table import Table, make_table
from simulator.zones import Zone

EPOCH = date(1970, 1, 1)
# id, name, zone, currency, price level against the euro, tax in ten-thousandths, labels with tax, country, regions
_STORES = (
    ("berlin", "Berlin", "Europe/Berlin", "EUR", 1, 1900, True, "DE", ("North", "East", "South", "West")),
    ("newyork", "New York", "America/New_York", "USD", 1, 888, False, "US", ("Northeast", "South", "Midwest", "West")),
    ("london", "London", "Europe/London", "GBP", 1, 2000, True, "GB", ("England", "Scotland", "Wales", "Ulster")),
    ("tokyo", "Tokyo", "Asia/Tokyo", "JPY", 150, 1000, True, "JP", ("Kanto", "Kansai", "Chubu", "Kyushu")),
    ("sydney", "Sydney", "Australia/Sydney", "AUD", 2, 1000, True, "AU", ("NSW", "VIC", "QLD", "WA")),
    (
        "saopaulo",
        "Sao Paulo",
        "America/Sao_Paulo",
        "BRL",
        5,
        1700,
        False,
        "BR",
        ("Sudeste", "Sul", "Nordeste", "Norte"),
    ),
    ("kolkata", "Kolkata", "Asia/Kolkata", "INR", 90, 1800, True, "IN", ("North", "East", "South", "West")),
    ("auckland", "Auckland", "Pacific/Auckland", "NZD", 2, 1500, True, "NZ", ("North Island", "South Island")),
)
_CURRENCIES = ("EUR", "USD", "GBP", "JPY", "CHF", "SEK", "AUD", "BRL", "INR", "NZD")
_IN_EURO = (1.0, 0.92, 1.17, 0.0061, 1.05, 0.088, 0.6, 0.18, 0.011, 0.55)
UNKNOWN = "XTS"  # the code kept for tests: no rate is ever known
WHOLE_ONLY = ("JPY",)  # no hundredths
_MONTHS = (0.85, 0.82, 0.92, 0.95, 1.0, 0.97, 0.9, 0.88, 1.0, 1.05, 1.3, 1.5)
_WEEKDAYS = (0.95, 0.92, 0.94, 1.0, 1.12, 1.15, 0.98)
RATE_UNIT = 100_000_000


@dataclass(frozen=True)
class Store:
    id: str
    name: str
    zone: Zone
    currency: str
    price_level: int
    tax: int
    labels_with_tax: bool
    country: str
    regions: tuple[str, ...]


@dataclass(frozen=True)
class Market:
    """`opening` and `closing` bound every instant delivered; a store is a place in `stores`, as is a currency.

    `rates[d, from, to]` in hundred-millionths, of day `first_rate + d` since 1970.
    """

    options: Options
    stores: tuple[Store, ...]
    currencies: tuple[str, ...]
    opening: int
    closing: int
    first_rate: int
    rates: Ints

    @classmethod
    def of(cls, options: Options) -> Market:
        first = (options.start - EPOCH).days
        opening, closing = first * SECOND_OF_DAY, (first + options.days) * SECOND_OF_DAY
        stores = tuple(_store(number, opening, closing) for number in range(options.stores))
        taken = dict.fromkeys([store.currency for store in stores] + list(_CURRENCIES[: options.currencies]))
        rates = _rates(options, tuple(taken), days=options.days + 2)
        return cls(options, stores, tuple(taken), opening, closing, first - 1, rates)

    @property
    def store_ids(self) -> tuple[str, ...]:
        return tuple(store.id for store in self.stores)

    @property
    def accepted(self) -> tuple[str, ...]:
        """Every currency that an order can have: those with a rate, then one without."""
        return (*self.currencies, UNKNOWN)

    @cached_property
    def coarse(self) -> Ints:
        """The smallest amount of each currency an order can have, in hundredths."""
        return np.array([100 if name in WHOLE_ONLY else 1 for name in self.accepted], dtype=np.int64)

    @cached_property
    def base(self) -> Ints:
        """The base currency of each store."""
        return np.array([self.currencies.index(store.currency) for store in self.stores], dtype=np.int64)

    @cached_property
    def weights(self) -> list[float]:
        return [1.0 / (number + 1.5) for number in range(len(self.stores))]

    def split(self, total: int) -> list[int]:
        """A total over the stores, the first the biggest."""
        return shares(total, self.weights)

    def local_day(self, store: Ints, instants: Ints) -> Ints:
        """The business day (since 1970) of each instant in its store."""
        days = np.zeros(len(instants), dtype=np.int64)
        for number, each in enumerate(self.stores):
            here = store == number
            days[here] = each.zone.local_day(instants[here])
        return days

    def rate(self, days: Ints, origin: Ints, target: Ints) -> Ints:
        """What one unit of `origin` is worth on each day; 0 where nobody knows."""
        known = origin < len(self.currencies)
        found = self.rates[days - self.first_rate, np.where(known, origin, 0), target]
        return np.where(known, np.where(origin == target, RATE_UNIT, found), 0)

    @cached_property
    def demand(self) -> Floats:
        """How busy each day is: it grows, has months and weekdays, and some days of its own."""
        days = [self.options.start + timedelta(days=offset) for offset in range(self.options.days)]
        growth = 1.0 + np.arange(len(days)) / 1000
        busy = [_MONTHS[each.month - 1] * _WEEKDAYS[each.weekday()] * _special(each) for each in days]
        return np.array(busy) * growth

    def tables(self) -> tuple[Table, Table]:
        return self._store_table(), self._rate_table()

    def _store_table(self) -> Table:
        rows = len(self.stores)
        each = np.arange(rows)
        columns = {
            "store_id": choice(self.store_ids, each),
            "name": choice([store.name for store in self.stores], each),
            "timezone": choice([store.zone.name for store in self.stores], each),
            "base_currency": choice(self.currencies, self.base),
            "prices_include_tax": flag([store.labels_with_tax for store in self.stores]),
            "updated_at": instant(np.full(rows, self.opening)),
        }
        return make_table("stores", columns, np.full(rows, self.opening), opening=self.opening, days=1)

    def _rate_table(self) -> Table:
        """The rates of a day are known the day before; the first delivery brings three days."""
        bases = sorted(set(self.base.tolist()))
        count = len(self.currencies)
        days, origin, target = (
            part.ravel() for part in np.meshgrid(np.arange(len(self.rates)), np.arange(count), bases, indexing="ij")
        )
        keep = origin != target
        days, origin, target = days[keep], origin[keep], target[keep]
        columns = {
            "rate_date": day(days + self.first_rate),
            "from_currency": choice(self.currencies, origin),
            "to_currency": choice(self.currencies, target),
            "rate": rate(self.rates[days, origin, target]),
        }
        known = (days + self.first_rate - 1) * SECOND_OF_DAY
        return make_table("fx_rates", columns, known, opening=self.opening, days=self.options.days)


def _store(number: int, opening: int, closing: int) -> Store:
    round_, place = divmod(number, len(_STORES))
    code, name, zone, *rest = _STORES[place]
    suffix = "" if round_ == 0 else str(round_ + 1)
    span = Zone.between(zone, opening - 3 * SECOND_OF_DAY, closing + 3 * SECOND_OF_DAY)
    return Store(code + suffix, f"{name} {suffix}".strip(), span, *rest)  # type: ignore[arg-type]


def _special(each: date) -> float:
    """The end of November doubles, Christmas rests."""
    if each.month == 11 and 22 <= each.day <= 30:
        return 2.0
    return 0.3 if (each.month, each.day) in ((12, 25), (1, 1)) else 1.0


def _rates(options: Options, currencies: tuple[str, ...], *, days: int) -> Ints:
    """Each currency walks at random against the euro; a pair is their quotient."""
    rng = stream(options.seed, "rates")
    steps = 1.0 + 0.008 * (rng.random((days, len(currencies))) - 0.5)
    in_euro = np.cumprod(steps, axis=0) * np.array([_IN_EURO[_CURRENCIES.index(name)] for name in currencies])
    pairs = in_euro[:, :, None] / in_euro[:, None, :]
    return np.rint(pairs * RATE_UNIT).astype(np.int64)
