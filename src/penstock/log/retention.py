"""Which segments may go: those that every topic in them lets go, oldest first, never the newest."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from penstock.log.catalog import Catalog
from penstock.log.open_segments import Segments
from penstock.log.protocol import Part, Position, Topic
from penstock.log.segment import Extent
from penstock.log.segment_files import numbers
from penstock.world import Clock


class Retention:
    """Asked by the owner of a folder. By age a topic waits for its readers; by size for nobody."""

    def __init__(self, root: Path, catalog: Catalog, clock: Clock) -> None:
        self._root = root
        self._catalog = catalog
        self._clock = clock

    def droppable(self, folder: Path) -> list[int]:
        """Segments of a folder that may go now."""
        segments = Segments(folder)
        try:
            return self._droppable(segments)
        finally:
            segments.close()

    def _droppable(self, segments: Segments) -> list[int]:
        found = numbers(segments.root)
        topics = {name: home.topic for name, home in self._catalog.homes().items()}
        extents = {number: _extents(segments, number) for number in found}
        left = _sizes(extents)
        floors = {topic: self._floors(topic, topics) for topic in left}
        going: list[int] = []
        empty: list[int] = []  # of these retention says nothing: they hold a job's journal, and go with what follows
        for number in found[:-1]:
            sealed = _sealed(segments, number)
            held = [one for one in extents[number] if one.next > one.first]
            if sealed is None or not all(
                self._lets_go(topics.get(one.topic), one, sealed, left[one.topic], floors[one.topic]) for one in held
            ):
                break
            empty.append(number)
            if held:
                going, empty = going + empty, []
            for one in held:
                left[one.topic] -= one.bytes
        return going

    def _lets_go(
        self, topic: Topic | None, held: Extent, sealed: datetime, bytes_left: int, floors: dict[Part, int]
    ) -> bool:
        if topic is None:
            return True
        if topic.spec.max_bytes is not None and bytes_left > topic.spec.max_bytes:
            return True
        if topic.spec.retention is None or self._clock.now() - sealed < topic.spec.retention:
            return False
        return floors.get((held.topic, held.partition), held.next) >= held.next

    def _floors(self, topic: str, topics: dict[str, Topic]) -> dict[Part, int]:
        """The oldest offset that a named reader or a job still needs, by partition; none where nobody reads."""
        known = topics.get(topic)
        if known is None:
            return {}
        claims = [
            {(topic, part): at.offset for part, at in reader.items() if at.incarnation == known.incarnation}
            for reader in self._catalog.needed(topic)
        ]
        claims += [
            {part: at.offset for part, at in self.of_job(job).items()} for job in self._catalog.jobs_reading(topic)
        ]
        parts = [(topic, part) for part in range(known.spec.partitions)]
        return {part: min(claim.get(part, 0) for claim in claims) for part in parts} if claims else {}

    def of_job(self, job: str) -> dict[Part, Position]:
        """What a job committed last."""
        segments = Segments(self._root / "jobs" / job)
        try:
            newest = numbers(segments.root)
            segment = segments.get(newest[-1]) if newest else None
            return {} if segment is None else dict(segment.positions())
        finally:
            segments.close()


def _extents(segments: Segments, number: int) -> list[Extent]:
    segment = segments.get(number)
    return [] if segment is None else segment.extents()


def _sizes(extents: dict[int, list[Extent]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for held in extents.values():
        for one in held:
            found[one.topic] = found.get(one.topic, 0) + one.bytes
    return found


def _sealed(segments: Segments, number: int) -> datetime | None:
    segment = segments.get(number)
    at = None if segment is None else segment.sealed()
    return None if at is None else datetime.fromtimestamp(0).astimezone() + timedelta(microseconds=at)
