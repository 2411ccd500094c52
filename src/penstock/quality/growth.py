"""What need not be looked at again: rows that a release found right stay right while rows only come."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from penstock.quality.result import Status

CAME = "came"  # a schema with the rows that came since the release, by dataset


@dataclass(frozen=True)
class Growth:
    """The datasets to which rows only came since a release, none went, and the records of that release's checks."""

    datasets: frozenset[str] = frozenset()
    found: Sequence[Mapping[str, object]] = ()

    def holds_for_the_others(self, name: str, fingerprint: str, *, of: Collection[str]) -> bool:
        """Whether a rule over these datasets held for every row but those that came.

        It did when the release found so, the rule is what it was, and no row went, from none of the datasets.
        """
        before = [(one["status"], one["fingerprint"]) for one in self.found if one["name"] == name]
        return set(before) == {(Status.PASS.value, fingerprint)} and self.datasets.issuperset(of)
