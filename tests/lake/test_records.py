"""Looking at a lake costs no heavy import and sees what was committed."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from penstock.errors import DiskFull, StorageError
from penstock.lake import records
from penstock.lake.access import open_to_write
from penstock.lake.ledger import ledger_spec
from penstock.lake.records import (
    delete_records,
    exists,
    put_record,
    read_heads,
    read_records,
    read_table_summary,
    stored_records,
)
from tests.lake.lake_shapes import LOANS, append, loans, writing

AT = datetime(2024, 6, 1, tzinfo=UTC)


def test_where_there_is_no_lake_there_is_nothing(tmp_path: Path) -> None:
    assert not exists(tmp_path)
    assert read_heads(tmp_path) == {}
    assert read_records(tmp_path, "release") == []


def test_heads_and_summaries_are_those_of_the_lake(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = append(lake, lease, lake.ensure(LOANS, lease=lease), loans(1, 2), "1")
        lake.ensure(ledger_spec("shop"), lease=lease)
        files = lake.scan(LOANS.name).files
    heads = read_heads(tmp_path)
    assert list(heads) == ["ledger.shop", LOANS.name]
    assert heads[LOANS.name] == head.metadata_location
    summary = read_table_summary(heads[LOANS.name])
    assert (summary.rows, summary.snapshot, summary.files) == (2, head.snapshot_id, 1)
    assert summary.bytes == files[0].bytes
    assert summary.properties["penstock.position.desk"] == "1"
    empty = read_table_summary(heads["ledger.shop"])
    assert (empty.rows, empty.snapshot, empty.files, empty.bytes) == (0, None, 0, 0)


def test_records_of_commits_and_notes_come_back_in_order(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        for number in (2, 10):
            with lake.stage(lease=lease, token=str(number)) as commit:
                commit.record("release", str(number), {"text": "Büro", "number": number})
                commit.apply()
    assert [record["number"] for record in read_records(tmp_path, "release")] == [2, 10]
    put_record(tmp_path, "run", "a", {"state": "begun"}, at=AT)
    put_record(tmp_path, "run", "a", {"state": "done"}, at=AT)
    put_record(tmp_path, "run", "b", {"state": "begun"}, at=AT)
    assert read_records(tmp_path, "run")[0] == {
        "state": "done",
        "key": "a",
        "committed_at": "2024-06-01T00:00:00+00:00",
    }
    delete_records(tmp_path, "run", ["a"])
    assert [record.key for record in stored_records(tmp_path, "run")] == ["b"]


def test_a_full_disk_refuses_a_record_for_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with writing(tmp_path):
        pass

    def full(root: Path) -> sqlite3.Connection:
        connection = open_to_write(root)
        connection.execute("PRAGMA max_page_count = 1")  # as many as there are
        return connection

    monkeypatch.setattr(records, "open_to_write", full)
    with pytest.raises(DiskFull, match="disk is full"):
        put_record(tmp_path, "run", "a", {"state": "x" * 1_000_000}, at=AT)
    monkeypatch.undo()
    put_record(tmp_path, "run", "a", {}, at=AT)
    assert [record.key for record in stored_records(tmp_path, "run")] == ["a"]


def test_a_damaged_catalogue_or_metadata_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_text("no database" * 100)
    with pytest.raises(StorageError, match=r"catalog.db: .*cannot be read"):
        read_heads(tmp_path)
    (tmp_path / "m.json").write_text("{")
    with pytest.raises(StorageError, match=r"m.json: The metadata"):
        read_table_summary(str(tmp_path / "m.json"))


def test_looking_imports_neither_pyiceberg_nor_pyarrow_nor_sqlalchemy() -> None:
    code = (
        "import sys, penstock.lake.records, penstock.lake.table, penstock.lake.ledger;"
        "print({'pyiceberg', 'pyarrow', 'sqlalchemy', 'duckdb'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
