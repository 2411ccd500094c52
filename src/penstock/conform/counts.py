"""How many rows came in and what became of each."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Counts:
    """Rows of one batch; every one has exactly one fate.

    accepted: is in silver now, or goes on to the merge. quarantined: refused with reasons. duplicate: same key and
    content as another row. superseded: lost to a better version. filtered: beyond the horizon, or left out by
    `discard_row`. Each figure is counted from the tables that came out, by a query that moves no row.

    >>> Counts(rows_in=3, accepted=2, quarantined=1).balanced
    True
    """

    rows_in: int = 0
    accepted: int = 0
    quarantined: int = 0
    duplicate: int = 0
    filtered: int = 0
    superseded: int = 0

    def __add__(self, other: Counts) -> Counts:
        mine, theirs = asdict(self), asdict(other)
        return Counts(**{name: mine[name] + theirs[name] for name in mine})

    @property
    def balanced(self) -> bool:
        return self.rows_in == (self.accepted + self.quarantined + self.duplicate + self.filtered + self.superseded)
