"""Live tables follow their topics, and are never made again in part."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from penstock.errors import StorageError
from penstock.log.protocol import TopicSpec
from penstock.runtime.live import LiveWriter
from penstock.store.live_reader import open_live
from penstock.store.live_shape import LiveShape
from penstock.stream.outgoing import records
from tests.stream.memory_log import MemoryLog

SCHEMA = pa.schema([("member", pa.string()), ("loans", pa.int64())])
SHAPE = LiveShape.of("loans", SCHEMA, ["member"], version="1")


class ShortLog(MemoryLog):
    """A log that has dropped its first rows."""

    def bounds(self, topic: str) -> dict[int, tuple[int, int]]:
        return {part: (1, next) for part, (_, next) in super().bounds(topic).items()}


def filled(log: MemoryLog, *loans: int) -> MemoryLog:
    log.ensure(TopicSpec("live.loans", 1, SCHEMA))
    rows = [{"member": "m", "loans": number} for number in loans]
    log.append("live.loans", records(pa.Table.from_pylist(rows, schema=SCHEMA), tenant="default"))
    return log


def test_a_table_goes_on_where_it_was(tmp_path: Path) -> None:
    log = filled(MemoryLog(), 1, 2)
    LiveWriter.open(log.as_log(), "live.loans", tmp_path, SHAPE).turn()
    filled(log, 3)

    applied = LiveWriter.open(log.as_log(), "live.loans", tmp_path, SHAPE).turn()

    assert (applied, open_live(tmp_path, "loans").rows()) == (1, [{"member": "m", "loans": 3}])


def test_a_table_whose_first_changes_are_gone_is_not_made_in_part(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be made again whole"):
        LiveWriter.open(filled(ShortLog(), 1, 2).as_log(), "live.loans", tmp_path, SHAPE)
