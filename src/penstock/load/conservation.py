"""Conservation: what went in is what came out, was refused, or lost to a better version."""

from __future__ import annotations

from penstock.conform.counts import Counts
from penstock.errors import PenstockError


class ConservationBroken(PenstockError):
    """Rows were lost or doubled between two tables; nothing was committed."""


def check_conserved(counts: Counts, *, where: str) -> None:
    """Stop before the commit when rows are missing or doubled.

    >>> check_conserved(Counts(rows_in=3, accepted=2, quarantined=1), where="silver.loans")
    """
    if not counts.balanced:
        raise ConservationBroken(
            "Rows do not add up, so nothing was committed",
            where=where,
            found=str(counts),
            remedy="This is a defect of Penstock: please report it with this message.",
        )
