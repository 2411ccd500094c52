"""The files of one collection, asked as if they were one: the rows of each follow those of the one before."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from penstock.store.protocol import Condition
from penstock.store.sqlite_rows import RowFile, moment


class RowFiles:
    """Files in the order of their rows."""

    def __init__(self) -> None:
        self._files: list[RowFile] = []

    def add(self, file: RowFile) -> None:
        self._files.append(file)

    def document(self, key: str) -> bytes | None:
        for file in self._files:
            found = file.document(key)
            if found is not None:
                return found
        return None

    def page(self, conditions: Sequence[Condition], *, skip: int, limit: int, at_once: bool) -> list[bytes]:
        found: list[bytes] = []
        with self._in_time(at_once):
            for file in self._files:
                if len(found) == limit:
                    break
                if skip:
                    there = file.count(conditions, at_once=at_once)
                    if skip >= there:
                        skip -= there
                        continue
                found += file.page(conditions, skip=skip, limit=limit - len(found), at_once=at_once)
                skip = 0
        return found

    def count(self, conditions: Sequence[Condition], *, at_once: bool) -> int:
        with self._in_time(at_once):
            return sum(file.count(conditions, at_once=at_once) for file in self._files)

    def close(self) -> None:
        for file in self._files:
            file.close()

    def _in_time(self, at_once: bool) -> AbstractContextManager[None]:
        return moment(len(self._files)) if at_once else nullcontext()
