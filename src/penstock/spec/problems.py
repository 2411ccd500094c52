"""Everything found wrong in a project, collected so that the user reads it all at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from penstock.errors import DeclarationError
from penstock.spec.document import Place


class Problems:
    """A growing list of problems. The first one about a place and subject is kept, so that a broad
    check (a schema) and a precise one never say the same thing twice."""

    def __init__(self) -> None:
        self._found: dict[tuple[Place, str], DeclarationError] = {}

    def add(
        self,
        place: Place,
        what: str,
        *,
        subject: str = "",
        expected: str | None = None,
        found: str | None = None,
        remedy: str | None = None,
    ) -> None:
        """Record a problem; `subject` tells apart problems at one place (the name of a missing key)."""
        problem = DeclarationError(what, where=str(place), expected=expected, found=found, remedy=remedy)
        self._found.setdefault((place, subject), problem)

    def __len__(self) -> int:
        return len(self._found)

    def has(self, place: Place, subject: str = "") -> bool:
        return (place, subject) in self._found

    def raise_any(self, root: str) -> None:
        """Raise one DeclarationError that holds every problem, in the order of file and line; none, none."""
        if not self._found:
            return
        ordered = sorted(self._found.items(), key=lambda item: (item[0][0].file, item[0][0].line, item[0][0].column))
        count = len(ordered)
        raise DeclarationError(
            f"The project has {count} problem{'' if count == 1 else 's'}",
            where=root,
            problems=tuple(problem for _, problem in ordered),
        )


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A sentence that offers the nearest known word, or None.

    >>> did_you_mean("delimeter", ["delimiter", "quote"])
    'Did you mean `delimiter`?'
    """
    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower()[:100], by_lower, n=1, cutoff=0.6)
    return f"Did you mean `{by_lower[near[0]]}`?" if near else None


def listed(words: Iterable[str]) -> str:
    """Words for a sentence.

    >>> listed(["gz", "zst"])
    '`gz`, `zst`'
    """
    return ", ".join(f"`{word}`" for word in words)
