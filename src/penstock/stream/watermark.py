"""How far event time has come: a watermark that no single event can carry away and no silence can hold back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import MappingProxyType

from penstock.log.protocol import Part
from penstock.spec.stream import EventTime

BEGINNING = -(1 << 62)  # a watermark before every event


@dataclass(frozen=True)
class Progress:
    """Microseconds since 1970: the latest event of each partition that counts, when each was last heard of by the wall
    clock (of one without events: when it was first looked at), and the watermark so far."""

    latest: Mapping[Part, int] = field(default_factory=lambda: MappingProxyType({}))
    heard: Mapping[Part, int] = field(default_factory=lambda: MappingProxyType({}))
    watermark: int = BEGINNING

    def looked_at(self, parts: Iterable[Part], now: int) -> Progress:
        """With partitions that nothing was heard of yet: they hold the others back until they are idle."""
        return replace(self, heard=MappingProxyType({**dict.fromkeys(parts, now), **self.heard}))

    def as_record(self) -> dict[str, object]:
        """As it stands in a journal."""
        parts = [
            [topic, partition, self.latest.get((topic, partition)), at] for (topic, partition), at in self.heard.items()
        ]
        return {"parts": parts, "watermark": self.watermark}

    @classmethod
    def of_record(cls, record: Mapping[str, object]) -> Progress:
        parts = [(str(topic), int(partition), latest, int(at)) for topic, partition, latest, at in record["parts"]]  # type: ignore[attr-defined]
        latest = {(topic, partition): int(one) for topic, partition, one, _ in parts if one is not None}
        heard = {(topic, partition): at for topic, partition, _, at in parts}
        return cls(latest, heard, int(str(record["watermark"])))


def horizon(time: EventTime, now: int) -> int:
    """The latest event time that may move the watermark; what lies beyond is dated into the future."""
    return now + _micros(time.skew)


def advanced(
    progress: Progress, time: EventTime, events: Mapping[Part, int], now: int, *, behind: Set[Part] = frozenset()
) -> Progress:
    """The progress after a round at `now` in which partitions had these latest events, each within the horizon.

    The watermark is the lowest of all partitions that were heard of within `idle` or are `behind` (have rows that were
    not read yet), less the lateness. Where there is none, event time goes on at the pace of the wall clock from where
    it stood. It never goes back.
    """
    latest = dict(progress.latest)
    for part, at in events.items():
        latest[part] = max(latest.get(part, at), at)
    heard = {**progress.heard, **dict.fromkeys(events, now)}
    moved = replace(progress, latest=MappingProxyType(latest), heard=MappingProxyType(heard))
    reached = _reached(moved, time, now, behind)
    return replace(moved, watermark=max(progress.watermark, reached))


def _reached(progress: Progress, time: EventTime, now: int, behind: Set[Part]) -> int:
    idle, lateness = _micros(time.idle), _micros(time.lateness)
    awake = [part for part, at in progress.heard.items() if part in behind or now - at <= idle]
    if awake:
        lowest = min(progress.latest.get(part, BEGINNING) for part in awake)
        return lowest - lateness if lowest > BEGINNING else BEGINNING
    if not progress.latest:
        return BEGINNING
    silence = now - max(progress.heard.values()) - idle
    return min(max(progress.latest.values()) - lateness + silence, horizon(time, now))


def _micros(length: timedelta) -> int:
    return length // timedelta(microseconds=1)
