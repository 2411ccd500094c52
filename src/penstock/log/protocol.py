"""What an event log is: topics of partitions of records, producers, readers, and jobs that commit everything at once.

Records are Arrow. The system columns `_key`, `_timestamp` and `_headers` come first, then the payload columns of the
topic. A reader gets `_offset` as the last column: ascending within a partition, without holes in the embedded log,
with holes in Kafka (its transaction markers take offsets).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias

import pyarrow as pa

from penstock.errors import PenstockError, SourceError, StorageError

KEY, TIMESTAMP, HEADERS, OFFSET = "_key", "_timestamp", "_headers", "_offset"
SYSTEM = pa.schema(
    [
        pa.field(KEY, pa.binary()),  # begins with the tenant; None: the row goes to any partition
        pa.field(TIMESTAMP, pa.timestamp("us", tz="UTC")),  # event time, as the producer gives it
        pa.field(HEADERS, pa.map_(pa.string(), pa.binary())),
    ]
)
POISON = pa.schema(
    [
        pa.field(OFFSET, pa.int64()),
        pa.field("raw", pa.binary()),
        pa.field("code", pa.string()),
        pa.field("expected", pa.string()),
        pa.field("found", pa.string()),
    ]
)
RAW = pa.schema([pa.field("value", pa.binary())])  # payload of a topic whose rows are bytes of any kind

Part: TypeAlias = tuple[str, int]  # topic, partition


class LogError(PenstockError):
    """The log holds, or was given, something that cannot be right: it is named, and nothing of it was served."""


class Lost(LogError):
    """Rows that were written and cannot be read, nor those behind them until somebody gives these up."""

    def __init__(self, what: str, part: Part, first: int, next: int, **facts: str) -> None:
        self.part, self.first, self.next = part, first, next
        topic, partition = part
        super().__init__(
            what,
            where=f"{topic}, partition {partition}, offsets {first} to {next - 1}",
            remedy=(
                "Take the file from a backup; where there is none,"
                f" `penstock topics give-up {topic} --partition {partition} --offset {first}` goes on without these rows."
            ),
            **facts,
        )


class LogStorageError(StorageError):
    """The disk or the broker refuses for now; nothing of the call was written, and the same call may succeed later."""

    retryable = True


class SourceReset(SourceError):
    """A position that the log does not have: of another incarnation, beyond the end, or of rows dropped by retention."""


@dataclass(frozen=True)
class TopicSpec:
    """`schema` holds the payload columns. Rows older than `retention`, and the oldest beyond `max_bytes`, are dropped.

    By age nothing is dropped that a named reader or a job still needs. `max_bytes` waits for nobody: a reader who comes
    too late gets SourceReset with the number of rows it missed. A partition is decided by the hash of `_key`.
    """

    name: str
    partitions: int
    schema: pa.Schema
    retention: timedelta | None = None
    max_bytes: int | None = None

    @property
    def record_schema(self) -> pa.Schema:
        """What a producer appends."""
        return pa.schema([*SYSTEM, *self.schema])

    @property
    def read_schema(self) -> pa.Schema:
        """What a reader gets."""
        return pa.schema([*SYSTEM, *self.schema, pa.field(OFFSET, pa.int64())])


@dataclass(frozen=True)
class Topic:
    """A topic that exists. A topic that was deleted and made again has another incarnation."""

    spec: TopicSpec
    incarnation: str


@dataclass(frozen=True)
class Position:
    """The next row to read of a partition: its `offset`, and the incarnation of the topic that it counts in."""

    offset: int
    incarnation: str


@dataclass(frozen=True)
class Chunk:
    """Rows of one partition, ascending by `_offset`, appended together; `next` is the offset to read after them.

    `appended_at` (UTC) is when the log took them. `poison` holds rows that cannot be read as the topic says (columns
    of `POISON`); their offsets lie between those of `records`, which may be empty then.
    """

    topic: str
    partition: int
    records: pa.RecordBatch
    appended_at: datetime
    poison: pa.RecordBatch | None = None
    after: int | None = None  # Kafka: behind a hole at the end

    @property
    def next(self) -> int:
        """The offset to read next."""
        last = [] if self.after is None else [self.after]
        if self.records.num_rows:
            last.append(self.records.column(OFFSET)[-1].as_py() + 1)
        if self.poison is not None and self.poison.num_rows:
            last.append(self.poison.column(OFFSET)[-1].as_py() + 1)
        return max(last)


@dataclass(frozen=True)
class Appended:
    """Where rows went: partition to (first offset, offset after the last). A duplicate wrote nothing; its ranges are
    known only when it repeats the newest sequence."""

    ranges: Mapping[int, tuple[int, int]]
    duplicate: bool = False


@dataclass(frozen=True)
class Restored:
    """State as committed: the last snapshot, then what changed since, in order."""

    snapshot: bytes | None = None
    deltas: Sequence[bytes] = ()


@dataclass(frozen=True)
class Capabilities:
    """In what one log differs from another."""

    contiguous: bool  # offsets have no holes
    immediate: bool  # what was appended can be read when append returns; else it is durable then, and visible soon
    takeover: (
        bool  # a newer producer or job fences one that lives; else the newer is refused (LeaseHeld) while it lives
    )
    groups: bool  # several processes may share the partitions of a topic under one name
    apart: bool  # another process reads what a job has just committed as cheaply as the job's own


class Producer(Protocol):
    """The right to append to one topic under a name. A newer producer of that name and topic fences the older.

    `last_sequence` is that of the newest append under this name, also by an earlier process; -1 before the first.
    """

    @property
    def last_sequence(self) -> int: ...

    def append(self, records: pa.RecordBatch, *, sequence: int, partition: int | None = None) -> Appended:
        """Append rows (columns of `TopicSpec.record_schema`) and return when they are durable.

        `sequence` is `last_sequence + 1`; a lower one was appended before and is a duplicate, a higher one is a
        LogError. Without `partition` every row goes where its key hashes to. Raises Fenced, and LogStorageError when
        the disk is full: then the same call with the same sequence may be made again. Safe for many threads, each with
        a producer of its own: they share one sync of the disk.
        """

    def close(self) -> None: ...


class Reader(Protocol):
    """Reads on from its positions. Not for several threads at once."""

    def poll(self, max_rows: int, timeout: float) -> list[Chunk]:
        """At most `max_rows` rows, or what there is after `timeout` seconds without any.

        Partitions take turns. Raises SourceReset when a position is not there, LogError naming topic, partition and
        offsets when a batch is damaged: it is never served, and the reader does not go beyond it.
        """

    def close(self) -> None: ...


@dataclass(frozen=True)
class Prepared:
    """A snapshot that is durable and not yet of the state: a commit names it. `content` is the log's own."""

    content: Any


