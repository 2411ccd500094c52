"""What the road must lead to, decided one delivery at a time in plain Python; shares no code with the product.

The rows of the test's files have four columns: loan, title, fee, at; a field is never quoted.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from tests.sql.canonical_oracle import row_hash

START = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Rules:
    """What the contract and the source declare. `replace`: None, `name` or `column` (the version's place)."""

    key: bool = False
    horizon: timedelta | None = None
    replace: str | None = None


@dataclass(frozen=True)
class Delivered:
    """A content at a path. The version column, where there is one, is the fifth."""

    path: str
    lines: tuple[str, ...]
    header: str

    @property
    def content(self) -> bytes:
        return "".join(f"{line}\n" for line in (self.header, *self.lines)).encode()

    def name_and_version(self, rules: Rules) -> tuple[str, int]:
        if rules.replace == "name":
            name, version = self.path.rsplit("/", 1)[-1].removesuffix(".csv").split("_v")
            return name, int(version)
        fields = [line.split(",") for line in self.lines]
        return self.path, max((int(one[4]) for one in fields if len(one) == 5), default=-1)

    def rank(self, rules: Rules) -> tuple[int, str, str]:
        return self.name_and_version(rules)[1], hashlib.sha256(self.content).hexdigest(), self.path


@dataclass(frozen=True)
class Standing:
    """Final silver and open quarantine. `rows`: values without the place; `places`: where each may come from."""

    rows: Counter[tuple[Any, ...]]
    places: dict[tuple[Any, ...], list[tuple[str, int]]]
    refused: list[tuple[str, int, str]]


def judge(rules: Rules, history: Iterable[Delivered]) -> Standing:
    accepted: list[tuple[tuple[Any, ...], tuple[str, int]]] = []
    refused: list[tuple[str, int, str]] = []
    for file in _standing(rules, set(history)):
        for number, line in enumerate(file.lines, start=2):
            place = (file.path, number)
            fields = line.split(",")
            if len(fields) != len(file.header.split(",")):
                refused.append((*place, "parse"))
            elif (values := _typed(fields)) is None:
                refused.append((*place, "conform"))
            else:
                accepted.append((values, place))
    rows = _winners(rules, [values for values, _ in accepted]) if rules.key else [(v, None) for v, _ in accepted]
    places: dict[tuple[Any, ...], list[tuple[str, int]]] = {}
    for values, place in accepted:
        places.setdefault(values, []).append(place)
    return Standing(Counter((*values, opened) for values, opened in rows), places, sorted(refused))


def _standing(rules: Rules, files: set[Delivered]) -> Sequence[Delivered]:
    if rules.replace is None:
        return list(files)
    best: dict[str, Delivered] = {}
    for file in sorted(files, key=lambda one: one.rank(rules)):
        best[file.name_and_version(rules)[0]] = file
    return list(best.values())


def _typed(fields: list[str]) -> tuple[Any, ...] | None:
    loan, title, fee, at = (value or None for value in fields[:4])
    try:
        money = None if fee is None else Decimal(fee)
        moment = None if at is None else datetime.fromisoformat(at).replace(tzinfo=UTC)
    except (InvalidOperation, ValueError):
        return None
    return None if loan is None else (loan, title, money, moment)


def _winners(rules: Rules, versions: list[tuple[Any, ...]]) -> list[tuple[tuple[Any, ...], datetime | None]]:
    """One version of each loan, with the lowest time of all its versions where there is a horizon."""
    keys: dict[str, list[tuple[Any, ...]]] = {}
    for version in versions:
        keys.setdefault(version[0], []).append(version)
    winners = []
    for group in keys.values():
        opened = min((one[3] for one in group if one[3] is not None), default=None)
        inside = [
            one
            for one in group
            if rules.horizon is None or one[3] is None or opened is None or one[3] <= opened + rules.horizon
        ]
        winner = max(inside, key=lambda one: (one[3] is not None, one[3] or START, _hash(one)))
        winners.append((winner, opened if rules.horizon is not None else None))
    return winners


def _hash(values: tuple[Any, ...]) -> str:
    return row_hash("default", dict(zip(("id_loan", "id_title", "id_fee", "id_at"), values, strict=True)))
