"""Who buys: customers with the history of their attributes, and which accounts belong to one person."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from simulator.chance import Floats, falling, number_within, pick, stream, whole
from simulator.column import NULL, SECOND_OF_DAY, Column, Ints, choice, flag, identifier, instant, texts
from simulator.market import Market
from simulator.table import Table, make_table

_FIRST = ("Ada", "Ben", "Chloe", "Dmitri", "Elif", "Femi", "Grace", "Hiro", "Ines", "Jonas", "Kaya", "Liam", "Mei")
_LAST = (
    "Novak",
    "Okafor",
    "Petrov",
    "Quinn",
    "Rossi",
    "Santos",
    "Tanaka",
    "Ueda",
    "Vogel",
    "Weber",
    "O'Neill",
    "Yilmaz",
)
_CITIES = ("Ashford", "Brook", "Castle Hill", "Dale", "Eastgate", "Ford", "Greenfield", "Harbour", "Ironbridge")
_SEGMENTS = ("consumer", "business", "vip")


@dataclass(frozen=True)
class People:
    """Customers in order of store and number. Instants in UTC; `weight` is how much they buy.

    `person`: the customer whose account the person has opened first, as the edges say at the end.
    """

    store: Ints
    number: Ints
    created: Ints
    leaves: Ints
    weight: Floats
    person: Ints
    device: Ints
    tables: tuple[Table, ...]

    def __len__(self) -> int:
        return len(self.store)


def make_people(market: Market) -> People:
    options = market.options
    rng = stream(options.seed, "people")
    counts = market.split(options.customers)
    store = np.repeat(np.arange(len(counts)), counts)
    size = len(store)
    span = market.closing - market.opening
    early = rng.random(size) < 0.2
    created = market.opening + np.where(early, rng.random(size) * 0.02, rng.random(size) * 0.97) * span
    created = np.sort(created.astype(np.int64) + store * (span * 4)) - store * (span * 4)
    stays = SECOND_OF_DAY * (20 + 1500 * falling(rng, size)).astype(np.int64)
    leaves = np.minimum(created + stays, market.closing - 1)
    weight = (0.05 + falling(rng, size) * 2) * (leaves - created)
    number = number_within(store, len(counts))
    versions = _versions(market, rng, store, number, created, leaves)
    person, edges = _identities(market, rng, store, number, created)
    device = np.arange(size) + 1
    return People(store, number, created, leaves, weight, person, device, (versions, edges))


def _versions(
    market: Market, rng: np.random.Generator, store: Ints, number: Ints, created: Ints, leaves: Ints
) -> Table:
    """The first version of every customer, then changes of segment, membership, address, and closed accounts."""
    size = len(store)
    changes = pick(rng, (55, 25, 12, 8), size)
    who = np.r_[np.arange(size), np.repeat(np.arange(size), changes)]
    round_ = np.r_[np.zeros(size, dtype=np.int64), number_within(np.repeat(np.arange(size), changes), size)]
    drawn = rng.random(len(who))
    at = created[who] + np.where(round_ == 0, 0, 60 + drawn * (market.closing - created[who])).astype(np.int64)
    closed = np.flatnonzero(rng.random(size) < 0.02)
    who, at = np.r_[who, closed], np.r_[at, leaves[closed] + 3 * SECOND_OF_DAY]
    gone = np.r_[np.zeros(len(drawn), dtype=bool), np.ones(len(closed), dtype=bool)]
    order = np.lexsort((gone, at, who))
    who, at, gone = who[order], at[order], gone[order]
    fresh = np.r_[True, (who[1:] != who[:-1]) | (at[1:] != at[:-1])]
    who, at, gone = who[fresh], at[fresh], gone[fresh]
    rows = len(who)
    regions = [store_.regions for store_ in market.stores]
    names = tuple(dict.fromkeys(region for each in regions for region in each))
    places = np.array([[names.index(each[draw % len(each)]) for draw in range(4)] for each in regions])
    first, last = whole(rng, 0, len(_FIRST) - 1, size)[who], whole(rng, 0, len(_LAST) - 1, size)[who]
    mail = [
        f"{_FIRST[f]}.{_LAST[x].replace(chr(39), '')}{n}@example.org".lower()
        for f, x, n in zip(first.tolist(), last.tolist(), (who + 1).tolist(), strict=True)
    ]
    columns = {
        "store_id": choice(market.store_ids, store[who]),
        "customer_id": identifier("C", number[who]),
        "updated_at": instant(at),
        "email": texts(
            [
                None if bare else address
                for bare, address in zip((rng.random(size) < 0.03)[who].tolist(), mail, strict=True)
            ]
        ),
        "first_name": choice(_FIRST, first),
        "last_name": choice(_LAST, last),
        "phone": _phones(rng, size, who),
        "country": choice([each.country for each in market.stores], store[who]),
        "region": choice(names, places[store[who], whole(rng, 0, 3, rows)]),
        "city": choice(_CITIES, whole(rng, 0, len(_CITIES) - 1, rows)),
        "segment": choice(_SEGMENTS, pick(rng, (80, 14, 6), rows)),
        "is_member": flag(rng.random(rows) < 0.35),
        "marketing_consent": flag(rng.random(rows) < 0.6),
        "created_at": instant(created[who]),
        "is_deleted": flag(gone),
    }
    return make_table("customers", columns, at, opening=market.opening, days=market.options.days)


def _phones(rng: np.random.Generator, size: int, who: Ints) -> Column:
    numbers = whole(rng, 1_000_000, 9_999_999, size)
    numbers[rng.random(size) < 0.3] = NULL
    return identifier("+1 555 ", numbers[who])


def _identities(
    market: Market, rng: np.random.Generator, store: Ints, number: Ints, created: Ints
) -> tuple[Ints, Table]:
    """Edges of accounts, addresses and devices to persons. Some accounts turn out to be second ones of an earlier
    customer, and some of these findings are taken back."""
    size = len(store)
    second = (rng.random(size) < 0.015) & (number > 1)
    firsts = np.flatnonzero(~second)
    place = np.searchsorted(firsts, np.arange(size)) - 1 - whole(rng, 0, 5, size)
    other = firsts[np.maximum(place, 0)]
    found = created + ((market.closing - created) * (0.1 + 0.9 * rng.random(size))).astype(np.int64)
    undone = found + ((market.closing - found) * (0.2 + rng.random(size))).astype(np.int64)
    merged = np.flatnonzero(second & (store[other] == store) & (found < market.closing))
    taken_back = merged[(rng.random(len(merged)) < 0.2) & (undone[merged] < market.closing)]
    person = np.arange(size)
    person[merged] = other[merged]
    person[taken_back] = taken_back
    each, absent = np.arange(size), np.full(size, NULL)
    edges = [  # kind, customer, from, person, to, written
        (0, each, created, each, absent, created),
        (1, each, created, each, absent, created),
        (2, each, created, each, absent, created),
        (0, merged, created[merged], merged, found[merged], found[merged]),
        (0, merged, found[merged], other[merged], absent[merged], found[merged]),
        (0, taken_back, found[taken_back], other[taken_back], undone[taken_back], undone[taken_back]),
        (0, taken_back, undone[taken_back], taken_back, absent[taken_back], undone[taken_back]),
    ]
    kind = np.concatenate([np.full(len(edge[1]), edge[0]) for edge in edges])
    who, valid_from, whose, valid_to, at = (np.concatenate([edge[n] for edge in edges]) for n in range(1, 6))
    order = np.argsort(at, kind="stable")
    kind, who, valid_from, whose, valid_to, at = (part[order] for part in (kind, who, valid_from, whose, valid_to, at))
    columns = {
        "store_id": choice(market.store_ids, store[who]),
        "id_type": choice(("customer", "email_hash", "device"), kind),
        "id_value": _identifiers(kind, who, number),
        "valid_from": instant(valid_from),
        "person_id": identifier("C", number[whose]),
        "valid_to": instant(valid_to),
        "updated_at": instant(at),
    }
    return person, make_table("identity_edges", columns, at, opening=market.opening, days=market.options.days)


def _identifiers(kind: Ints, who: Ints, number: Ints) -> Column:
    """The number of the account, a hash that stands for the address, or the device's identifier."""
    makers = (
        lambda customer: f"C{number[customer]:07}",
        lambda customer: sha256(f"mail {customer}".encode()).hexdigest(),
        lambda customer: f"D{customer + 1:07}",
    )
    return texts([makers[k](customer) for k, customer in zip(kind.tolist(), who.tolist(), strict=True)])
