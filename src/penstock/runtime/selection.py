"""What a command is to work on: all that is declared, or what it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from penstock.errors import UsageError
from penstock.spec.problems import did_you_mean

T = TypeVar("T")


def chosen(known: Mapping[str, T], names: Sequence[str], *, what: str) -> list[T]:
    """Those called `names`, in the order of `known`, all when none is named; UsageError when one or all are not there.

    >>> chosen({"a": 1, "b": 2}, ["b"], what="topic")
    [2]
    """
    if not known:
        raise UsageError(f"The project has no {what}", remedy="Declare one under streams/.")
    for name in names:
        if name not in known:
            raise UsageError(
                f"There is no such {what}",
                expected=", ".join(known),
                found=name,
                remedy=did_you_mean(name, known) or "Name one of them.",
            )
    return [one for name, one in known.items() if not names or name in names]
