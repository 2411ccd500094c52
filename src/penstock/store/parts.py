"""The files of one collection, asked as if they were one: the rows of each follow those of the one before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from penstock.store.layout import hash_of
from penstock.store.protocol import Condition, TakesLong
from penstock.store.row_file import RowFile

_MOMENT = 1 << 20  # ranks, looked at within about a millisecond


class RowFiles:
    """Files in the order of their rows."""

    def __init__(self) -> None:
        self._files: list[RowFile] = []

    def add(self, file: RowFile) -> None:
        self._files.append(file)

    def document(self, key: str) -> bytes | None:
        text, hashed = key.encode("utf-8", "surrogatepass"), hash_of(key)
        for file in self._files:
            found = file.document(text, hashed)
            if found is not None:
                return found
        return None

    def page(self, conditions: Sequence[Condition], *, skip: int, limit: int, at_once: bool) -> list[bytes]:
        found: list[bytes] = []
        for file, there in self._counted(conditions, at_once=at_once):
            if skip >= there:
                skip -= there
                continue
            found += file.page(conditions, skip=skip, limit=limit - len(found))
            skip = 0
            if len(found) == limit:
                break
        return found

    def count(self, conditions: Sequence[Condition], *, at_once: bool) -> int:
        return sum(there for _, there in self._counted(conditions, at_once=at_once))

    def close(self) -> None:
        self._files.clear()

    def _counted(self, conditions: Sequence[Condition], *, at_once: bool) -> Iterator[tuple[RowFile, int]]:
        """The files one by one, each with how many of its rows meet the conditions. With `at_once` TakesLong before one that
        would take too long with those before it."""
        asked = "".join(map(repr, conditions))  # quick to look up, as conditions are not
        left = _MOMENT
        for file in self._files:
            there = file.total(asked)
            if there is None:
                left -= file.to_compare(conditions)
                if at_once and left < 0:
                    raise TakesLong
                there = file.count(conditions, asked)
            yield file, there
