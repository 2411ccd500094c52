"""Several tables move together or not at all, and whoever comes second loses cleanly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from penstock.errors import CommitConflict
from penstock.lake.lake import Lake
from penstock.lake.records import read_records
from tests.lake.lake_shapes import LOANS, RETURNS, append, files_below, loans, read, returns, still_world, writing


def test_tables_positions_and_records_become_visible_together(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        heads = [lake.ensure(spec, lease=lease) for spec in (LOANS, RETURNS)]
        with lake.stage(lease=lease, token="desk:1") as commit:
            assert commit.table(heads[0]).append(loans(1, 2)) == 2
            commit.table(heads[1]).append(returns(7))
            for head in heads:
                commit.table(head).position("desk", "1")
            commit.record("release", "1", {"tables": 2})
            assert lake.heads() == {head.name: head for head in heads}
            moved = commit.apply()
        assert lake.heads() == moved
        assert [lake.position(head, "desk") for head in moved.values()] == ["1", "1"]
        assert [head.summary["penstock.position.desk"] for head in moved.values()] == ["1", "1"]
        assert read_records(tmp_path, "release")[0]["tables"] == 2


def test_a_batch_without_rows_still_makes_a_snapshot(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = append(lake, lease, lake.ensure(LOANS, lease=lease), loans(1), "1")
        after = append(lake, lease, head, None, "2")
        assert after.snapshot_id != head.snapshot_id
        assert after.summary["penstock.token"] == "desk:2"
        assert after.summary["total-records"] == "1"
        assert len(read(lake.scan(LOANS.name))) == 1


def test_a_position_of_one_source_is_carried_on_by_commits_of_another(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = append(lake, lease, lake.ensure(LOANS, lease=lease), loans(1), "4")
        with lake.stage(lease=lease, token="web:1") as commit:
            commit.table(head).position("web", "1")
            head = commit.apply()[LOANS.name]
        assert (lake.position(head, "desk"), lake.position(head, "web")) == ("4", "1")
        assert head.summary["penstock.position.desk"] == "4"


def test_whole_files_are_removed_in_the_commit_that_replaces_their_rows(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = append(lake, lease, lake.ensure(LOANS, lease=lease), loans(1, 2), "1")
        head = append(lake, lease, head, loans(3, month=2), "2")
        january = [file for file in lake.scan(LOANS.name).files if "2024-01" in file.path]
        with lake.stage(lease=lease, token="desk:3") as commit:
            commit.table(head).remove(january)
            commit.table(head).append(loans(2))
            commit.apply()
        assert sorted(row[0] for row in read(lake.scan(LOANS.name))) == [2, 3]


def test_the_same_batch_from_two_writers_is_taken_once(tmp_path: Path) -> None:
    """Both read position 0 and stage batch 1; the second one finds the head moved."""
    with writing(tmp_path, "first") as (lake, lease), writing(tmp_path, "second") as (other, other_lease):
        head = lake.ensure(LOANS, lease=lease)
        stale = other.head(LOANS.name)
        assert stale is not None
        append(lake, lease, head, loans(1), "1")
        before = files_below(tmp_path)
        with pytest.raises(CommitConflict, match=r"silver\.loans: Another writer moved the table"):
            append(other, other_lease, stale, loans(1), "1")
        assert files_below(tmp_path) == before
        assert len(read(other.scan(LOANS.name))) == 1


def test_a_loser_moves_none_of_its_tables(tmp_path: Path) -> None:
    with writing(tmp_path, "first") as (lake, lease), writing(tmp_path, "second") as (other, other_lease):
        heads = [lake.ensure(spec, lease=lease) for spec in (LOANS, RETURNS)]
        append(lake, lease, heads[1], returns(1), "1")
        with other.stage(lease=other_lease, token="x") as commit:
            commit.table(heads[0]).append(loans(1))
            commit.table(heads[1]).append(returns(1))
            commit.record("release", "1", {})
            with pytest.raises(CommitConflict):
                commit.apply()
        assert lake.head(LOANS.name) == heads[0]
        assert read_records(tmp_path, "release") == []


def test_a_record_key_is_used_once(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        for attempt in range(2):
            head = lake.ensure(LOANS, lease=lease)
            with lake.stage(lease=lease, token=str(attempt)) as commit:
                commit.table(head).append(loans(attempt))
                commit.record("release", "1", {"attempt": attempt})
                if attempt == 0:
                    commit.apply()
                else:
                    with pytest.raises(CommitConflict, match="release record"):
                        commit.apply()
        assert [row[0] for row in read(lake.scan(LOANS.name))] == [0]


def test_a_token_tells_whether_an_unknown_commit_took_place(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = append(lake, lease, lake.ensure(LOANS, lease=lease), loans(1), "1", token="desk:0-1")
        assert lake.committed(head, "desk:0-1")
        assert not lake.committed(head, "desk:1-2")


def test_an_abandoned_commit_leaves_no_file(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = lake.ensure(LOANS, lease=lease)
        before = files_below(tmp_path)
        with lake.stage(lease=lease, token="x") as commit:
            commit.table(head).append(loans(1))
            assert files_below(tmp_path) > before
        assert files_below(tmp_path) == before


def test_rows_larger_than_memory_come_in_as_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.lake.datafile.CHUNK_ROWS", 1000)
    batches = (loans(*range(start, start + 300)).to_batches()[0] for start in range(0, 3000, 300))
    with writing(tmp_path) as (lake, lease):
        head = lake.ensure(LOANS, lease=lease)
        with lake.stage(lease=lease, token="x") as commit:
            count = commit.table(head).append(pa.RecordBatchReader.from_batches(loans(0).schema, batches))
            commit.apply()
        assert count == 3000
        assert sorted(row[0] for row in read(lake.scan(LOANS.name))) == list(range(3000))
        assert len(lake.scan(LOANS.name).files) == 3


OPPOSITE = """
import sys
from pathlib import Path
from tests.lake.lake_shapes import *
from penstock.errors import CommitConflict
root, name = Path(sys.argv[1]), sys.argv[2]
with writing(root, name) as (lake, lease):
    heads = lake.heads()
    with lake.stage(lease=lease, token=name) as commit:
        for table in sorted(heads, reverse=name == "backward"):
            commit.table(heads[table]).append(loans(1) if table == LOANS.name else returns(1))
        print("staged", flush=True)
        sys.stdin.readline()
        try:
            commit.apply()
            print("won")
        except CommitConflict:
            print("lost")
"""


def test_of_two_processes_that_commit_the_same_tables_in_opposite_order_exactly_one_wins(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        lake.ensure(LOANS, lease=lease)
        lake.ensure(RETURNS, lease=lease)
    command = [sys.executable, "-c", OPPOSITE, str(tmp_path)]
    root = Path(__file__).parents[2]
    processes = [
        subprocess.Popen([*command, name], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name in ("forward", "backward")
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "staged\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outcomes = [process.communicate()[0] for process in processes]
    assert sorted(outcomes) == ["lost\n", "won\n"]
    with Lake.open(tmp_path, still_world()) as lake:
        assert [len(read(lake.scan(spec.name))) for spec in (LOANS, RETURNS)] == [1, 1]
        assert len(list((tmp_path / "lake").rglob("*.parquet"))) == 2
