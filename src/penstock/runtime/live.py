"""Live tables kept equal to the topics that hold their changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from penstock.errors import StorageError
from penstock.log.protocol import OFFSET, SYSTEM, Log, Part, Position, Reader, beginning, is_read
from penstock.store.live_shape import LiveShape
from penstock.store.live_table import LiveTable, LiveTableMoved
from penstock.world import Disk

ROWS_AT_ONCE = 500_000


@dataclass
class LiveWriter:
    """Applies the changes of one live table in the order of their topic; the position is in the table's transaction."""

    log: Log
    topic: str
    table: LiveTable
    reader: Reader
    positions: dict[Part, Position]

    @classmethod
    def open(cls, log: Log, topic: str, folder: Path, shape: LiveShape, *, disk: Disk | None = None) -> LiveWriter:
        """Go on from where the table is; one that was made by another declaration is made again from its topic.

        StorageError when that topic has dropped rows, for some keys would be missing and nobody would notice.
        """
        table = LiveTable(folder, shape, disk=disk)
        known = _read(table.position(), topic)
        positions = beginning(log, topic) | known
        gone = sum(at.offset for part, at in positions.items() if part not in known)
        if gone > 0:
            table.close()
            raise StorageError(
                "A live table cannot be made again whole",
                where=shape.name,
                expected="all changes since the first",
                found=f"{gone:,} that its topic has dropped",
                remedy="Restore its file from a backup, or give the output another name: it begins with what comes then.",
            )
        return cls(log, topic, table, log.reader(positions, bare=True), positions)

    def turn(self) -> int:
        """Apply what is there; how many changes that were."""
        chunks = self.reader.poll(ROWS_AT_ONCE, 0.0)
        if not chunks:
            return 0
        for chunk in chunks:
            if chunk.poison is not None and chunk.poison.num_rows:
                raise StorageError(
                    "The topic of a live table holds rows that cannot be read",
                    where=f"{chunk.topic}/{chunk.partition}",
                    remedy="Give the output another name: it begins with what comes then.",
                )
            part = (chunk.topic, chunk.partition)
            self.positions[part] = Position(chunk.next, self.positions[part].incarnation)
        rows = pa.Table.from_batches([chunk.records for chunk in chunks])
        names = [name for name in rows.column_names if name not in (*SYSTEM.names, OFFSET)]
        try:
            self.table.apply(rows.select(names), _written(self.positions))
        except LiveTableMoved:
            self._look_again()
        return int(rows.num_rows)

    def is_through(self) -> bool:
        """Whether the table has all that was written to its topic."""
        return is_read(self.log, self.positions)

    def _look_again(self) -> None:
        """Go on from where another process moved the table to."""
        self.reader.close()
        self.positions = beginning(self.log, self.topic) | _read(self.table.position(), self.topic)
        self.reader = self.log.reader(self.positions, bare=True)

    def close(self) -> None:
        self.reader.close()
        self.table.close()


def _written(positions: Mapping[Part, Position]) -> str:
    return json.dumps({str(part): [at.offset, at.incarnation] for (_, part), at in sorted(positions.items())})


def _read(text: str | None, topic: str) -> dict[Part, Position]:
    recorded = {} if text is None else json.loads(text)
    return {(topic, int(part)): Position(offset, incarnation) for part, (offset, incarnation) in recorded.items()}
