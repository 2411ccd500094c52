"""The release that the next build starts from, and its warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from penstock.release.record import Release, releases
from penstock.runtime.place import DataDirectory


def built_upon(place: DataDirectory, last: Release) -> tuple[Release, Path | None]:
    """The last release and its warehouse, None where there is none. Where a run ended after its release, before its
    warehouse was in order, the one that is there tells which release it equals."""
    base = place.warehouse(last.number)
    if base.exists():
        return last, base
    return next(_others(place), (last, None))


def _others(place: DataDirectory) -> Iterator[tuple[Release, Path]]:
    from penstock.transform.warehouse import read_state

    for path in place.cache.glob("warehouse-*.duckdb"):
        state = read_state(path)
        silver = {} if state is None else {f"silver.{name}": given.snapshot_id for name, given in state.inputs.items()}
        for release in reversed(releases(place.root)):
            if silver and release.silver == silver and release.expired_at is None:
                yield release, path
