"""Visits: sessions of people, machines and staff, what brought them, and what advertising cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.chance import number_within, pick, stream, whole
from simulator.column import NULL, SECOND_OF_DAY, Flags, Ints, choice, day, flag, identifier, instant, money
from simulator.demand import APP, WEB, Orders
from simulator.market import Market
from simulator.people import People
from simulator.table import Table, make_table

CHANNELS = ("direct", "organic", "paid_search", "social", "email", "affiliate", "display")
_SOURCES = ("", "search", "search", "network", "newsletter", "partner", "banner")
_MEDIUMS = ("none", "organic", "cpc", "social", "email", "affiliate", "display")
_WEIGHTS = (30, 22, 18, 12, 9, 5, 4)
_DEVICES = ("desktop", "mobile", "tablet")
_PAID = (2, 3, 4, 5, 6)
CAMPAIGNS = ("brand", "season")


@dataclass(frozen=True)
class Sessions:
    """Only sessions that end before the shop's last day does; `orders` and `sessions` pair them by place."""

    store: Ints
    started: Ints
    is_human: Flags
    sessions: Ints
    orders: Ints


@dataclass(frozen=True)
class Spend:
    store: Ints
    day: Ints
    currency: Ints
    amount: Ints


@dataclass(frozen=True)
class Visits:
    sessions: Sessions
    spend: Spend
    tables: tuple[Table, ...]


def make_visits(market: Market, people: People, orders: Orders) -> Visits:
    rng = stream(market.options.seed, "visits")
    online = np.flatnonzero((orders.channel == WEB) | (orders.channel == APP))
    opens = _opens_session(orders, online)
    own = online[opens]
    place = np.cumsum(opens) - 1
    last = own.copy()
    last[place] = online
    idle = (market.options.sessions - 1) * len(online)
    bots, staff = len(online) // 12, len(online) // 100
    more = idle + bots + staff
    visitor = pick(rng, people.weight, more)
    kind = np.r_[np.zeros(len(own) + idle, dtype=np.int64), np.full(bots, 1), np.full(staff, 2)]
    kind[: len(own)][orders.is_test[own]] = 2
    begins = market.opening + (_busy(market, rng, more) * SECOND_OF_DAY).astype(np.int64)
    started = np.r_[orders.placed[own] - whole(rng, 60, 1_500, len(own)), begins]
    ended = np.r_[orders.placed[last] + whole(rng, 5, 600, len(own)), begins + whole(rng, 0, 1_700, more)]
    known = (rng.random(more) < 0.4) & (people.created[visitor] < begins) & (kind[len(own) :] == 0)
    customer = np.r_[orders.customer[own], np.where(known, visitor, NULL)]
    store = np.r_[orders.store[own], people.store[visitor]]
    device = np.r_[
        _devices(people, orders, own, len(people)),
        np.where(known, people.device[visitor], len(people) + len(own) + 1 + np.arange(more)),
    ]
    kept = np.flatnonzero(ended < market.closing)
    order = kept[np.lexsort((started[kept], store[kept]))]
    rank = np.full(len(store), NULL)
    rank[order] = np.arange(len(order))
    store, started, ended, kind, customer, device = (
        part[order] for part in (store, started, ended, kind, customer, device)
    )
    number = number_within(store, len(market.stores))
    linked = np.flatnonzero(rank[place] != NULL)
    sessions = Sessions(store, started, kind == 0, rank[place[linked]], online[linked])
    numbers = np.where(customer == NULL, NULL, people.number[np.where(customer == NULL, 0, customer)])
    columns = {
        "store_id": choice(market.store_ids, store),
        "session_id": identifier("W", number),
        "customer_id": identifier("C", numbers),
        "anonymous_id": identifier("D", device),
        "started_at": instant(started),
        "ended_at": instant(ended),
        "is_bot": flag(kind == 1),
        "is_staff": flag(kind == 2),
        "device": choice(_DEVICES, pick(rng, (35, 55, 10), len(store))),
        "country": choice([each.country for each in market.stores], store),
    }
    opening, days = market.opening, market.options.days
    pairs = {
        "store_id": choice(market.store_ids, store[sessions.sessions]),
        "session_id": identifier("W", number[sessions.sessions]),
        "order_id": identifier("O", orders.number[sessions.orders]),
    }
    spend, spend_table = _spend(market)
    tables = (
        make_table("sessions", columns, ended, opening=opening, days=days),
        make_table("session_orders", pairs, ended[sessions.sessions], opening=opening, days=days),
        _touches(market, rng, store, number, numbers, started, kind),
        spend_table,
    )
    return Visits(sessions, spend, tables)


