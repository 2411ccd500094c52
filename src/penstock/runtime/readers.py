"""Readers and jobs that the log keeps rows for: which the project declares, which hold rows back, and forgetting one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from penstock.errors import UsageError
from penstock.log.protocol import Log, Part, Position, Topic
from penstock.runtime.event_log import open_log, waits_for_readers
from penstock.runtime.installation import Installation
from penstock.runtime.landing import reader_of
from penstock.spec.problems import did_you_mean
from penstock.spec.project import Project


@dataclass(frozen=True)
class Unread:
    """How many rows of a topic a reader has not read."""

    reader: str
    topic: str
    rows: int


def declared_readers(project: Project) -> frozenset[str]:
    """The names under which the project itself reads topics: its topologies, and the ways of topics into the lake."""
    streams = project.streams
    return frozenset(streams.topologies) | {reader_of(name) for name, topic in streams.topics.items() if topic.lake}


def forget_reader(installation: Installation, name: str) -> tuple[Unread, ...]:
    """Keep nothing for a reader or job any more; what it has not read, by topic. One that is declared is refused."""
    if name in declared_readers(installation.project):
        raise UsageError(
            "The project declares this reader",
            where=name,
            remedy="Remove its topology, or the topic's way to the lake, from streams/ first.",
        )
    with open_log(installation) as log:
        readers = log.readers()
        if name not in readers:
            raise UsageError(
                "The log knows no such reader",
                expected=", ".join(sorted(readers)) or "none is known",
                found=name,
                remedy=did_you_mean(name, sorted(readers)) or None,
            )
        given_up = tuple(_unread(log, name, readers[name]))
        log.forget(name)
    return given_up


def held_back(installation: Installation) -> tuple[Unread, ...]:
    """What readers that nobody declares have not read, of topics whose retention would have let rows of it go."""
    if not waits_for_readers(installation):
        return ()
    declared, now = declared_readers(installation.project), installation.world.clock.now()
    with open_log(installation) as log:
        topics = log.topics()
        found = []
        for reader, positions in log.readers().items():
            if reader in declared:
                continue
            for unread in _unread(log, reader, positions):
                age = topics[unread.topic].spec.retention
                starts = _starts(log, topics[unread.topic], positions)
                if age is not None and any(now - at >= age for at in _appended(log, starts)):
                    found.append(unread)
        return tuple(found)


def _unread(log: Log, reader: str, positions: Mapping[Part, Position]) -> Iterator[Unread]:
    """By topic that exists."""
    topics = log.topics()
    for name in sorted({topic for topic, _ in positions} & topics.keys()):
        ends = log.bounds(name)
        starts = _starts(log, topics[name], positions)
        yield Unread(reader, name, sum(ends[part][1] - at.offset for (_, part), at in starts.items()))


def _starts(log: Log, topic: Topic, positions: Mapping[Part, Position]) -> dict[Part, Position]:
    """The oldest row there is of each partition that the reader has not read; of a topic made anew it read nothing."""
    found = {}
    for part, (first, _) in log.bounds(topic.spec.name).items():
        at = positions.get((topic.spec.name, part))
        read = at.offset if at is not None and at.incarnation == topic.incarnation else 0
        found[topic.spec.name, part] = Position(max(first, read), topic.incarnation)
    return found


def _appended(log: Log, starts: Mapping[Part, Position]) -> Iterator[datetime]:
    """When the row at each position was appended, where there is one."""
    for part, position in starts.items():
        with closing(log.reader({part: position})) as reader:
            yield from (chunk.appended_at for chunk in reader.poll(1, 0.0)[:1])
