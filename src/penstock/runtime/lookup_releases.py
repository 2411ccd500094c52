"""The releases at which topologies looked tables up, remembered as long as the rounds that did can be taken again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from penstock.lake.records import delete_records, put_record, read_record, stored_records
from penstock.log.protocol import Log
from penstock.release.record import releases
from penstock.runtime.event_log import has_log, open_log
from penstock.runtime.installation import Installation
from penstock.runtime.reference_table import UNRELEASED, read_reference
from penstock.stream.journal import Round
from penstock.stream.reference import Reference

KIND = "looked_up"


def take_up(installation: Installation, topology: str, table: str, columns: tuple[str, ...]) -> Reference:
    """The columns of `layer.name` at the newest release, for a topology whose rounds are going to name it."""
    found = read_reference(installation, table, columns)
    root, key = installation.place.root, _key(topology, found.version)
    if found.version != UNRELEASED and read_record(root, KIND, key) is None:
        put_record(root, KIND, key, {}, at=installation.world.clock.now())
    return found


def named_releases(installation: Installation) -> frozenset[int]:
    """The releases that a replay looks tables up at. It takes the whole journal of a topology: of one whose first rounds
    were dropped, or that is declared no more, nothing is needed, and what was remembered is forgotten."""
    topologies = installation.project.streams.topologies
    root, taken = installation.place.root, _taken(installation.place.root)
    if not has_log(installation) or not (topologies or taken):
        return frozenset()
    with open_log(installation) as log:
        oldest = {name: _oldest_round(log, name) for name in topologies}
    whole = {name: one for name, one in oldest.items() if one is None or one.number == 0}
    if gone := taken.keys() - whole:
        delete_records(root, KIND, [_key(name, number) for name in gone for number in taken[name]])
    return frozenset(number for name, one in whole.items() for number in _named(root, one, taken.get(name, set())))


def _named(root: Path, oldest: Round | None, taken: set[int]) -> Iterator[int]:
    """What was taken up; before that was remembered, any release since that of the first round."""
    yield from taken
    first = min(oldest.tables.values(), default=UNRELEASED) if oldest is not None else UNRELEASED
    if first != UNRELEASED:
        yield from (one.number for one in releases(root) if first <= one.number < min(taken, default=one.number + 1))


def _taken(root: Path) -> Mapping[str, set[int]]:
    found = defaultdict[str, set[int]](set)
    for record in stored_records(root, KIND):
        topology, _, number = record.key.rpartition("/")
        found[topology].add(int(number))
    return found


def _oldest_round(log: Log, topology: str) -> Round | None:
    entry = log.oldest_entry(topology)
    return None if entry is None else Round.of_bytes(entry)


def _key(topology: str, release: int) -> str:
    return f"{topology}/{release:08d}"
