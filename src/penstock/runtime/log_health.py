"""Whether the event log is as it was written: every batch of every topic is read once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from penstock.errors import PenstockError
from penstock.log.protocol import Log, Position, SourceReset

_ROWS_AT_ONCE = 200_000


def damaged(log: Log) -> Iterator[PenstockError]:
    """The first batch of each partition that cannot be read, if any; rows that go meanwhile are no damage."""
    for name, topic in sorted(log.topics().items()):
        for partition, (first, next) in sorted(log.bounds(name).items()):
            position = Position(first, topic.incarnation)
            try:
                with closing(log.reader({(name, partition): position}, bare=True)) as reader:
                    while position.offset < next and (chunks := reader.poll(_ROWS_AT_ONCE, 0.0)):
                        position = Position(chunks[-1].next, topic.incarnation)
            except SourceReset:
                continue
            except PenstockError as error:
                yield error