class Job(Protocol):
    """The one owner of its derived topics, state, journal and positions. A newer job of the same name fences it."""

    def positions(self) -> Mapping[Part, Position]:
        """Where to read on: for every partition of every input, from the oldest row there is before the first commit.

        Raises SourceReset when an input has another incarnation than the committed position.
        """

    def restore(self) -> Restored: ...

    def journal(self) -> Iterable[bytes]:
        """The entries still retained, oldest first; at least those of rounds whose rows a topic still has."""

    def commit(
        self,
        *,
        outputs: Mapping[str, pa.RecordBatch],
        state_delta: bytes | None,
        snapshot: bytes | Prepared | None,
        journal: bytes | None,
        positions: Mapping[Part, Position],
        kept: int = 0,
    ) -> None:
        """All of it or nothing, durable on return. `outputs` by topic, rows go where their keys hash to. A snapshot
        replaces state and deltas before it; a delta of the same commit comes after it, and so do the `kept` deltas
        committed last: the snapshot is of the moment before them. Raises Fenced, LogStorageError.
        """

    def prepare(self, snapshot: bytes) -> Prepared:
        """Put a snapshot where a commit only has to name it; by any thread, beside commits. Raises LogStorageError."""

    def close(self) -> None: ...


class Log(Protocol):
    """Topics, who appends to them and who reads them."""

    @property
    def capabilities(self) -> Capabilities: ...

    def ensure(self, spec: TopicSpec) -> Topic:
        """The topic as declared, made when it is not there. Optional columns may be added to its schema, retention and
        size changed; anything else is a LogError."""

    def topics(self) -> Mapping[str, Topic]: ...

    def bounds(self, topic: str) -> Mapping[int, tuple[int, int]]:
        """By partition: the oldest offset there is, and the one after the newest."""

    def ends(self, topic: str) -> Mapping[int, int]:
        """By partition: the offset after all that was written, also of what is durable and cannot be read yet, and of
        transactions that are open (capability `immediate`)."""

    def producer(self, name: str, topic: str) -> Producer: ...

    def reader(self, positions: Mapping[Part, Position], *, bare: bool = False) -> Reader:
        """Who needs no system columns asks for a `bare` reader: it may leave them null, and is faster where every row
        is a message."""

    def positions(self, reader: str) -> Mapping[Part, Position]:
        """What was saved under the name of a reader."""

    def save_positions(self, reader: str, positions: Mapping[Part, Position]) -> None:
        """Remember how far a named reader came; what lies behind it is kept until retention by size drops it."""

    def readers(self) -> Mapping[str, Mapping[Part, Position]]:
        """By name of every reader, and of every job that retention waits for: where it would read on."""

    def forget(self, reader: str) -> None:
        """Forget where a reader or job of that name came to: nothing is kept for it any more. A job's rows and state
        stay, and it is waited for again when it begins again. LeaseHeld while the job is at work."""

    def job(self, name: str, inputs: Sequence[str], outputs: Sequence[TopicSpec]) -> Job:
        """Take over the job; `outputs` are made when they are not there, and only this job writes them."""

    def oldest_entry(self, job: str) -> bytes | None:
        """Of the journal of a job, whoever owns it; None where it has none, or there is no such job."""

    def upkeep(self) -> None:
        """Drop what retention lets go of what this log writes, also when nothing is appended: for now and then."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def is_read(log: Log, positions: Mapping[Part, Position]) -> bool:
    """Whether nothing is left behind the positions, be it on its way to being readable."""
    topics = {topic: log.ends(topic) for topic in {topic for topic, _ in positions}}
    return all(position.offset >= topics[topic][part] for (topic, part), position in positions.items())


def beginning(log: Log, topic: str) -> dict[Part, Position]:
    """Positions of the oldest rows of all partitions of a topic."""
    incarnation = log.topics()[topic].incarnation
    return {(topic, part): Position(first, incarnation) for part, (first, _) in log.bounds(topic).items()}


def end(log: Log, topic: str) -> dict[Part, Position]:
    """Positions behind all that was written to the partitions of a topic."""
    incarnation = log.topics()[topic].incarnation
    return {(topic, part): Position(next, incarnation) for part, next in log.ends(topic).items()}