def _opens_session(orders: Orders, online: Ints) -> Flags:
    """Whether an online order begins a session: a guest who orders again within ten minutes is still in the first."""
    guest = (orders.customer[online] == NULL) & ~orders.is_test[online]
    placed, store = orders.placed[online], orders.store[online]
    again = guest[1:] & guest[:-1] & (store[1:] == store[:-1]) & (placed[1:] - placed[:-1] < 600)
    return np.r_[True, ~again][: len(online)]


def _devices(people: People, orders: Orders, own: Ints, first: int) -> Ints:
    customer = orders.customer[own]
    return np.where(
        customer == NULL, first + 1 + np.arange(len(own)), people.device[np.where(customer == NULL, 0, customer)]
    )


def _busy(market: Market, rng: np.random.Generator, size: int) -> np.ndarray:
    """Days (with a fraction) on which something happens, as busy as the shop is."""
    return pick(rng, market.demand, size) + rng.random(size)


def _touches(
    market: Market, rng: np.random.Generator, store: Ints, session: Ints, customer: Ints, started: Ints, kind: Ints
) -> Table:
    """What brought nearly every session of people, and a second arrival in some."""
    people = np.flatnonzero((kind == 0) & (rng.random(len(store)) < 0.95))
    again = people[rng.random(len(people)) < 0.05]
    row = np.r_[people, again]
    at = started[row] + np.r_[np.zeros(len(people), dtype=np.int64), whole(rng, 1, 50, len(again))]
    by_time = np.argsort(at, kind="stable")
    row, at = row[by_time], at[by_time]
    channel = pick(rng, _WEIGHTS, len(row))
    campaign = np.where(np.isin(channel, _PAID), whole(rng, 0, len(CAMPAIGNS) - 1, len(row)), NULL)
    columns = {
        "store_id": choice(market.store_ids, store[row]),
        "touch_id": identifier("H", number_within(store[row], len(market.stores))),
        "session_id": identifier("W", session[row]),
        "customer_id": identifier("C", customer[row]),
        "occurred_at": instant(at),
        "channel": choice(CHANNELS, channel),
        "source": choice(_SOURCES, np.where(channel == 0, NULL, channel)),
        "medium": choice(_MEDIUMS, channel),
        "campaign": choice(CAMPAIGNS, campaign),
    }
    return make_table("touches", columns, at, opening=market.opening, days=market.options.days)


def _spend(market: Market) -> tuple[Spend, Table]:
    """Each campaign of each channel on each day, as much as the day is busy; some are paid in euros or dollars."""
    rng = stream(market.options.seed, "spend")
    stores, days = len(market.stores), market.options.days
    offset, store, channel, campaign = (
        part.ravel() for part in np.meshgrid(np.arange(days), np.arange(stores), _PAID, (0, 1), indexing="ij")
    )
    keep = rng.random(len(offset)) < 0.8
    offset, store, channel, campaign = offset[keep], store[keep], channel[keep], campaign[keep]
    abroad = (channel == CHANNELS.index("social")) & (campaign == 1)
    currency = np.where(abroad, 0, market.base[store])
    scale = market.options.orders / days / stores * 20
    level = np.where(abroad, 1, np.array([each.price_level for each in market.stores])[store])
    amount = (100 + scale * market.demand[offset] * (0.5 + rng.random(len(offset)))).astype(np.int64) * level
    first = market.opening // SECOND_OF_DAY
    columns = {
        "store_id": choice(market.store_ids, store),
        "spend_date": day(first + offset),
        "channel": choice(CHANNELS, channel),
        "campaign": choice(CAMPAIGNS, campaign),
        "currency": choice(market.currencies, currency),
        "amount": money(amount),
    }
    at = market.opening + offset * SECOND_OF_DAY
    table = make_table("ad_spend", columns, at, opening=market.opening, days=days)
    return Spend(store, first + offset, currency, amount), table
