"""A job of the embedded log: its topics, state, journal and positions are in the segments of one folder."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from penstock.log import database
from penstock.log.batch import encode
from penstock.log.change import Change, JobChange
from penstock.log.embedded_journal import entries
from penstock.log.protocol import (
    Log,
    LogError,
    Part,
    Position,
    Prepared,
    Restored,
    SourceReset,
    Topic,
    TopicSpec,
    beginning,
)
from penstock.log.segment import Segment, Snapshot
from penstock.log.volume import Volume

HOLDER = "job"
_PIECE = 2 << 20  # bytes


@dataclass
class EmbeddedJob:
    """See `protocol.Job`."""

    _log: Log
    _volume: Volume
    _inputs: Mapping[str, Topic]
    _outputs: Mapping[str, TopicSpec]
    _epoch: int
    _count: int = field(default=0)
    _superseded: list[Snapshot] = field(default_factory=list)  # that no segment names any more

    def positions(self) -> Mapping[Part, Position]:
        committed = self._volume.read(lambda segment: segment.positions())
        found: dict[Part, Position] = {}
        for name, topic in self._inputs.items():
            for part, first in beginning(self._log, name).items():
                at = committed.get(part, first)
                if at.incarnation != topic.incarnation:
                    raise _other_incarnation(part, at, topic)
                found[part] = at
        return found

    def restore(self) -> Restored:
        snapshot, deltas = self._volume.read(_state)
        if snapshot is None:
            return Restored(None, tuple(deltas))
        path = self._volume.root / snapshot.file
        with database.storage_errors(path):
            data = path.read_bytes()
        if len(data) != snapshot.size or zlib.crc32(data) != snapshot.checksum:
            expected, found = f"{snapshot.size} bytes, checksum {snapshot.checksum:08x}", f"{len(data)} bytes"
            raise LogError("The state of the job is damaged", where=str(path), expected=expected, found=found)
        return Restored(data, tuple(deltas))

    def journal(self) -> Iterator[bytes]:
        return entries(self._volume.root)

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
        self._count += 1
        batches = tuple(
            batch
            for topic, records in outputs.items()
            for batch in encode(self._output(topic), records, sequence=self._count)
        )
        prepared = self.prepare(snapshot) if isinstance(snapshot, bytes) else snapshot
        written: Snapshot | None = None if prepared is None else prepared.content
        job = JobChange(positions, state_delta, written, journal, kept)
        change = Change(HOLDER, self._epoch, batches, job=job)
        before = None if written is None else self._volume.read(lambda segment: segment.snapshot())
        try:
            self._volume.commit(change)
        except BaseException:
            if written is not None:
                self._remove(written)
            raise
        if before is not None:
            self._superseded.append(before)
        if isinstance(snapshot, bytes):
            self._remove_superseded()

    def close(self) -> None:
        """The job stays with the log until that is closed."""

    def _output(self, topic: str) -> TopicSpec:
        spec = self._outputs.get(topic)
        if spec is None:
            raise LogError("The job does not own this topic", where=topic, expected=", ".join(self._outputs))
        return spec

    def prepare(self, snapshot: bytes) -> Prepared:
        """The state in a file of its own, durable before the commit that names it: an old one goes whole. It is synced
        piece by piece, so that who syncs another file meanwhile waits for a piece and not for all of it. Those before
        the last are removed here, for the file system takes its time: who prepares beside the commits makes none wait."""
        self._remove_superseded()
        world = self._volume.world
        path = self._volume.root / f"{world.ids.new()}.snapshot"
        try:
            with database.storage_errors(path), world.disk.create(str(path)) as file:
                for start in range(0, max(len(snapshot), 1), _PIECE):
                    file.write(memoryview(snapshot)[start : start + _PIECE])
                    file.flush()
                    world.disk.sync(str(path))
        except BaseException:
            self._volume.world.disk.remove(str(path))
            raise
        return Prepared(Snapshot(path.name, len(snapshot), zlib.crc32(snapshot), 0))

    def _remove_superseded(self) -> None:
        while self._superseded:
            self._remove(self._superseded.pop())

    def _remove(self, snapshot: Snapshot) -> None:
        self._volume.world.disk.remove(str(self._volume.root / Path(snapshot.file).name))


def _state(segment: Segment) -> tuple[Snapshot | None, list[bytes]]:
    snapshot = segment.snapshot()
    deltas = segment.notes("delta", 0 if snapshot is None else snapshot.after)
    return snapshot, [data for _, data in deltas]


def _other_incarnation(part: Part, at: Position, topic: Topic) -> SourceReset:
    return SourceReset(
        "An input of the job was made anew",
        where=f"{part[0]}, partition {part[1]}",
        expected=f"incarnation {at.incarnation}",
        found=f"incarnation {topic.incarnation}",
        remedy="Take the log from a backup, or give the topology and its outputs other names: it begins anew.",
    )
