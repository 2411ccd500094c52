"""A data directory that is used by two, moved, rolled back, or read by others."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
from pyiceberg.catalog.sql import SqlCatalog

from penstock.lake.lake import Lake
from penstock.world import real_world
from tests.flows.command import finish
from tests.flows.library import Library, loan


def catalogue(data: Path) -> SqlCatalog:
    """What anyone with PyIceberg sees."""
    return SqlCatalog("penstock", uri=f"sqlite:///{data / 'catalog.db'}", warehouse=str(data / "lake"))


def test_of_two_runs_at_once_one_wins_and_the_other_names_it(library: Library) -> None:
    """The first is halted in the middle of its work, so that the second surely meets it."""
    library.loans("tuesday", loan(7), loan(8))
    first = library.start("run", signalled=(signal.SIGSTOP, "read loans"))
    os.waitid(os.P_PID, first.pid, os.WSTOPPED | os.WNOWAIT)
    lost = library.call("run").expect(1)
    assert "Another process is writing under run" in lost.err
    assert f"penstock run, process {first.pid} (pid {first.pid}, started " in lost.err
    assert library.call("history", "--json").document["runs"][0]["outcome"] == "running"

    first.send_signal(signal.SIGCONT)
    assert "Release 2 is out." in finish(first).expect(0).out
    assert library.count("silver.loans") == 5
    assert library.run()["outcome"] == "nothing new"


def test_two_runs_that_begin_together_do_the_work_once(library: Library) -> None:
    library.loans("tuesday", loan(7), loan(8))
    both = [finish(process) for process in [library.start("run", "--json"), library.start("run", "--json")]]
    won = [done.document["outcome"] for done in both if done.code == 0]
    assert sorted(won) in (["released"], ["nothing new", "released"])
    refused = [done.expect(1).document["problems"][0]["what"] for done in both if done.code != 0]
    assert all("Another process is writing" in what for what in refused)
    assert (library.count("silver.loans"), library.count("bronze.loans")) == (5, 6)
    assert library.call("status", "--json").document["release"] == 2


def test_a_held_directory_is_refused_and_can_be_read_meanwhile(library: Library) -> None:
    library.loans("tuesday", loan(7))
    with Lake.open(library.data, real_world()) as lake, lake.lease("run", holder="somebody else"):
        done = library.call("run").expect(1)
        assert "somebody else" in done.err
        assert "Wait until it has ended" in done.err
        assert library.count("gold.dim_member") == 2
        assert library.call("status", "--json").expect(0).document["release"] == 1
        library.call("quarantine", "replay", "loans").expect(1)
    assert library.run()["release"] == 2


def test_a_moved_data_directory_is_refused_until_it_is_relocated(library: Library) -> None:
    before = library.gold()
    moved = library.folder / "elsewhere"
    shutil.move(library.data, moved)
    query = ("query", "SELECT count(*) AS n FROM gold.dim_member", "--json")
    there = Moved(library.folder)
    done = there.call(*query).expect(2)
    [problem] = done.document["problems"]
    assert problem["what"].startswith("The data directory was moved")
    assert str(library.data) in problem["expected"]
    there.call("doctor", "--relocate").expect(0)
    assert there.gold() == before
    library.loans("tuesday", loan(7))
    assert there.run()["release"] == 2
    assert there.gold(release=1) == before


class Moved(Library):
    """The library whose data directory was moved."""

    @property
    def data(self) -> Path:
        return self.folder / "elsewhere"


def test_stock_pyiceberg_reads_every_table_with_the_rows_of_the_query(library: Library) -> None:
    tables = library.call("status", "--json").document["tables"]
    stock = catalogue(library.data)
    for table in tables:
        read = stock.load_table(table["name"]).scan().to_arrow()
        assert read.num_rows == table["rows"], table["name"]
    gold = stock.load_table("gold.loans_by_status").scan().to_arrow().sort_by("status").to_pylist()
    stock.engine.dispose()
    assert gold == library.query("SELECT * FROM gold.loans_by_status ORDER BY status")


@pytest.mark.parametrize("remedy", ["--restore", "--adopt"])
def test_a_table_rolled_back_by_hand_stops_the_run_until_doctor_mends_it(library: Library, remedy: str) -> None:
    """Silver goes back one snapshot while its recorded position stays: with `adopt` what is missing is read again."""
    library.loans("tuesday", loan(7), loan(8))
    library.run()
    before = library.gold()
    stock = catalogue(library.data)
    table = stock.load_table("silver.loans")
    newest = table.current_snapshot()
    assert newest is not None
    table.manage_snapshots().set_current_snapshot(snapshot_id=newest.parent_snapshot_id).commit()
    stock.engine.dispose()
    library.loans("wednesday", loan(9))
    assert "silver.loans" in library.call("run").expect(1).err
    examined = library.call("doctor").expect(1).out
    assert "penstock doctor --restore silver.loans" in examined
    assert library.gold() == before  # the release does not mind
    library.call("doctor", remedy, "silver.loans").expect(0)
    library.run()
    assert library.query("SELECT loan_id FROM silver.loans ORDER BY 1") == [{"loan_id": n} for n in "123789"]
