"""The event log on SQLite files of one folder: nothing to install, one writing process for each topic and job."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

from penstock.log import database
from penstock.log.batch import encode
from penstock.log.catalog import Catalog, Home, check_name
from penstock.log.change import Change
from penstock.log.embedded_job import HOLDER, EmbeddedJob
from penstock.log.embedded_journal import oldest_entry
from penstock.log.embedded_reader import EmbeddedReader
from penstock.log.lock import FolderLock
from penstock.log.open_segments import Segments
from penstock.log.protocol import (
    Appended,
    Capabilities,
    LogError,
    Lost,
    Part,
    Position,
    Topic,
    TopicSpec,
    beginning,
)
from penstock.log.retention import Retention
from penstock.log.volume import Limits, Volume
from penstock.world import World


class EmbeddedLog:
    """See `protocol.Log`. Close it: that lets go of the topics and jobs it writes."""

    capabilities = Capabilities(contiguous=True, immediate=True, takeover=False, groups=False, apart=True)

    def __init__(self, root: Path, world: World, limits: Limits, catalog: Catalog) -> None:
        self._root = root
        self._world = world
        self._limits = limits
        self._volumes: dict[str, Volume] = {}
        self._lock = threading.RLock()
        self._catalog = catalog
        self._homes = self._catalog.homes()
        self._retention = Retention(root, self._catalog, world.clock)
        self._readable: dict[str, Segments] = {}

    @classmethod
    def open(cls, root: Path, world: World, *, limits: Limits | None = None) -> Self:
        """The log of a folder, which is made when it is not there."""
        with database.storage_errors(root):
            catalog = Catalog(root, world)
        return cls(root, world, Limits() if limits is None else limits, catalog)

    def ensure(self, spec: TopicSpec) -> Topic:
        return self._remember(self._catalog.ensure(spec)).topic

    def topics(self) -> Mapping[str, Topic]:
        self._homes = self._catalog.homes()
        return {name: home.topic for name, home in self._homes.items()}

    def bounds(self, topic: str) -> Mapping[int, tuple[int, int]]:
        home = self._known(topic)
        with self._lock:
            segments = self._segments(home)
            return {part: segments.bounds(topic, part) for part in range(home.topic.spec.partitions)}

    def ends(self, topic: str) -> Mapping[int, int]:
        home = self._known(topic)
        with self._lock:
            return self._segments(home).ends(topic, home.topic.spec.partitions)

    def _segments(self, home: Home) -> Segments:
        return self._readable.setdefault(home.folder, Segments(self._root / home.folder))

    def producer(self, name: str, topic: str) -> EmbeddedProducer:
        check_name(name)
        home = self._home(topic)
        if home.folder.startswith("jobs/"):
            raise LogError("Only its job writes this topic", where=topic, found=home.folder)
        volume = self._volume(home.folder, f"topic {topic}")
        epoch = volume.hold(name)
        return EmbeddedProducer(home.topic.spec, volume, name, epoch)

    def reader(self, positions: Mapping[Part, Position], *, bare: bool = False) -> EmbeddedReader:
        return EmbeddedReader(self._root, self._home, self._catalog.given_up, positions, self._world.clock)

    def positions(self, reader: str) -> Mapping[Part, Position]:
        return self._catalog.positions(reader)

    def save_positions(self, reader: str, positions: Mapping[Part, Position]) -> None:
        self._catalog.save_positions(reader, positions)

    def readers(self) -> Mapping[str, Mapping[Part, Position]]:
        found, known = self._catalog.readers(), self.topics()
        for job, inputs in self._catalog.inputs().items():
            committed = self._retention.of_job(job)
            for topic in (one for one in inputs if one in known):
                places = {part: committed.get(part, first) for part, first in beginning(self, topic).items()}
                found.setdefault(job, {}).update(places)
        return found

    def forget(self, reader: str) -> None:
        if reader not in self._catalog.inputs():
            self._catalog.forget(reader)
            return
        lock = FolderLock.take(self._root / "jobs" / reader / "writer.lock", f"job {reader}", self._world)
        try:
            self._catalog.forget(reader)
        finally:
            lock.release()

    def give_up(self, lost: Lost) -> None:
        """Let every reader go on without rows that cannot be read: it gets each as poison, with the code `lost`."""
        self._catalog.give_up(lost, self._home(lost.part[0]).topic.incarnation)

    def job(self, name: str, inputs: Sequence[str], outputs: Sequence[TopicSpec]) -> EmbeddedJob:
        check_name(name)
        volume = self._volume(f"jobs/{name}", f"job {name}")
        for spec in outputs:
            self._remember(self._catalog.ensure(spec, job=name))
        self._catalog.declare_inputs(name, tuple(inputs))
        topics = {one: self._home(one).topic for one in inputs}
        specs = {spec.name: spec for spec in outputs}
        return EmbeddedJob(self, volume, topics, specs, volume.hold(HOLDER))

    def oldest_entry(self, job: str) -> bytes | None:
        check_name(job)
        return oldest_entry(self._root / "jobs" / job)

    def remove(self, topic: str) -> None:
        """Delete a topic with its rows; LeaseHeld while somebody writes it."""
        home = self._home(topic)
        if home.folder.startswith("jobs/"):
            raise LogError("A topic of a job goes with its job", where=topic, found=home.folder)
        folder = self._root / home.folder
        with self._lock:
            mine = self._volumes.pop(home.folder, None)
        if mine is not None:
            mine.close()
        lock = FolderLock.take(folder / "writer.lock", f"topic {topic}", self._world)
        try:
            self._catalog.remove(topic)
            self._homes.pop(topic, None)
            with database.storage_errors(folder):
                shutil.rmtree(folder)
        finally:
            lock.release()

    def upkeep(self) -> None:
        for volume in list(self._volumes.values()):
            volume.upkeep()

    def close(self) -> None:
        with self._lock:
            for volume in self._volumes.values():
                volume.close()
            self._volumes.clear()
            for segments in self._readable.values():
                segments.close()
            self._readable.clear()
        self._catalog.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _volume(self, folder: str, what: str) -> Volume:
        with self._lock:
            if folder not in self._volumes:
                volume = Volume.open(self._root / folder, what, self._world, self._limits)
                volume.drop = self._retention.droppable
                volume.upkeep()
                self._volumes[folder] = volume
            return self._volumes[folder]

    def _known(self, topic: str) -> Home:
        """As this log knows it: asked often."""
        found = self._homes.get(topic)
        return self._home(topic) if found is None else found

    def _home(self, topic: str) -> Home:
        """As it is now."""
        self._homes = self._catalog.homes()
        found = self._homes.get(topic)
        if found is None:
            known = ", ".join(self._homes) or "no topics"
            raise LogError("There is no such topic", where=topic, found=known)
        return found

    def _remember(self, home: Home) -> Home:
        self._homes[home.topic.spec.name] = home
        return home


@dataclass
class EmbeddedProducer:
    """See `protocol.Producer`."""

    spec: TopicSpec
    _volume: Volume
    _name: str
    _epoch: int

    @property
    def last_sequence(self) -> int:
        return self._volume.read(lambda segment: segment.holder(self._name)[1])

    def append(self, records: pa.RecordBatch, *, sequence: int, partition: int | None = None) -> Appended:
        batches = encode(self.spec, records, sequence=sequence, partition=partition)
        return self._volume.commit(Change(self._name, self._epoch, batches, sequence=sequence))

    def close(self) -> None:
        """The topic stays with the log until that is closed: others of its producers may be at work."""
