"""How big the shop is, how long it runs, and how its files are cut."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

CUTS = ("day", "month", "all")


@dataclass(frozen=True)
class Options:
    """The same options make the same shop and the same files, byte for byte.

    customers, products and orders are totals over all stores. `currencies`: how many currencies the stores take, beside
    their own. `sessions`: human sessions for each order placed on the web or in the app. `dirt`: how many faults of
    each kind the files have. `odd`: how often each thing happens that is well-formed and yet wrong, such as an order in a
    currency without a rate. `history`: the first so many days come as one file for each dataset, the rest by `cut`.
    """

    seed: int = 1
    customers: int = 10_000
    products: int = 5_000
    orders: int = 100_000
    days: int = 730
    start: date = date(2024, 1, 1)
    stores: int = 3
    currencies: int = 4
    sessions: int = 3
    dirt: int = 0
    odd: int = 0
    cut: str = "day"
    history: int = 0

    def __post_init__(self) -> None:
        each_store = ("customers", "products", "orders")
        lowest = dict.fromkeys(("seed", "dirt", "odd", "history"), 0) | dict.fromkeys(("days", "stores"), 1)
        lowest |= dict.fromkeys(each_store, self.stores) | {"sessions": 1, "currencies": 2}
        for name, low in lowest.items():
            if getattr(self, name) < low:
                raise ValueError(f"{name} is {getattr(self, name)}: expected at least {low}")
        if self.cut not in CUTS:
            raise ValueError(f"cut is {self.cut}: expected one of {', '.join(CUTS)}")
        if self.history > self.days:
            raise ValueError(f"history is {self.history}: expected at most the {self.days} days there are")
