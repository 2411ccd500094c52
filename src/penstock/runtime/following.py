"""The live tables of a topology: written between its rounds, or by a process of their own while there is much to do.

Rounds and tables then each have a core. Where another process would have to fetch what was committed, they are written by
threads beside the rounds, and follow several rounds at a time: of a row that changed in each of them the last is written.
The tables read what the job has committed, so nothing depends on who writes them: whoever moves a table from where it stood
has moved it, anybody else looks again.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import IO, TypeAlias

from penstock.log.protocol import Log
from penstock.runtime.event_log import open_log_at
from penstock.runtime.live import ROWS_AT_ONCE, LiveWriter
from penstock.store.live_shape import LiveShape
from penstock.world import World, real_world

PAUSE = 0.005  # seconds between two looks when there was nothing
ROUNDS_AT_ONCE = 2  # that the tables follow together while there is much to do
_FINISH = b"finish\n"

Arrived: TypeAlias = "tuple[tuple[datetime, int], ...]"  # when the log took rows, and how many


def live_folder(root: Path) -> Path:
    """Where the live tables of a data directory are."""
    return root / "live"


@dataclass
class Follower:
    """A process that writes live tables; it ends with the process that began it."""

    process: subprocess.Popen[bytes]
    finishing: bool = False

    @classmethod
    def begin(cls, root: Path, shapes: Mapping[str, LiveShape]) -> Follower:
        """Follow the topics `shapes` of the data directory `root`."""
        command = [sys.executable, "-P", "-c", "from penstock.runtime.following import main; main()"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        follower = cls(process)
        task = {"root": str(root), "shapes": {topic: asdict(shape) for topic, shape in shapes.items()}}
        follower._say(json.dumps(task).encode() + b"\n")
        return follower

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def finish(self) -> None:
        """Let it end when nothing is left."""
        if not self.finishing:
            self.finishing = True
            self._say(_FINISH)

    def leave(self) -> None:
        """End it now, after the transaction that it is in."""
        with suppress(OSError):
            self._stdin.close()
        self.process.wait()

    def _say(self, words: bytes) -> None:
        with suppress(BrokenPipeError):  # it ended already
            self._stdin.write(words)
            self._stdin.flush()

    @property
    def _stdin(self) -> IO[bytes]:
        assert self.process.stdin is not None
        return self.process.stdin


@dataclass
class LiveTables:
    """The live tables of a topology, by the topic that each follows, in the data directory `root`."""

    log: Log
    root: Path
    shapes: Mapping[str, LiveShape]
    world: World
    seen: Arrived = ()  # what the last turn made visible, as far as it is known here
    _writers: list[LiveWriter] = field(default_factory=list)
    _follower: Follower | None = None
    _may_part: bool = True  # until a process failed: what ails it is then met here
    _threads: list[ThreadPoolExecutor] = field(default_factory=list)  # one for each table
    _under_way: list[Future[bool]] = field(default_factory=list)  # what they write
    _coming: Arrived = ()  # what is visible when they have
    _waiting: Arrived = ()
    _rounds: int = 0  # that the tables were not moved for

    @classmethod
    def open(cls, log: Log, root: Path, shapes: Mapping[str, LiveShape], world: World) -> LiveTables:
        tables = cls(log, root, shapes, world)
        tables._open()
        return tables

    def turn(self, *, worked: bool, behind: bool, arrived: Arrived = ()) -> bool:
        """Apply what the job has committed; whether there was, or may be, anything to do.

        `worked`: the job has made a round, of what had `arrived`. `behind`: so much waits for it that they may follow
        later.
        """
        self.seen, self._waiting = (), self._waiting + arrived
        if self._follower is None:
            if not self.log.capabilities.apart:
                return self._turn_beside(behind=behind)
            if behind and self._may_part and self.shapes:
                self._part()
                return True
            return self._turn_here()
        self._waiting = ()
        if self._follower.ended:
            self._follower.leave()
            self._may_part = self._follower.finishing and self._follower.process.returncode == 0
            self._follower = None
            self._open()
        elif not worked:
            self._follower.finish()
            self.world.clock.sleep(PAUSE)
        return True

    def _turn_here(self) -> bool:
        applied = [writer.turn() for writer in self._writers]  # nothing, where threads have met what came just now
        self.seen, self._waiting = self._waiting if self._writers else (), ()
        return any(applied)

    def _turn_beside(self, *, behind: bool) -> bool:
        """What is left when the job is no longer behind is written side by side, and waited for."""
        if not self._writers or not (behind or self._rounds or self._under_way):
            return self._turn_here()
        self._rounds += 1
        applied = self._written(patient=False)
        if not behind or (self._rounds >= ROUNDS_AT_ONCE and not self._under_way):
            self._write()
        return self._written(patient=not behind) or applied

    def _write(self) -> None:
        """Let each table follow what was committed, after what it follows already."""
        if not self._threads:
            self._threads = [ThreadPoolExecutor(1, "live") for _ in self._writers]
        before: Sequence[Future[bool] | None] = self._under_way or [None] * len(self._writers)
        self._under_way += [
            thread.submit(_follow, writer, earlier)
            for thread, writer, earlier in zip(self._threads, self._writers, before, strict=True)
        ]
        self._coming, self._waiting, self._rounds = self._coming + self._waiting, (), 0

    def _written(self, *, patient: bool) -> bool:
        """Whether threads have written anything; who is `patient` waits for them. Raises why they could not."""
        if not self._under_way or not (patient or all(one.done() for one in self._under_way)):
            return False
        wait(self._under_way)
        done, self._under_way = [one.result() for one in self._under_way], []
        self.seen, self._coming = self.seen + self._coming, ()
        return any(done)

    def is_through(self) -> bool:
        """Whether the tables have all that was written to their topics."""
        if self._follower is not None or self._under_way:
            return False
        return all(writer.is_through() for writer in self._writers)

    def close(self) -> None:
        if self._follower is not None:
            self._follower.leave()
        self._close()

    def _open(self) -> None:
        self._writers = _writers(self.log, self.root, self.shapes, self.world)

    def _part(self) -> None:
        self._close()
        self._follower = Follower.begin(self.root, self.shapes)

    def _close(self) -> None:
        for thread in self._threads:
            thread.shutdown()
        for writer in self._writers:
            writer.close()
        self._writers, self._threads = [], []


def main() -> None:
    """What the process of a follower runs; the first line of its input says what to follow."""
    told = FileIO(sys.stdin.fileno(), closefd=False)
    task = json.loads(told.readline())
    shapes = {topic: LiveShape.of_record(shape) for topic, shape in task["shapes"].items()}
    root, world = Path(task["root"]), real_world()
    with open_log_at(root, world) as log:
        writers = _writers(log, root, shapes, world)
        finishing = False
        while True:
            said = _said(told)
            if said == b"":
                return
            finishing = finishing or said is not None
            applied = [writer.turn() for writer in writers]
            if any(applied):
                continue
            if finishing and all(writer.is_through() for writer in writers):
                return
            world.clock.sleep(PAUSE)


def _writers(log: Log, root: Path, shapes: Mapping[str, LiveShape], world: World) -> list[LiveWriter]:
    folder = live_folder(root)
    return [LiveWriter.open(log, topic, folder, shape, disk=world.disk) for topic, shape in shapes.items()]


def _follow(writer: LiveWriter, before: Future[bool] | None) -> bool:
    """Apply what is there, also when that is more than a turn takes; whether there was anything. Nothing after what could
    not be applied."""
    if before is not None:
        before.result()
    rows = total = writer.turn()
    while rows == ROWS_AT_ONCE:
        total += (rows := writer.turn())
    return total > 0


def _said(told: FileIO) -> bytes | None:
    """What came meanwhile: None for nothing, empty when nobody is there any more."""
    ready, _, _ = select.select([told], [], [], 0)
    return told.read(len(_FINISH)) if ready else None
