"""Events as rows of the shop's topics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.column import NULL, Ints
from simulator.live.draws import weighted
from simulator.live.happening import (
    MERCHANT_PICKS,
    ORDER_PLACE,
    PATTERNS,
    PLACED_AFTER,
    ROUND,
    TRAVEL,
    Dirt,
    Happening,
    Kind,
    World,
)
from simulator.live.schedule import Schedule

_CITIES = ("Ashford", "Brook", "Castle Hill", "Dale", "Eastgate", "Ford", "Greenfield", "Harbour", "Ironbridge")
_FAR_AWAY = len(_CITIES)
_PLACES = pa.array([*_CITIES, "Valparaiso"])
_TRADES = pa.array(["groceries", "travel", "electronics", "books", "fashion", "sports"])
_METHODS = pa.array(["card", "wallet", "bank_transfer", "gift_card", "invoice", "cheque"])
_NO_METHOD = 5
_METHOD_PICKS = weighted((62, 24, 8, 2, 4))
_STATUSES = pa.array(["authorized", "captured", "failed", "refunded"])
_CAPTURED, _REFUNDED = 1, 3
_STATUS_PICKS = weighted((2, 94, 4))
_CHANNELS = pa.array(["web", "app"])
_LOOKS = pa.array(["page_view", "product_view", "add_to_cart", "checkout", "purchase"])
_REASONS = pa.array(["damaged", "wrong_item", "not_as_described", "changed_mind", "late"])
_HOUR = 3_600_000_000
TOPICS = (
    "transactions",
    "customer_events",
    "orders_live",
    "order_lines_live",
    "order_events_live",
    "refunds_live",
    "inventory_changes",
)


@dataclass(frozen=True)
class Rows:
    """What a batch puts into each topic, and what is to be known about it: labelled frauds and dirt."""

    topics: Mapping[str, pa.Table]
    labels: tuple[Mapping[str, object], ...]


def rows_of(world: World, schedule: Schedule, first: int, after: int) -> Rows:
    """The rows of the events from `first` up to `after`."""
    happening = world.happening(first, after)
    made = _Maker(world, schedule, happening)
    topics = {
        "transactions": made.transactions(),
        "customer_events": made.looks(),
        "orders_live": made.orders(),
        "order_lines_live": made.lines(),
        "order_events_live": made.steps(),
        "refunds_live": made.refunds(),
        "inventory_changes": made.movements(),
    }
    return Rows(topics, tuple(made.labels(topics["transactions"])))


class _Maker:
    def __init__(self, world: World, schedule: Schedule, happening: Happening) -> None:
        self.world, self.schedule, self.what = world, schedule, happening
        self.cast, self.draws = world.cast, world.draws
        self.paying = happening.of(Kind.MERCHANT, Kind.FRAUD, Kind.PAYMENT, Kind.PAYBACK)

    def transactions(self) -> pa.Table:
        numbers, kind, visit = (part[self.paying] for part in (self.what.source, self.what.kind, self.what.visit))
        dirt = self.what.dirt[self.paying]
        user = self.world.user(numbers, kind, visit)
        store = self.cast.store[user]
        of_order = visit != NULL
        merchant = self.draws.pick("merchant", MERCHANT_PICKS, numbers) + 1
        status = np.where(kind == Kind.MERCHANT, self.draws.pick("status", _STATUS_PICKS, numbers), _CAPTURED)
        status[kind == Kind.PAYBACK] = _REFUNDED
        method = self.draws.pick("method", _METHOD_PICKS, np.where(of_order, visit, numbers))
        method[dirt == Dirt.MALFORMED] = _NO_METHOD
        place = self.cast.home[user]
        far = (kind == Kind.FRAUD) & (self.world.pattern(numbers) == TRAVEL) & (self.world.fraud_step(numbers) == 1)
        place = np.where(far, _FAR_AWAY, place)
        amount = self._amounts(numbers, kind, visit, user)
        fee = np.where(status == _CAPTURED, np.minimum(amount * 14 // 1000 + 2_500, amount), 0)
        at = self.schedule.instants(numbers)
        late = dirt == Dirt.LATE
        if late.any():
            at[late] -= _HOUR + (self.draws.unit("how late", numbers[late]) * 20 * _HOUR).astype(np.int64)
        return pa.table(
            {
                "store_id": self._store(store),
                "payment_id": self._hashes(numbers),
                "order_id": _optional(_identifiers("L", np.where(of_order, visit, 0)), of_order),
                "user_id": self.cast.customer_id.take(pa.array(user)),
                "merchant_id": _optional(_identifiers("M", merchant, 7), ~of_order),
                "merchant_category": _optional(_TRADES.take(pa.array(merchant % len(_TRADES))), ~of_order),
                "payment_method": _METHODS.take(pa.array(method)),
                "status": _STATUSES.take(pa.array(status)),
                "attempt": pa.array(np.ones(len(numbers), dtype=np.int64)),
                "amount": _money(amount),
                "currency": self._currency(store),
                "fee": _money(fee),
                "occurred_at": _instants(at),
                "location": _PLACES.take(pa.array(place)),
            }
        )

    def _amounts(self, numbers: Ints, kind: Ints, visit: Ints, user: Ints) -> Ints:
        amount = self.world.spent(numbers, user)
        fraud = np.flatnonzero(kind == Kind.FRAUD)
        amount[fraud] = self.world.stolen(numbers[fraud], user[fraud])
        own = np.flatnonzero(kind == Kind.PAYMENT)
        lines = self.world.fate(visit[own])[1]
        amount[own] = self.world.worth(visit[own], lines, self.cast.store[user[own]])
        back = np.flatnonzero(kind == Kind.PAYBACK)
        one = np.ones(len(back), dtype=np.int64)
        amount[back] = self.world.worth(visit[back], one, self.cast.store[user[back]])
        return amount

    def looks(self) -> pa.Table:
        numbers, visit, user, store = self._of(Kind.EVENT)
        place = numbers % ROUND
        orders = self.world.fate(visit)[0]
        cart = orders | (self.draws.unit("cart", visit) < 0.25)
        step = np.where((place == 1) | (place == 2), 1, 0)
        step[(place == 3) & cart] = 2
        step[(place == 4) & orders] = 3
        step[(place == 10) & orders] = 4
        variant, _ = self.world.line(visit, np.where(place == 2, 2, 1), store)
        lines = self.world.fate(visit)[1]
        bot = ~orders & (self.draws.unit("machine", visit) < 0.06)
        known = (self.draws.unit("signed in", visit) < 0.85) & ~bot
        return pa.table(
            {
                "event_id": _identifiers("LE", numbers),
                "user_id": _optional(self.cast.customer_id.take(pa.array(user)), known | orders),
                "event_type": _LOOKS.take(pa.array(step)),
                "session_id": _identifiers("LS", visit),
                "product_id": _optional(self.cast.product_id.take(pa.array(variant)), (step == 1) | (step == 2)),
                "amount": _optional(_money(self.world.worth(visit, lines, store)), step == 4),
                "occurred_at": self._at(numbers),
                "store_id": self._store(store),
                "session_started_at": self._at(visit * ROUND),
                "is_bot": pa.array(bot),
                "is_staff": pa.array(self._test(visit)),
            }
        )

    def orders(self) -> pa.Table:
        numbers, visit, user, store = self._of(Kind.ORDER, Kind.PAID)
        paid = self.what.kind[self.what.of(Kind.ORDER, Kind.PAID)] == Kind.PAID
        return pa.table(
            {
                "store_id": self._store(store),
                "order_id": _identifiers("L", visit),
                "updated_at": self._at(numbers),
                "customer_id": self.cast.customer_id.take(pa.array(user)),
                "placed_at": self._placed(visit),
                "status": pa.array(["placed", "paid"]).take(pa.array(paid.astype(np.int64))),
                "channel": _CHANNELS.take(pa.array((self.draws.unit("channel", visit) < 0.35).astype(np.int64))),
                "currency": self._currency(store),
                "is_test": pa.array(self._test(visit)),
                "ship_country": self.cast.countries.take(pa.array(store)),
                "ship_region": pa.nulls(len(numbers), pa.string()),
            }
        )

    def lines(self) -> pa.Table:
        numbers, visit, _, store = self._of(Kind.LINE)
        line_no = numbers % ROUND - ORDER_PLACE
        variant, quantity = self.world.line(visit, line_no, store)
        return pa.table(
            {
                "store_id": self._store(store),
                "order_id": _identifiers("L", visit),
                "line_no": pa.array(line_no),
                "variant_id": self.cast.variant_id.take(pa.array(variant)),
                "product_id": self.cast.product_id.take(pa.array(variant)),
                "quantity": pa.array(quantity),
                "list_price": _money(self.cast.price[variant]),
                "discount_amount": pa.nulls(len(numbers), pa.decimal128(18, 4)),
                "currency": self._currency(store),
                "is_test": pa.array(self._test(visit)),
                "placed_at": self._placed(visit),
            }
        )

    def steps(self) -> pa.Table:
        numbers, visit, _, store = self._of(Kind.PLACED, Kind.CANCELLED)
        cancelled = self.what.kind[self.what.of(Kind.PLACED, Kind.CANCELLED)] == Kind.CANCELLED
        variant, quantity = self.world.line(visit, np.ones_like(visit), store)
        return pa.table(
            {
                "store_id": self._store(store),
                "event_id": _identifiers("LO", numbers),
                "order_id": _identifiers("L", visit),
                "line_no": pa.array(np.ones_like(visit), mask=~cancelled),
                "event_type": pa.array(["placed", "cancelled"]).take(pa.array(cancelled.astype(np.int64))),
                "quantity": pa.array(quantity, mask=~cancelled),
                "occurred_at": self._at(numbers),
                **self._order(visit, store, cancelled),
                "ordered_quantity": pa.array(quantity, mask=~cancelled),
                "ordered_gross": _optional(_money(self.cast.price[variant] * quantity), cancelled),
                "ordered_discount": pa.nulls(len(numbers), pa.decimal128(18, 4)),
            }
        )

    def refunds(self) -> pa.Table:
        numbers, visit, _, store = self._of(Kind.REFUND)
        variant, quantity = self.world.line(visit, np.ones_like(visit), store)
        one = np.ones_like(visit)
        return pa.table(
            {
                "store_id": self._store(store),
                "refund_id": _identifiers("LR", numbers),
                "line_no": pa.array(one),
                "order_id": _identifiers("L", visit),
                "order_line_no": pa.array(one),
                "quantity": pa.array(quantity),
                "amount": _money(self.cast.price[variant] * quantity),
                "refunded_at": self._at(numbers),
                "reason": _REASONS.take(pa.array(self.draws.whole("reason", 0, len(_REASONS) - 1, visit))),
                **self._order(visit, store, np.ones(len(numbers), dtype=bool)),
            }
        )

    def movements(self) -> pa.Table:
        numbers, visit, _, store = self._of(Kind.SHIPMENT, Kind.PURCHASE)
        bought = visit == NULL
        line = np.where(bought, 1, numbers % ROUND - 10)
        variant, units = self.world.line(np.where(bought, numbers, visit), line, store)
        quantity = np.where(bought, self.draws.whole("delivery", 2, 12, numbers), -units)
        return pa.table(
            {
                "store_id": self._store(store),
                "movement_id": _identifiers("LI", numbers),
                "variant_id": self.cast.variant_id.take(pa.array(variant)),
                "location": pa.repeat("warehouse", len(numbers)),
                "quantity": pa.array(quantity),
                "reason": pa.array(["shipment", "purchase"]).take(pa.array(bought.astype(np.int64))),
                "occurred_at": self._at(numbers),
            }
        )

    def labels(self, transactions: pa.Table) -> list[dict[str, object]]:
        """One for each payment of a fraud and each row with dirt, in the order of the topic."""
        kind, dirt, numbers = self.what.kind[self.paying], self.what.dirt[self.paying], self.what.source[self.paying]
        places = np.flatnonzero((kind == Kind.FRAUD) | (dirt != Dirt.NONE))
        if len(places) == 0:
            return []
        columns = ["store_id", "payment_id", "user_id", "amount", "occurred_at"]
        rows = transactions.select(columns).take(pa.array(places)).to_pylist()
        found: list[dict[str, object]] = []
        for place, row in zip(places.tolist(), rows, strict=True):
            told = {**row, "amount": str(row["amount"]), "occurred_at": row["occurred_at"].isoformat()}
            if kind[place] == Kind.FRAUD:
                of_it = numbers[place : place + 1]
                pattern, episode = PATTERNS[int(self.world.pattern(of_it)[0])], int(self.world.episode(of_it)[0])
                found.append({"fraud": pattern, "episode": episode, **told})
            else:
                found.append({"dirt": Dirt(int(dirt[place])).name.lower(), **told})
        return found

    def _of(self, *kinds: Kind) -> tuple[Ints, Ints, Ints, Ints]:
        """Numbers, visits, users and stores of the events of these kinds."""
        places = self.what.of(*kinds)
        numbers, visit = self.what.numbers[places], self.what.visit[places]
        user = self.world.user(numbers, self.what.kind[places], visit)
        return numbers, visit, user, self.cast.store[user]

    def _placed(self, visit: Ints) -> pa.Array:
        """When the order of each visit was placed."""
        return self._at((visit + PLACED_AFTER) * ROUND + ORDER_PLACE)

    def _order(self, visit: Ints, store: Ints, there: np.ndarray) -> dict[str, pa.Array]:
        """What a row tells of the order of each visit."""
        return {
            "order_currency": _optional(self._currency(store), there),
            "order_placed_at": _optional(self._placed(visit), there),
            "order_is_test": _optional(pa.array(self._test(visit)), there),
        }

    def _test(self, visit: Ints) -> np.ndarray:
        return self.draws.unit("test", visit) < 0.004

    def _at(self, numbers: Ints) -> pa.Array:
        return _instants(self.schedule.instants(numbers))

    def _store(self, store: Ints) -> pa.Array:
        return self.cast.store_ids.take(pa.array(store))

    def _currency(self, store: Ints) -> pa.Array:
        return self.cast.currencies.take(pa.array(store))

    def _hashes(self, numbers: Ints) -> pa.Array:
        """The identifier of each transaction: SHA-256 of seed and number."""
        begun = sha256(f"transaction {self.world.seed} ".encode())
        found = []
        for number in numbers.tolist():
            one = begun.copy()
            one.update(b"%d" % number)
            found.append(one.hexdigest())
        return pa.array(found, pa.string())


def _identifiers(prefix: str, numbers: Ints, digits: int = 9) -> pa.Array:
    return pc.binary_join_element_wise(prefix, pc.utf8_lpad(pa.array(numbers).cast(pa.string()), digits, "0"), "")


def _optional(values: pa.Array, there: np.ndarray) -> pa.Array:
    return pc.if_else(pa.array(there), values, pa.scalar(None, values.type))


def _instants(microseconds: Ints) -> pa.Array:
    return pa.array(microseconds, pa.int64()).cast(pa.timestamp("us", "UTC"))


def _money(values: Ints) -> pa.Array:
    """Exact decimals of ten-thousandths: 128 bits, low half first."""
    halves = np.empty((len(values), 2), dtype=np.int64)
    halves[:, 0] = values
    halves[:, 1] = values >> 63
    return pa.Array.from_buffers(pa.decimal128(18, 4), len(values), [None, pa.py_buffer(halves)])
