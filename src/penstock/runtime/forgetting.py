"""Records that nothing rests on any more: runs, batches, refusals, expired releases and their metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from penstock.lake.records import (
    StoredRecord,
    delete_records,
    last_record,
    read_heads,
    read_table_summary,
    stored_records,
)
from penstock.release import gate
from penstock.release.record import KIND as RELEASE
from penstock.release.record import releases
from penstock.serve import definitions

BRONZE = "penstock.position.bronze."


def forget_records(root: Path, *, older_than: timedelta, now: datetime) -> Mapping[str, int]:
    """Forget records older than `older_than` that nothing needs; how many of each kind went.

    What stays whatever its age: the last run; batches that silver has not seen; every release that can be read and
    the last one; refusals that the last release did not answer; the metrics that a remembered release names.
    """
    limit = now - older_than
    every = releases(root)
    last = every[-1].number if every else 0
    expired = [one for one in every[:-1] if one.expired_at is not None and one.committed_at < limit]
    named = {one.counts.get(definitions.COUNTED) for one in every if one not in expired}
    going = {
        RELEASE: [one.key for one in expired],
        "run": [one.key for one in _runs(root, limit)],
        "batch": [one.key for one in _settled(root, limit)],
        gate.KIND: [one.key for one in stored_records(root, gate.KIND, before=limit) if one.value["number"] <= last],
        definitions.KIND: [
            one.key for one in stored_records(root, definitions.KIND, before=limit) if one.key not in named
        ],
    }
    for kind, keys in going.items():
        if keys:
            delete_records(root, kind, keys)
    return {kind: len(keys) for kind, keys in going.items()}


def _runs(root: Path, limit: datetime) -> Iterable[StoredRecord]:
    last = last_record(root, "run")
    return (one for one in stored_records(root, "run", before=limit) if last is not None and one.key != last.key)


def _settled(root: Path, limit: datetime) -> Iterable[StoredRecord]:
    """Batches of silver, and those of bronze that silver has seen."""
    seen = {
        key.removeprefix(BRONZE): int(value)
        for name, location in read_heads(root).items()
        if name.startswith("silver.")
        for key, value in read_table_summary(location).properties.items()
        if key.startswith(BRONZE)
    }
    for record in stored_records(root, "batch", before=limit):
        layer, _, source = str(record.value["table"]).partition(".")
        if layer == "silver" or record.value["batch"] <= seen.get(source, 0):
            yield record
