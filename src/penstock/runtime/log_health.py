"""Whether the event log is as it was written: every batch of every topic is read once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from penstock.errors import PenstockError, UsageError, counted
from penstock.log.embedded import EmbeddedLog
from penstock.log.protocol import Chunk, Log, Lost, Part, Position, SourceReset
from penstock.runtime.event_log import waits_for_readers
from penstock.runtime.installation import Installation

_ROWS_AT_ONCE = 200_000


@dataclass(frozen=True)
class Health:
    """The first batch of each partition that cannot be read, if any, and how many rows were given up before."""

    damaged: tuple[PenstockError, ...]
    given_up: int


def health(log: Log) -> Health:
    """Read all there is; rows that go meanwhile are no damage."""
    damaged, given_up = list[PenstockError](), 0
    for name, topic in sorted(log.topics().items()):
        for partition, (first, next) in sorted(log.bounds(name).items()):
            try:
                for chunk in _chunks(log, (name, partition), Position(first, topic.incarnation), next):
                    given_up += 0 if chunk.poison is None else chunk.poison.num_rows
            except SourceReset:
                continue
            except PenstockError as error:
                damaged.append(error)
    return Health(tuple(damaged), given_up)


def _chunks(log: Log, part: Part, position: Position, next: int) -> Iterator[Chunk]:
    with closing(log.reader({part: position}, bare=True)) as reader:
        while position.offset < next and (chunks := reader.poll(_ROWS_AT_ONCE, 0.0)):
            position = Position(chunks[-1].next, position.incarnation)
            yield from chunks


def give_up(installation: Installation, topic: str, *, partition: int, offset: int) -> Lost:
    """Let every reader go on without the rows from an offset on that cannot be read; which they are.

    UsageError where the rows can be read, or there are none.
    """
    if not waits_for_readers(installation):
        raise UsageError(
            "The data directory has no event log of its own",
            where=str(installation.place.root),
            remedy="Where the log is Kafka's, its brokers look after it.",
        )
    with EmbeddedLog.open(installation.place.root / "log", installation.world) as log:
        known = log.topics().get(topic)
        place = f"{topic}, partition {partition}, offset {offset}"
        if known is None or partition not in log.bounds(topic):
            raise UsageError("There is no such partition", where=place, remedy="`penstock topics list` lists them.")
        try:
            with closing(log.reader({(topic, partition): Position(offset, known.incarnation)})) as reader:
                reader.poll(1, 0.0)
        except Lost as lost:
            log.give_up(lost)
            return lost
    what = "No row has to be given up there"
    raise UsageError(what, where=place, remedy="`penstock doctor` names the batches that cannot be read.")


def told(found: Health, topics: int) -> str:
    """That nothing is wrong."""
    without = f" but {counted(found.given_up, 'row')} that were given up" if found.given_up else ""
    return f"{counted(topics, 'topic')}, every batch whole{without}"
