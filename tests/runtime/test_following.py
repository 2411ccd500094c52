"""Live tables that a process of their own follows, and several writers of one table."""

from __future__ import annotations

import subprocess
from collections import Counter
from concurrent.futures import wait
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pyarrow as pa
import pytest

from penstock.errors import DiskFull
from penstock.log.embedded import EmbeddedLog
from penstock.log.protocol import TopicSpec
from penstock.runtime import following as following_module
from penstock.runtime.event_log import open_log
from penstock.runtime.following import Follower, LiveTables, live_folder
from penstock.runtime.installation import Installation
from penstock.runtime.latency import COMMITTED, VISIBLE
from penstock.runtime.live import LiveWriter
from penstock.runtime.stream import stream
from penstock.runtime.topology import DEAR_ROWS, limits_of, open_topology
from penstock.runtime.topology_graphs import graphs
from penstock.store.live_reader import open_live
from penstock.store.live_shape import LiveShape
from penstock.store.live_table import LiveTable
from penstock.stream.outgoing import records
from penstock.stream.runner import Limits
from penstock.world import real_world
from tests.stream.lending import lending
from tests.stream.memory_log import MemoryLog
from tests.stream.running_topology import loan
from tests.stream.test_kill import WATCH, produce

SCHEMA = pa.schema([("member", pa.string()), ("loans", pa.int64())])
SHAPE = LiveShape.of("loans", SCHEMA, ["member"], version="1")


def told(log: MemoryLog, *loans: int, topic: str = "live.loans") -> MemoryLog:
    log.ensure(TopicSpec(topic, 1, SCHEMA))
    rows = [{"member": "m", "loans": number} for number in loans]
    log.append(topic, records(pa.Table.from_pylist(rows, schema=SCHEMA), tenant="default"))
    return log


def test_a_topology_far_behind_leaves_its_live_tables_to_a_process_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lending(tmp_path, WATCH)
    begin, ends = Follower.begin, []
    monkeypatch.setattr(Follower, "begin", lambda *task: ends.append(begin(*task)) or ends[-1])
    installation = Installation.at(tmp_path)
    produce(installation, [loan(number, f"m{number % 7}", fee="1.00") for number in range(3000)])

    stream(installation, until_idle=True, limits=Limits(rows=500, rows_apart=1000))

    assert [one.process.returncode for one in ends] == [0]
    folder = live_folder(installation.place.root)
    days = {row["member"]: row["loans"] for row in open_live(folder, "days").rows()}
    assert days == Counter(f"m{number % 7}" for number in range(3000))
    latest = {row["member"]: row["loan"] for row in open_live(folder, "latest").rows()}
    assert latest == {f"m{number % 7}": f"L{number}" for number in range(3000)}


def test_live_tables_stay_where_only_their_topology_reads_cheaply_what_it_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lending(tmp_path, WATCH)
    apply = LiveTable.apply
    begun: list[object] = []
    sizes: list[int] = []
    monkeypatch.setattr(Follower, "begin", lambda *task: begun.append(task))
    monkeypatch.setattr(LiveTable, "apply", lambda self, *rest: sizes.append(rest[0].num_rows) or apply(self, *rest))
    monkeypatch.setattr(EmbeddedLog, "capabilities", replace(EmbeddedLog.capabilities, apart=False))
    installation = Installation.at(tmp_path)
    produce(installation, [loan(number, "m", fee="1.00") for number in range(300)])

    (state,) = stream(installation, until_idle=True, limits=Limits(rows=50, rows_aside=50))

    assert {name: sum(latency["counts"]) for name, latency in state.latency.items()} == {COMMITTED: 300, VISIBLE: 300}
    assert begun == []
    assert len(sizes) < 2 * 300 // 50  # two tables, six rounds
    assert [row["loans"] for row in open_live(live_folder(installation.place.root), "days").rows()] == [300]


def test_a_round_takes_more_where_each_row_that_it_makes_is_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lending(tmp_path, WATCH)
    with open_log(Installation.at(tmp_path)) as log:
        usual = limits_of(log)
        monkeypatch.setattr(EmbeddedLog, "capabilities", replace(EmbeddedLog.capabilities, apart=False))
        assert (usual, limits_of(log)) == (Limits(), Limits(rows=DEAR_ROWS))
    assert usual.rows < DEAR_ROWS


