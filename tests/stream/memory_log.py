"""The event log in memory: positions, jobs that commit everything or nothing, and a crash wherever a test wants one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

import pyarrow as pa

from penstock.log.protocol import Chunk, Log, Part, Position, Prepared, Restored, Topic, TopicSpec, beginning

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Crash(Exception):
    """The process ends here."""


@dataclass
class MemoryLog:
    topics_: dict[str, Topic] = field(default_factory=dict)
    parts: dict[Part, list[pa.RecordBatch]] = field(default_factory=dict)
    jobs: dict[str, MemoryJob] = field(default_factory=dict)

    def as_log(self) -> Log:
        """As it is given to what runs on a log: what no test here needs of one is left out."""
        return cast(Log, self)

    def ensure(self, spec: TopicSpec) -> Topic:
        if spec.name not in self.topics_:
            self.topics_[spec.name] = Topic(spec, f"i-{spec.name}")
            self.parts |= {(spec.name, part): [] for part in range(spec.partitions)}
        return self.topics_[spec.name]

    def topics(self) -> Mapping[str, Topic]:
        return self.topics_

    def bounds(self, topic: str) -> dict[int, tuple[int, int]]:
        return {part: (0, self._next(name, part)) for (name, part) in self.parts if name == topic}

    def ends(self, topic: str) -> dict[int, int]:
        return {part: next for part, (_, next) in self.bounds(topic).items()}

    def append(self, topic: str, records: pa.RecordBatch, partition: int = 0) -> None:
        first = self._next(topic, partition)
        offsets = pa.array(range(first, first + records.num_rows), pa.int64())
        self.parts[topic, partition].append(records.append_column("_offset", offsets))

    def reader(self, positions: Mapping[Part, Position], *, bare: bool = False) -> MemoryReader:
        return MemoryReader(self, dict(positions))

    def job(self, name: str, inputs: Sequence[str], outputs: Sequence[TopicSpec]) -> MemoryJob:
        for spec in outputs:
            self.ensure(spec)
        return self.jobs.setdefault(name, MemoryJob(self, tuple(inputs)))

    def rows(self, topic: str) -> list[dict[str, object]]:
        return [
            row
            for (name, _), chunks in sorted(self.parts.items())
            if name == topic
            for one in chunks
            for row in one.to_pylist()
        ]

    def _next(self, topic: str, partition: int) -> int:
        return sum(one.num_rows for one in self.parts[topic, partition])


@dataclass
class MemoryReader:
    log: MemoryLog
    positions: dict[Part, Position]

    def poll(self, max_rows: int, timeout: float) -> list[Chunk]:
        found = []
        for (topic, part), position in list(self.positions.items()):
            table = pa.Table.from_batches(self.log.parts[topic, part]) if self.log.parts[topic, part] else None
            if table is None or max_rows <= 0:
                continue
            rows = table.slice(position.offset, max_rows)
            if rows.num_rows == 0:
                continue
            max_rows -= rows.num_rows
            self.positions[topic, part] = Position(position.offset + rows.num_rows, position.incarnation)
            found.append(Chunk(topic, part, rows.combine_chunks().to_batches()[0], NOW))
        return found

    def close(self) -> None: ...


@dataclass
class MemoryJob:
    log: MemoryLog
    inputs: tuple[str, ...]
    held: dict[Part, Position] = field(default_factory=dict)
    snapshot: bytes | None = None
    deltas: list[bytes] = field(default_factory=list)
    entries: list[bytes] = field(default_factory=list)
    crash: Callable[[str], bool] = lambda _: False

    def close(self) -> None: ...

    def positions(self) -> Mapping[Part, Position]:
        first = {
            part: position for topic in self.inputs for part, position in beginning(self.log.as_log(), topic).items()
        }
        return first | self.held

    def restore(self) -> Restored:
        return Restored(self.snapshot, tuple(self.deltas))

    def journal(self) -> list[bytes]:
        return self.entries

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
        if self.crash("before"):
            raise Crash
        for topic, records in outputs.items():
            self.log.append(topic, records)
        if snapshot is not None:
            self.snapshot = snapshot.content if isinstance(snapshot, Prepared) else snapshot
            self.deltas = self.deltas[len(self.deltas) - kept :]
        if state_delta is not None:
            self.deltas.append(state_delta)
        if journal is not None:
            self.entries.append(journal)
        self.held = dict(positions)
        if self.crash("after"):
            raise Crash

    def prepare(self, snapshot: bytes) -> Prepared:
        return Prepared(snapshot)
