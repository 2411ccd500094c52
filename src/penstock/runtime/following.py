"""The live tables of a topology: written between its rounds, or by a process of their own while there is much to do.

Rounds and tables then each have a core. Where another process would have to fetch what was committed, they stay, and
follow several rounds at a time: of a row that changed in each of them the last is written. The tables read what the job has
committed, so nothing depends on who writes them: whoever moves a table from where it stood has moved it, anybody else looks
again.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from io import FileIO
from pathlib import Path
from typing import IO

from penstock.log.protocol import Log
from penstock.runtime.event_log import open_log_at
from penstock.runtime.live import LiveWriter
from penstock.store.live_shape import LiveShape
from penstock.world import World, real_world

PAUSE = 0.005  # seconds between two looks when there was nothing
ROUNDS_AT_ONCE = 2  # that the tables follow together while there is much to do
_FINISH = b"finish\n"


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
    _writers: list[LiveWriter] = field(default_factory=list)
    _follower: Follower | None = None
    _may_part: bool = True  # until a process failed: what ails it is then met here
    _rounds: int = 0  # that the tables were not moved for

    @classmethod
    def open(cls, log: Log, root: Path, shapes: Mapping[str, LiveShape], world: World) -> LiveTables:
        tables = cls(log, root, shapes, world)
        tables._open()
        return tables

    def turn(self, *, worked: bool, behind: bool) -> bool:
        """Apply what the job has committed; whether there was, or may be, anything to do.

        `worked`: the job has made a round. `behind`: so much waits for it that they may follow later.
        """
        if self._follower is None:
            apart = self.log.capabilities.apart
            if behind and self._may_part and self.shapes and apart:
                self._part()
                return True
            self._rounds = self._rounds + 1 if behind and not apart else ROUNDS_AT_ONCE
            if self._rounds < ROUNDS_AT_ONCE:
                return False
            self._rounds = 0
            applied = [writer.turn() for writer in self._writers]
            return any(applied)
        if self._follower.ended:
            self._follower.leave()
            self._may_part = self._follower.finishing and self._follower.process.returncode == 0
            self._follower = None
            self._open()
        elif not worked:
            self._follower.finish()
            self.world.clock.sleep(PAUSE)
        return True

    def is_through(self) -> bool:
        """Whether the tables have all that was written to their topics."""
        return self._follower is None and all(writer.is_through() for writer in self._writers)

    @property
    def waits(self) -> bool:
        """Whether they are to follow several rounds together, and the last of those is not made yet."""
        return self._follower is None and self._rounds > 0

    @property
    def is_here(self) -> bool:
        """Whether this process writes them, so that they are as far as their topics after each turn."""
        return self._follower is None

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
        for writer in self._writers:
            writer.close()
        self._writers = []


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


def _said(told: FileIO) -> bytes | None:
    """What came meanwhile: None for nothing, empty when nobody is there any more."""
    ready, _, _ = select.select([told], [], [], 0)
    return told.read(len(_FINISH)) if ready else None