def test_live_tables_whose_process_dies_are_written_between_the_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lending(tmp_path, WATCH)
    installation, begun = Installation.at(tmp_path), []

    def die(*_: object) -> Follower:
        begun.append(subprocess.Popen(["false"], stdin=subprocess.PIPE))
        return Follower(begun[-1])

    monkeypatch.setattr(Follower, "begin", die)
    produce(installation, [loan(number, f"m{number % 7}", fee="1.00") for number in range(3000)])

    with open_log(installation) as log:
        (graph,) = graphs(installation).values()
        running = open_topology(installation, log, graph, limits=Limits(rows=500, rows_apart=500))
        while running.turn():
            for process in begun:
                process.wait()
        running.close()

    days = {row["member"]: row["loans"] for row in open_live(live_folder(installation.place.root), "days").rows()}
    assert (len(begun), days) == (1, Counter(f"m{number % 7}" for number in range(3000)))


def test_a_writer_whose_table_another_moved_goes_on_from_there(tmp_path: Path) -> None:
    log = told(MemoryLog(), 1)
    first, second = (LiveWriter.open(log.as_log(), "live.loans", tmp_path, SHAPE) for _ in range(2))
    first.turn()
    told(log, 2)
    first.turn()

    second.turn()  # it would take the table back to what it read
    told(log, 3)
    moved = second.turn()

    assert (moved, open_live(tmp_path, "loans").rows()) == (1, [{"member": "m", "loans": 3}])


class FarLog(MemoryLog):
    """What was committed is read cheaply by the process that did."""

    capabilities = replace(EmbeddedLog.capabilities, apart=False)


def following(tmp_path: Path, log: FarLog, *names: str) -> LiveTables:
    for name in names:
        log.ensure(TopicSpec(f"live.{name}", 1, SCHEMA))
    shapes = {f"live.{name}": LiveShape.of(name, SCHEMA, ["member"], version="1") for name in names}
    return LiveTables.open(log.as_log(), tmp_path, shapes, real_world())


def test_rounds_that_are_behind_do_not_wait_for_live_tables_and_the_last_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, goes_on, writing, apply = FarLog(), Event(), Barrier(3), LiveTable.apply
    first, second, last = (((datetime(2026, 1, 1, minute=at, tzinfo=UTC), 1),) for at in range(3))

    def slow(table: LiveTable, *rest: Any) -> None:
        if not goes_on.is_set():
            writing.wait(10)  # both tables are being written, side by side
            goes_on.wait(10)
        apply(table, *rest)

    monkeypatch.setattr(LiveTable, "apply", slow)
    tables = following(tmp_path, log, "loans", "members")
    for name in ("loans", "members"):
        told(log, 1, topic=f"live.{name}")

    assert not tables.turn(worked=True, behind=True, arrived=first)
    assert not tables.turn(worked=True, behind=True, arrived=second)
    writing.wait(10)
    told(log, 2)
    assert (tables.seen, tables.is_through()) == ((), False)
    goes_on.set()

    assert tables.turn(worked=True, behind=False, arrived=last)
    assert (tables.seen, tables.is_through()) == ((*first, *second, *last), True)
    tables.close()
    assert open_live(live_folder(tmp_path), "loans").rows() == [{"member": "m", "loans": 2}]


def test_nothing_is_applied_after_what_a_live_table_could_not_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, goes_on, tries = FarLog(), Event(), list[object]()

    def full(table: LiveTable, *rest: object) -> None:
        tries.append(rest)
        goes_on.wait(10)
        raise DiskFull("full", where=str(table.path))

    monkeypatch.setattr(LiveTable, "apply", full)
    tables = following(tmp_path, log, "loans")
    told(log, 1)

    assert not tables.turn(worked=True, behind=True)
    assert not tables.turn(worked=True, behind=True)
    told(log, 2)
    monkeypatch.setattr(following_module, "wait", lambda those: goes_on.set() or wait(those))  # more was asked for
    with pytest.raises(DiskFull):
        tables.turn(worked=True, behind=False)
    tables.close()

    assert len(tries) == 1
