"""One root for every error a user can meet: facts are fields, the sentence is written from them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

MOST_NAMED = 12

_QUOTED = re.compile(r"'(?:[^']|'')*'")


def without_values(message: str) -> str:
    """The message as it may be kept: what stands in single quotes is hidden, for there databases quote values.

    >>> without_values("Could not convert string 'ada@example.org' to INT32")
    "Could not convert string '***' to INT32"
    """
    return _QUOTED.sub("'***'", message)


def counted(number: int, noun: str) -> str:
    """A number of things in a sentence.

    >>> counted(1, "file"), counted(1200, "file")
    ('1 file', '1,200 files')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def choices(known: Sequence[str], meant: Sequence[str] = ()) -> str:
    """What there is, for one who named something else: all of a few, else those that come near, or the first.

    >>> choices(["loans", "members"])
    'loans, members'
    >>> choices([f"silver.t{n:02}" for n in range(40)], ["silver.t07"])
    'silver.t07 and 39 others'
    """
    if len(known) <= MOST_NAMED:
        return ", ".join(known)
    named = meant or known[:MOST_NAMED]
    return f"{', '.join(named)} and {counted(len(known) - len(named), 'other')}"


class PenstockError(Exception):
    """What went wrong, where, what was expected, what was found, and what to do.

    Raise a subclass with facts; do not format a sentence yourself. `exit_code` is what the
    command line returns (1 data, gate or operation failed; 2 wrong use or wrong declaration).
    `retryable` says whether the same call may succeed later without a change by the user.

    >>> str(PenstockError("The file has no header", where="a.csv:1", remedy="Declare `header: false`."))
    'a.csv:1: The file has no header. Declare `header: false`.'
    """

    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        found: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.what = what
        self.where = where
        self.expected = expected
        self.found = found
        self.remedy = remedy
        super().__init__(what)

    def __str__(self) -> str:
        head = self.what if self.where is None else f"{self.where}: {self.what}"
        facts = [
            f"{name} {value}"
            for name, value in (("expected", self.expected), ("found", self.found))
            if value is not None
        ]
        sentence = f"{head}: {', '.join(facts)}" if facts else head.rstrip(".")
        drawn = "\n" in sentence  # what a database shows of a query, with a mark below the place
        parts = [sentence if drawn else f"{sentence}.", *([] if self.remedy is None else [self.remedy])]
        return ("\n" if drawn else " ").join(parts)


class UsageError(PenstockError):
    """The command was called in a way that cannot work."""

    exit_code = 2


class DeclarationError(PenstockError):
    """Something declared in the project is wrong; `problems` lists every one found."""

    exit_code = 2

    def __init__(self, what: str, *, problems: tuple[PenstockError, ...] = (), **facts: str | None) -> None:
        self.problems = problems
        super().__init__(what, **facts)


class SourceError(PenstockError):
    """An input as a whole cannot be read (missing folder, corrupt file, changed incarnation)."""


class SourceBusy(SourceError):
    """An input is changing while it is read; nothing of it was taken."""

    retryable = True


class StorageError(PenstockError):
    """Disk or catalogue refused (full, unreadable, failed fsync); nothing half done is visible."""


class DiskFull(StorageError):
    """There is no room for now; nothing of the call was written, and the same call may succeed later."""

    retryable = True


class CommitConflict(PenstockError):
    """Another writer moved a table since its head was loaded: re-read the position, then decide."""

    retryable = True


class Fenced(PenstockError):
    """This writer's lease was taken over; it must stop and must not retry."""


class LeaseHeld(PenstockError):
    """Another process holds the lease; it is named."""

    retryable = True


class RolledBack(PenstockError):
    """A table's snapshot and its position disagree: it was changed by hand. `doctor` offers what to do."""


class GateFailed(PenstockError):
    """A blocking check failed; gold was not changed."""


class TransformFailed(PenstockError):
    """A model did not build; gold was not changed."""
