"""The copy of the warehouse that the next build works on, made while data are loaded: the kernel copies meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from penstock.errors import StorageError
from penstock.release.record import latest_release
from penstock.runtime.installation import Installation
from penstock.transform import warehouse


@dataclass
class Ahead:
    """A copy of a base under way, in a file of its own; none where there is nothing to copy."""

    base: Path | None = None
    made: Path | None = None
    under_way: Future[None] | None = None

    def copy(self, base: Path, target: Path) -> None:
        """Make `target` a copy of `base`: the one under way, where it is of that base and comes about."""
        if self.under_way is None or self.made is None or base != self.base:
            warehouse.copy(base, target)
            return
        try:
            self.under_way.result()
        except StorageError:
            warehouse.copy(base, target)  # says what is wrong, if it still is
            return
        warehouse.discard(target)
        self.made.rename(target)
        self.under_way = None


@contextmanager
def copied_ahead(installation: Installation) -> Iterator[Ahead]:
    """Begin to copy the warehouse of the last release, where it has one; what nobody took is thrown away in the end."""
    place = installation.place
    last = latest_release(place.root)
    base = None if last is None else place.warehouse(last.number)
    made = place.building.with_name("building-ahead.duckdb")
    warehouse.discard(made)  # of a run that was killed
    if base is None or not base.exists() or installation.world.at_a_time == 1:
        yield Ahead()
        return
    with ThreadPoolExecutor(1, thread_name_prefix="copy") as pool:
        try:
            yield Ahead(base, made, pool.submit(warehouse.copy, base, made))
        finally:
            pool.shutdown(cancel_futures=True)
            warehouse.discard(made)
