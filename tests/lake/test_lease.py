"""One writer per lease: a second is told who has it, a dead one is forgotten, a zombie is fenced."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event

from penstock.errors import Fenced, LeaseHeld
from penstock.lake.lake import Lake
from penstock.world import LocalDisk
from tests.lake.lake_shapes import LOANS, append, files_below, loans, still_world, writing


def take_over(root: Path) -> None:
    """Take the lease `run` from a living holder, as happens when its lock file is deleted."""
    (root / "locks" / "run.lock").unlink()
    with writing(root):
        pass


def test_a_second_holder_is_told_who_has_it_and_since_when(tmp_path: Path) -> None:
    with writing(tmp_path), Lake.open(tmp_path, still_world()) as other:
        with pytest.raises(LeaseHeld) as refused:
            other.lease("run", holder="another test")
        assert str(refused.value) == (
            f"Another process is writing under run: found a test (pid {os.getpid()}, started 2024-06-01T00:00:00+00:00)."
            " Wait until it has ended, then run again."
        )
        other.lease("another", holder="another test").release()


HOLD = """
import sys, time
from pathlib import Path
from tests.lake.lake_shapes import *
with writing(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_restart_after_sigkill_does_not_wait(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with Lake.open(tmp_path, still_world()) as lake:
            with pytest.raises(LeaseHeld, match=f"pid {process.pid}"):
                lake.lease("run", holder="a test")
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert lake.lease("run", holder="a test").epoch == 2


def test_a_zombie_whose_lease_was_taken_over_changes_nothing(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = append(lake, lease, lake.ensure(LOANS, lease=lease), loans(1), "1")
        before = files_below(tmp_path)
        take_over(tmp_path)
        with pytest.raises(Fenced, match="epoch 1 of a test, found epoch 2 of a test"):
            append(lake, lease, head, loans(2), "2")
        with pytest.raises(Fenced):
            lake.ensure(replace(LOANS, doc="moved"), lease=lease)
        assert lake.head(LOANS.name) == head
        assert files_below(tmp_path) == before


class TakenOverAtTheLastMoment(LocalDisk):
    """Another process takes the lease when everything is written and the transaction is about to begin."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root
        self.armed = False

    @contextmanager
    def transaction(self, name: str, *, synced: bool = True) -> Iterator[None]:
        if self.armed:
            self.armed = False
            take_over(self.root)
        yield


def test_a_zombie_is_fenced_even_when_it_loses_the_lease_just_before_its_transaction(tmp_path: Path) -> None:
    disk = TakenOverAtTheLastMoment(tmp_path)
    with writing(tmp_path, world=replace(still_world(), disk=disk)) as (lake, lease):
        head = lake.ensure(LOANS, lease=lease)
        disk.armed = True
        with pytest.raises(Fenced):
            append(lake, lease, head, loans(1), "1")
        assert lake.head(LOANS.name) == head


def test_the_fence_is_the_first_statement_and_holds_the_write_lock_until_the_commit(tmp_path: Path) -> None:
    """With a transaction that begins later (or a SELECT), another could take the lease in between."""
    statements: list[str] = []
    refusals: list[str] = []
    with writing(tmp_path) as (lake, lease):
        head = lake.ensure(LOANS, lease=lease)

        def watch(*facts: object) -> None:
            statements.append(str(facts[2]).split(" SET ")[0])
            with sqlite3.connect(tmp_path / "catalog.db", timeout=0) as db:
                try:
                    db.execute("UPDATE penstock_lease SET epoch = epoch + 1")
                except sqlite3.OperationalError as error:
                    refusals.append(str(error))
            db.close()

        with lake.stage(lease=lease, token="x") as commit:
            commit.table(head).append(loans(1))
            event.listen(lake.catalog.engine, "after_cursor_execute", watch)
            commit.apply()
            event.remove(lake.catalog.engine, "after_cursor_execute", watch)
    assert statements == ["BEGIN IMMEDIATE", "UPDATE penstock_lease", "UPDATE iceberg_tables"]
    assert refusals == ["database is locked"] * 3
