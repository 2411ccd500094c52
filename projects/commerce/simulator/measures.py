"""Every metric of the shop, exactly: by store and local day, by store, and over all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

import numpy as np

from simulator.column import NULL, SECOND_OF_DAY, Ints
from simulator.exact import added, as_text, count_by, money_by, ratio, sum_by
from simulator.ledger import CANCELLATION, DISCOUNT, REFUND, RESTOCK, SALE, Ledger, ledger, person_of, wholly_cancelled
from simulator.market import EPOCH, RATE_UNIT
from simulator.shop import Shop

_WIDTH = 1_000_000  # a group is store * _WIDTH + day
_REFUND_DAYS = 30
HORIZONS = (30, 90, 365)
By = Mapping[int, Fraction | int]
_ADDITIVE = {
    "gross_sales": "money",
    "discounts": "money",
    "cancellations": "money",
    "returns": "money",
    "net_sales": "money",
    "cost_of_goods": "money",
    "ad_spend": "money",
    "orders": "count",
    "new_customers": "count",
    "human_sessions": "count",
    "converted_sessions": "count",
    "units_delivered": "count",
    "units_refunded": "count",
}
_RATIOS: Mapping[str, tuple[Callable[[Mapping[str, By]], By], str, str]] = {
    "average_order_value": (lambda by: added(by["gross_sales"], _negative(by["discounts"])), "orders", "money"),
    "conversion_rate": (lambda by: by["converted_sessions"], "human_sessions", "ratio"),
    "gross_margin": (lambda by: added(by["net_sales"], _negative(by["cost_of_goods"])), "net_sales", "money ratio"),
    "customer_acquisition_cost": (lambda by: by["ad_spend"], "new_customers", "money"),
    "return_rate": (lambda by: by["units_refunded"], "units_delivered", "ratio"),
}


@dataclass(frozen=True)
class Facts:
    """What every metric is made of, computed once."""

    shop: Shop
    ledger: Ledger
    whole: np.ndarray
    person: Ints

    @property
    def last_day(self) -> int:
        """The last day (in UTC) of which there are files."""
        return self.shop.market.closing // SECOND_OF_DAY - 1


def metrics(shop: Shop) -> dict[str, object]:
    """Metric -> its values as text: `days`, `stores` and `all` (`cohorts` or `month_ends` instead of days)."""
    facts = Facts(shop, ledger(shop), wholly_cancelled(shop), person_of(shop))
    additive = _additive(facts)
    found: dict[str, object] = {
        name: _shown(facts, values, _ADDITIVE[name], _totals(values)) for name, values in additive.items()
    }
    for name, (above, below, unit) in _RATIOS.items():
        by_day = ratio(above(additive), additive[below])
        stores = {key: _totals(values) for key, values in additive.items()}
        total = ratio(above(stores), stores[below])
        everything = {key: _over_all(values) for key, values in stores.items()}
        found[name] = _shown(facts, by_day, unit, total, ratio(above(everything), everything[below]))
    for days in HORIZONS:
        found[f"lifetime_value_{days}"] = _lifetime_value(facts, days)
    found["churn_rate"] = _churn(facts)
    return found


def _additive(facts: Facts) -> dict[str, By]:
    shop, rows = facts.shop, facts.ledger

    def money(*kinds: int) -> dict[int, Fraction]:
        part = rows.of(*kinds)
        return money_by(part.store * _WIDTH + part.day, part.amount, part.rate)

    costs = rows.of(SALE, CANCELLATION, RESTOCK)
    spend = shop.spend
    base = shop.market.base[spend.store]
    rate = shop.market.rate(spend.day, spend.currency, base)
    orders = np.flatnonzero(~shop.orders.is_test)
    found: dict[str, By] = {
        "orders": count_by(shop.orders.store[orders] * _WIDTH + shop.orders.placed_day[orders]),
        "gross_sales": money(SALE),
        "discounts": _negative(money(DISCOUNT)),
        "cancellations": _negative(money(CANCELLATION)),
        "returns": _negative(money(REFUND)),
        "net_sales": money(SALE, DISCOUNT, CANCELLATION, REFUND),
        "cost_of_goods": money_by(costs.store * _WIDTH + costs.day, costs.cost, np.full(len(costs.cost), RATE_UNIT)),
        "ad_spend": money_by(spend.store * _WIDTH + spend.day, spend.amount, rate),
        "new_customers": _new_customers(facts),
    }
    return found | _sessions(facts) | _deliveries(facts)


def _new_customers(facts: Facts) -> dict[int, int]:
    """Persons by the day of their first order that stands."""
    _, first = _first_orders(facts, facts.shop.orders.placed, ~facts.whole)
    return count_by(facts.shop.orders.store[first] * _WIDTH + facts.shop.orders.placed_day[first])


def _first_orders(facts: Facts, by: Ints, which: np.ndarray) -> tuple[Ints, Ints]:
    """(persons, their first order among `which`), test orders and guests left out."""
    rows = np.flatnonzero(which & (facts.person != NULL) & ~facts.shop.orders.is_test)
    order = rows[np.lexsort((by[rows], facts.person[rows]))]
    persons, place = np.unique(facts.person[order], return_index=True)
    return persons, order[place]


def _sessions(facts: Facts) -> dict[str, By]:
    shop, sessions = facts.shop, facts.shop.sessions
    group = sessions.store * _WIDTH + shop.market.local_day(sessions.store, sessions.started)
    real = ~shop.orders.is_test[sessions.orders]
    converted = np.zeros(len(sessions.store), dtype=bool)
    converted[sessions.sessions[real]] = True
    return {
        "human_sessions": count_by(group[sessions.is_human]),
        "converted_sessions": count_by(group[sessions.is_human & converted]),
    }


def _deliveries(facts: Facts) -> dict[str, By]:
    """Units by the day of their delivery, and those of them refunded within thirty days; only days old enough."""
    shop, sent, back = facts.shop, facts.shop.shipped, facts.shop.refunded
    day_of = np.full(len(shop.items), NULL)
    came = np.flatnonzero(sent.delivered != NULL)
    store = shop.orders.store[shop.items.order[sent.line[came]]]
    day = shop.market.local_day(store, sent.delivered[came])
    day_of[sent.line[came]] = day
    old = day + _REFUND_DAYS < facts.last_day
    refund_store = shop.orders.store[shop.items.order[back.line]]
    origin = day_of[back.line]
    wait = shop.market.local_day(refund_store, back.at) - origin
    counted = (origin != NULL) & (wait >= 0) & (wait <= _REFUND_DAYS) & (origin + _REFUND_DAYS < facts.last_day)
    return {
        "units_delivered": sum_by((store * _WIDTH + day)[old], sent.quantity[came][old]),
        "units_refunded": sum_by((refund_store * _WIDTH + origin)[counted], back.quantity[counted]),
    }


def _lifetime_value(facts: Facts, days: int) -> dict[str, object]:
    """Gross profit of each cohort's persons up to day `days` after their first order, by the size of the cohort."""
    shop, rows = facts.shop, facts.ledger
    persons, first = _first_orders(facts, shop.orders.placed, np.ones(len(shop.orders), dtype=bool))
    begins = np.full(len(shop.people), NULL)
    begins[persons] = shop.orders.placed_day[first]
    cohort = np.full(len(shop.people), NULL)
    cohort[persons] = shop.orders.store[first] * _WIDTH + _month(begins[persons])
    known = rows.where(facts.person[rows.order] != NULL)
    person = facts.person[known.order]
    part = known.where(known.day - begins[person] <= days)
    group = cohort[facts.person[part.order]]
    sales = money_by(group, part.amount, part.rate)
    costs = money_by(group, part.cost, np.full(len(part.cost), RATE_UNIT))
    sizes = {
        key: size for key, size in count_by(cohort[persons]).items() if _last_day(key % _WIDTH) + days < facts.last_day
    }
    profit = {key: value for key, value in added(sales, _negative(costs)).items() if key in sizes}
    stores = ratio(_totals(profit), _totals(sizes))
    ids = shop.market.store_ids
    cohorts: dict[str, dict[str, str]] = {name: {} for name in ids}
    for key, value in sorted(ratio(profit, sizes).items()):
        cohorts[ids[key // _WIDTH]][_month_name(key % _WIDTH)] = as_text(value)
    counted: dict[str, dict[str, int]] = {name: {} for name in ids}
    for key, size in sorted(sizes.items()):
        counted[ids[key // _WIDTH]][_month_name(key % _WIDTH)] = size
    shown = {ids[store]: as_text(value) for store, value in sorted(stores.items())}
    return {"unit": "money", "cohorts": cohorts, "sizes": counted, "stores": shown}


def _churn(facts: Facts) -> dict[str, object]:
    """At each month's last day D: of the persons with an order in [D-365, D-180), the share with none in [D-180, D)."""
    shop = facts.shop
    rows = np.flatnonzero((facts.person != NULL) & ~shop.orders.is_test & ~facts.whole)
    person, day = facts.person[rows], shop.orders.placed_day[rows]
    values: dict[str, dict[str, str]] = {name: {} for name in shop.market.store_ids}
    overall: dict[str, str] = {}
    for end in _month_ends(shop.market.opening // SECOND_OF_DAY, facts.last_day):
        before = np.unique(person[(day >= end - 365) & (day < end - 180)])
        lately = np.unique(person[(day >= end - 180) & (day < end)])
        gone = np.setdiff1d(before, lately)
        name = str(EPOCH + timedelta(days=end))
        store_of = shop.people.store
        for number, store_id in enumerate(shop.market.store_ids):
            base = int(np.sum(store_of[before] == number))
            if base:
                values[store_id][name] = as_text(Fraction(int(np.sum(store_of[gone] == number)), base))
        if len(before):
            overall[name] = as_text(Fraction(len(gone), len(before)))
    return {"unit": "ratio", "month_ends": values, "all": overall}


def _month(days: Ints) -> Ints:
    """Months since 1970."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def _month_name(month: int) -> str:
    return f"{1970 + month // 12}-{month % 12 + 1:02}"


def _last_day(month: int) -> int:
    """The last day of a month (since 1970), as days since 1970."""
    after = month + 1
    return (date(1970 + after // 12, after % 12 + 1, 1) - EPOCH).days - 1


def _month_ends(first: int, last: int) -> list[int]:
    months = _month(np.array([first, last]))
    ends = [_last_day(month) for month in range(int(months[0]), int(months[1]) + 1)]
    return [end for end in ends if end <= last]


def _negative(values: By) -> dict[int, Fraction]:
    return {group: Fraction(-value) for group, value in values.items()}


def _totals(values: By) -> dict[int, Fraction]:
    """By store."""
    totals: dict[int, Fraction] = {}
    for group, value in values.items():
        totals[group // _WIDTH] = totals.get(group // _WIDTH, Fraction(0)) + value
    return totals


def _over_all(values: By) -> dict[int, Fraction]:
    return {0: Fraction(sum(values.values()))} if values else {}


def _shown(facts: Facts, by_day: By, unit: str, stores: By, over_all: By | None = None) -> dict[str, object]:
    """As text. Money is summed over stores only if all have one currency."""
    ids = facts.shop.market.store_ids
    days: dict[str, dict[str, str]] = {name: {} for name in ids}
    for group, value in sorted(by_day.items()):
        days[ids[group // _WIDTH]][str(EPOCH + timedelta(days=group % _WIDTH))] = as_text(value)
    total = _over_all(stores) if over_all is None else over_all
    comparable = not unit.startswith("money") or len(set(facts.shop.market.base.tolist())) == 1
    shown = {ids[store]: as_text(value) for store, value in sorted(stores.items())}
    return {"unit": unit, "days": days, "stores": shown, "all": as_text(total[0]) if comparable and total else None}
