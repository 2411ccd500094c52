"""Random histories of members who borrow books: everything that makes order matter, and many orders of arrival.

Each history is a tenant of its own, so that one vault holds hundreds of them and none may touch another.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

START = datetime(2026, 1, 1, tzinfo=UTC)
HOURS = 10  # every moment lies within the first hours after START
BATCHES = 5


def hour(number: int) -> datetime:
    return START + timedelta(hours=number)


@dataclass(frozen=True)
class Row:
    """A row of the feed. `kind`: version, snapshot (a version of a full snapshot), listed (a snapshot was there),
    relation."""

    kind: str
    applied_at: datetime
    loaded_at: datetime
    tenant: str = ""
    member_id: str | None = None
    book_id: int | None = None
    name: str | None = None
    fee: Decimal | None = None
    is_gone: bool | None = None
    record_source: str = "desk"
    batch: int = 0


@dataclass
class History:
    """The rows of one tenant, in the order they arrive."""

    tenant: str
    rows: list[Row] = field(default_factory=list)


def histories(count: int, *, seed: int, orders: int = 10) -> list[History]:
    """`count` orders of arrival, `orders` of each random history; with every other history the load times are the
    data's own, whatever arrives when, otherwise they follow arrival."""
    found = []
    for number in range(count):
        rows = _rows(random.Random(f"history {seed} {number // orders}"))
        chance = random.Random(f"arrival {seed} {number}")
        tenant = f"tenant-{number}"
        found.append(History(tenant, _arrival(rows, tenant, chance, own_times=number // orders % 2 == 0)))
    return found


def _rows(chance: random.Random) -> list[Row]:
    rows = [_version(chance) for _ in range(chance.randint(3, 12))]
    for moment in chance.sample(range(HOURS), chance.randint(0, 3)):
        rows += _snapshot(chance, moment)
    rows += [_relation(chance) for _ in range(chance.randint(2, 10))]
    rows += [replace(row, loaded_at=_moment(chance)) for row in rows if chance.random() < 0.2]  # delivered again
    return rows


def _moment(chance: random.Random) -> datetime:
    return hour(chance.randrange(HOURS))


def _version(chance: random.Random, kind: str = "version", applied_at: datetime | None = None) -> Row:
    """Of few keys, moments and values, so that ties, repetitions and returns to an old value are common."""
    return Row(
        kind=kind,
        applied_at=applied_at or _moment(chance),
        loaded_at=_moment(chance),
        member_id=chance.choice(["ann", "bob", "cy"]),
        name=chance.choice(["A", "B", None]),
        fee=chance.choice([Decimal("1.50"), Decimal("0.00"), None]),
        is_gone=chance.choices([False, None, True], [6, 2, 3])[0] if kind == "version" else False,
        record_source=chance.choice(["desk", "web"]),
    )


def _snapshot(chance: random.Random, moment: int) -> list[Row]:
    """A full snapshot in parts that may arrive apart; now and then an empty one."""
    listed = Row(kind="listed", applied_at=hour(moment), loaded_at=_moment(chance))
    present = [name for name in ("ann", "bob", "cy") if chance.random() < 0.6]
    return [listed] + [
        replace(_version(chance, "snapshot", hour(moment)), member_id=name, loaded_at=listed.loaded_at)
        if chance.random() < 0.8
        else replace(_version(chance, "snapshot", hour(moment)), member_id=name)
        for name in present
    ]


def _relation(chance: random.Random) -> Row:
    return Row(
        kind="relation",
        applied_at=_moment(chance),
        loaded_at=_moment(chance),
        member_id=chance.choice(["ann", "bob", None]),
        book_id=chance.choice([1, 2]),
        is_gone=chance.random() < 0.35,
    )


def _arrival(rows: list[Row], tenant: str, chance: random.Random, *, own_times: bool) -> list[Row]:
    shuffled = chance.sample(rows, len(rows))
    cuts = sorted(chance.randrange(len(rows) + 1) for _ in range(BATCHES - 1))
    batches = [sum(place >= cut for cut in cuts) for place in range(len(rows))]
    return [
        replace(row, tenant=tenant, batch=batch, loaded_at=row.loaded_at if own_times else hour(batch * 2))
        for row, batch in zip(shuffled, batches, strict=True)
    ]


def as_record(row: Row) -> dict[str, Any]:
    return dict(vars(row))
