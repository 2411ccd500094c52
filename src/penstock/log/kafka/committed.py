"""What a job of this process committed last: who reads its topic here gets it from memory, and all else from the brokers.

Only the job writes the topic. So between two of its commits there are no rows of anybody, only marks of transactions and
what was taken back, and a reader who has all of one commit is given the next without looking at the topic.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from threading import RLock

import numpy as np
import pyarrow as pa

from penstock.log.kafka.kafka_reader import KafkaReader
from penstock.log.protocol import SYSTEM, Chunk, TopicSpec
from penstock.world import Clock

_MOST_BYTES = 64 << 20  # that are kept for readers
_QUIET = 0.2  # seconds without a commit until the brokers are asked whether there is anything else


@dataclass(frozen=True)
class Commit:
    """The payload of one commit's rows, the first at offset `first`: who reads here gets nothing else of them."""

    first: int
    rows: pa.RecordBatch
    at: datetime

    @property
    def next(self) -> int:
        return self.first + int(self.rows.num_rows)


@dataclass
class Committed:
    """The newest commits to a topic of one partition, kept while anybody follows. A commit may be made by another thread
    than reads."""

    followers: int = 0
    commits: deque[Commit] = field(default_factory=deque)
    _bytes: int = 0
    _lock: RLock = field(default_factory=RLock)

    def note(self, commit: Commit) -> None:
        """The next commit. When it is not behind the last, somebody made the topic anew."""
        with self._lock:
            if self.commits and commit.first < self.commits[-1].next:
                self.clear()
            if not self.followers:
                return
            self.commits.append(commit)
            self._bytes += commit.rows.nbytes
            while self._bytes > _MOST_BYTES and len(self.commits) > 1:
                self._bytes -= self.commits.popleft().rows.nbytes

    def clear(self) -> None:
        """What comes next need not be what comes next in the topic."""
        with self._lock:
            self.commits.clear()
            self._bytes = 0

    def after(self, offset: int) -> Commit | None:
        """The commit that one who would read on at `offset` gets, if it is known that there is nothing before it.

        >>> rows = pa.record_batch([pa.array([1, 2])], names=["id"])
        >>> known = Committed(followers=1)
        >>> for first in (10, 13):
        ...     known.note(Commit(first, rows, datetime.min))
        >>> [found and found.first for found in map(known.after, (9, 10, 11, 12, 13, 15))]
        [None, 10, 10, 13, 13, None]
        """
        with self._lock:
            if not self.commits or offset < self.commits[0].first:
                return None
            return next((one for one in self.commits if offset < one.next), None)

    def ends_at(self, offset: int) -> bool:
        """Whether the last commit ends there, so that one who reads on there waits for the next."""
        with self._lock:
            return bool(self.commits) and self.commits[-1].next == offset


class NearReader:
    """See `protocol.Reader`; a bare one, of a topic that a job of this process writes."""

    def __init__(self, far: KafkaReader, near: Committed, spec: TopicSpec, offset: int, clock: Clock) -> None:
        self._far, self._near, self._spec, self._offset, self._clock = far, near, spec, offset, clock
        self._given = clock.monotonic()  # when the last rows came from memory
        near.followers += 1

    def poll(self, max_rows: int, timeout: float) -> list[Chunk]:
        if chunks := list(self._known(max_rows)):
            self._given = self._clock.monotonic()
            self._far.skip(self._spec.name, 0, self._offset)
            return chunks
        if self._near.ends_at(self._offset) and self._clock.monotonic() - self._given < _QUIET:
            self._clock.sleep(min(timeout, _QUIET))
            return []
        chunks = self._far.poll(max_rows, timeout)
        for chunk in chunks:
            self._offset = chunk.next
        return chunks

    def _known(self, max_rows: int) -> Iterator[Chunk]:
        """What comes next from memory."""
        while max_rows > 0 and (commit := self._near.after(self._offset)) is not None:
            chunk = self._part(commit, max_rows)
            max_rows -= chunk.records.num_rows
            self._offset = chunk.next
            yield chunk

    def _part(self, commit: Commit, max_rows: int) -> Chunk:
        begin = max(self._offset - commit.first, 0)
        rows = commit.rows.slice(begin, max_rows)
        first = commit.first + begin
        columns = [
            *(pa.nulls(rows.num_rows, type) for type in SYSTEM.types),
            *rows.columns,
            pa.array(np.arange(first, first + rows.num_rows)),
        ]
        records = pa.RecordBatch.from_arrays(columns, schema=self._spec.read_schema)
        return Chunk(self._spec.name, 0, records, commit.at)

    def close(self) -> None:
        self._near.followers -= 1
        if not self._near.followers:
            self._near.clear()
        self._far.close()
