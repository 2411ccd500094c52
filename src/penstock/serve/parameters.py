"""Query parameters, read strictly: every one is known, stands once, and is written as its kind is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import parse_qsl

from penstock.serve.kind import Kind, kind_named
from penstock.serve.problem import error, refused
from penstock.spec.endpoint import MOST_ROWS, USUAL_ROWS, Endpoint
from penstock.spec.endpoint_keys import BOUNDS
from penstock.spec.problems import did_you_mean
from penstock.store.collection import Collection
from penstock.store.protocol import Compare, Condition

Value = TypeVar("Value")
FURTHEST = (1 << 53) - 1  # beyond it a JSON number loses digits in many readers
_WHOLE = re.compile(r"0|[1-9][0-9]{0,15}")
_MOST = 100  # parameters of one request
_SHOWN = 60  # characters of a refused value


@dataclass(frozen=True)
class Selection:
    """Which rows are asked for."""

    skip: int
    limit: int
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Chooser:
    """A parameter that chooses rows by a column."""

    name: str
    column: str
    kind: Kind
    compare: Compare


def choosers(endpoint: Endpoint, collection: Collection) -> tuple[Chooser, ...]:
    """The parameters of an endpoint besides `skip` and `limit`, in the order of declaration."""
    filters = [_chooser(collection, name, name, Compare.EQUAL) for name in endpoint.filters]
    low, high = BOUNDS
    ranges = [
        _chooser(collection, name + ending, name, compare)
        for name in endpoint.ranges
        for ending, compare in ((low, Compare.AT_LEAST), (high, Compare.AT_MOST))
    ]
    return (*filters, *ranges)


def selection(
    query: bytes, known: Sequence[Chooser] = (), *, usual: int = USUAL_ROWS, most: int = MOST_ROWS
) -> Selection:
    """The rows that a query string asks for. Problem 422 with everything that is wrong with it."""
    reading = Reading(query, ("skip", "limit", *(one.name for one in known)))
    skip, limit = reading.paging(usual=usual, most=most)
    conditions = []
    for one in known:
        value = reading.value(one.name, one.kind.parse, one.kind.expected)
        if value is not None:
            conditions.append(Condition(one.column, one.compare, value))
    reading.finish()
    return Selection(skip, limit, tuple(conditions))


def nothing(query: bytes) -> None:
    """Problem 422 when there is any parameter at all."""
    Reading(query, ()).finish()


def _chooser(collection: Collection, name: str, column: str, compare: Compare) -> Chooser:
    return Chooser(name, column, kind_named(collection.field(column).kind), compare)


def whole(lowest: int, highest: int) -> Callable[[str], int | None]:
    """Reads a whole number of a range."""

    def parse(text: str) -> int | None:
        return int(text) if _WHOLE.fullmatch(text) and lowest <= int(text) <= highest else None

    return parse


class Reading:
    """A query string as it is read; what is wrong is collected and told at once. Those of `several` may stand
    more than once."""

    def __init__(self, query: bytes, known: Sequence[str], *, several: Sequence[str] = ()) -> None:
        self._errors: list[Mapping[str, str]] = []
        self._values: dict[str, list[str]] = {}
        for name, value in self._pairs(query):
            if name not in known:
                self._errors.append(_unknown(name, known))
            elif name in self._values and name not in several:
                self._errors.append(error(name, f"The parameter {name} stands twice.", remedy="Keep one of them."))
            else:
                self._values.setdefault(name, []).append(value)

    def value(self, name: str, parse: Callable[[str], Value], expected: str) -> Value | None:
        """A value as `parse` reads it; what it does not, it gives None for."""
        text = self.text(name)
        if text is None:
            return None
        value = parse(text)
        if value is None:
            remedy = "A + in an address is a space; write it as %2B." if " " in text else None
            wrong = error(name, f"{name} is not {expected}.", expected=expected, found=shown(text), remedy=remedy)
            self._errors.append(wrong)
        return value

    def text(self, name: str) -> str | None:
        """A value as it was written."""
        return next(iter(self._values.get(name, ())), None)

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(self._values.get(name, ()))

    def paging(self, *, usual: int = USUAL_ROWS, most: int = MOST_ROWS) -> tuple[int, int]:
        """`skip` and `limit`."""
        skip = self.value("skip", whole(0, FURTHEST), f"a whole number from 0 to {FURTHEST}")
        limit = self.value("limit", whole(1, most), f"a whole number from 1 to {most}")
        return skip or 0, usual if limit is None else limit

    def finish(self) -> None:
        """Problem 422 with all that is wrong."""
        if self._errors:
            raise refused(self._errors)

    def _pairs(self, query: bytes) -> list[tuple[str, str]]:
        if not query:
            return []
        try:
            return parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST)
        except UnicodeDecodeError:
            self._errors.append(error("", "The query is not UTF-8.", remedy="Encode it as UTF-8 with %."))
        except ValueError:
            self._errors.append(error("", f"The query has more than {_MOST} parameters."))
        return []


def shown(text: str) -> str:
    """A refused value, cut where it is long."""
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _unknown(name: str, known: Sequence[str]) -> dict[str, str]:
    expected = f"one of {', '.join(known)}" if known else "no parameter"
    remedy = did_you_mean(name, known) if known else None
    return error(shown(name), f"There is no parameter {shown(name)}.", expected=expected, remedy=remedy)
