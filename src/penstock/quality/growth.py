"""What need not be looked at again: rows that a release found right stay right while nothing goes that they need."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

import duckdb

from penstock.quality.result import Places, Status
from penstock.sql.names import quote

CAME = "came"  # a schema with the rows that came since the release, by dataset
CAME_GOLD = "came_gold"  # the same of gold tables
KEYS = "keys_asked_for"  # a temporary table

Earlier: TypeAlias = "Callable[[duckdb.DuckDBPyConnection, str, str | None], str]"
"""Of a dataset the rows that did not come, as a relation: at least those that have the key of a row in a temporary table,
which has the first two columns of the dataset's key; all where no table is named."""


def silver(dataset: str) -> str:
    """All rows of a dataset, as a relation."""
    return f"silver.{quote(dataset)}"


def came_to(dataset: str) -> str:
    """Those that came, likewise."""
    return f"{CAME}.{quote(dataset)}"


def all_earlier(_: duckdb.DuckDBPyConnection, dataset: str, __: str | None) -> str:
    """All rows of a dataset that did not come."""
    return f"(FROM {silver(dataset)} ANTI JOIN {came_to(dataset)} USING (_file_id, _line))"


@dataclass(frozen=True)
class Growth:
    """The datasets of which the rows are known that came since a release, those of them that lost none, the records
    of that release's checks, where rows that did not come are looked for, and the gold tables of which the rows are
    known that came."""

    came: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()
    found: Sequence[Mapping[str, object]] = ()
    earlier: Earlier = all_earlier
    gold: frozenset[str] = frozenset()

    def holds_for_the_others(
        self, name: str, fingerprint: str, *, of: Collection[str], needs: Collection[str] = ()
    ) -> bool:
        """Whether a rule over the rows of some datasets held for every row but those that came.

        It did when the release found so, the rule is what it was, and no row went from a dataset that it `needs`: one
        in which a row may be what lets another pass.
        """
        before = [(one["status"], one["fingerprint"]) for one in self.found if one["name"] == name]
        return self._knows(of, needs) and set(before) == {(Status.PASS.value, fingerprint)}

    def waited(self, name: str, fingerprint: str, *, of: Collection[str], needs: Collection[str]) -> Places | None:
        """Where the rows stood that waited at the release, when the rule held for all others but those that came; None
        where that is not known."""
        if self.holds_for_the_others(name, fingerprint, of=of, needs=needs):
            return {}
        before = [one for one in self.found if (one["name"], one["fingerprint"]) == (name, fingerprint)]
        waiting = before[0].get("waiting") if len(before) == 1 else None
        return cast("Places", waiting) if self._knows(of, needs) and isinstance(waiting, Mapping) else None

    def _knows(self, of: Collection[str], needs: Collection[str]) -> bool:
        return self.came.issuperset(of) and self.whole.issuperset(needs)
