"""Stock PyIceberg, with its own FileIO, opens the catalogue and reads the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table

from penstock.lake.table import TableColumn, TableSpec
from tests.lake.lake_shapes import (
    EVERYTHING,
    LOANS,
    RETURNS,
    append,
    everything,
    loans,
    read,
    returns,
    row_hash,
    writing,
)


@contextmanager
def stock(root: Path) -> Iterator[SqlCatalog]:
    catalog = SqlCatalog("penstock", uri=f"sqlite:///{root / 'catalog.db'}")
    yield catalog
    catalog.engine.dispose()


def stock_hash(table: Table, snapshot_id: int | None = None) -> str:
    rows = table.scan(snapshot_id=snapshot_id).to_arrow().to_pylist()
    return row_hash([tuple(row.values()) for row in rows])


def test_it_lists_namespaces_and_tables(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease), stock(tmp_path) as catalog:
        for spec in (LOANS, RETURNS):
            lake.ensure(spec, lease=lease)
        assert catalog.list_namespaces() == [("silver",)]
        assert sorted(catalog.list_tables("silver")) == [("silver", "loans"), ("silver", "returns")]


@pytest.mark.parametrize(("spec", "rows"), [(LOANS, loans(1, 2)), (RETURNS, returns(5)), (EVERYTHING, everything())])
def test_it_reads_equal_rows(spec: TableSpec, rows: pa.RecordBatch, tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease), stock(tmp_path) as catalog:
        append(lake, lease, lake.ensure(spec, lease=lease), rows, "1")
        table = catalog.load_table(spec.name)
        assert stock_hash(table) == row_hash(read(lake.scan(spec.name)))
        assert table.scan().count() == rows.num_rows
        assert "py-io-impl" not in table.properties


def test_it_reads_equal_rows_after_renames_merges_and_removals(tmp_path: Path) -> None:
    columns = (
        LOANS.columns[0],
        replace(LOANS.columns[1], name="borrower"),
        replace(LOANS.columns[2], type="decimal(20,2)"),
        LOANS.columns[3],
        TableColumn("shelf", "shelf", "list<string>"),
    )
    spec = replace(LOANS, columns=columns)
    with writing(tmp_path) as (lake, lease), stock(tmp_path) as catalog:
        head = lake.ensure(LOANS, lease=lease)
        for number in range(25):
            head = append(lake, lease, head, loans(number, month=1 + number % 3), str(number))
        early = head.snapshot_id
        head = lake.ensure(spec, lease=lease)
        with lake.stage(lease=lease, token="x") as commit:
            change = commit.table(head)
            change.remove(lake.scan(LOANS.name).files[::2])
            change.position("desk", "25")
            commit.apply()
        table = catalog.load_table(LOANS.name)
        assert stock_hash(table) == row_hash(read(lake.scan(LOANS.name)))
        assert stock_hash(table, early) == row_hash(read(lake.scan(LOANS.name, snapshot_id=early)))
        assert len(read(lake.scan(LOANS.name))) == 12


def test_it_finds_rows_by_partition_and_by_bounds(tmp_path: Path) -> None:
    """Values and bounds that we compute ourselves must not hide rows from another planner."""
    with writing(tmp_path) as (lake, lease), stock(tmp_path) as catalog:
        head = lake.ensure(LOANS, lease=lease)
        for month in (1, 2, 3):
            head = append(lake, lease, head, loans(month, month + 10, month=month), str(month))
        table = catalog.load_table(LOANS.name)
        february = "lent_at >= '2024-02-01T00:00:00+00:00' and lent_at < '2024-03-01T00:00:00+00:00'"
        plan = list(table.scan(row_filter=february).plan_files())
        assert [task.file.record_count for task in plan] == [2]
        assert len(list(table.scan(row_filter="loan = 12").plan_files())) == 2  # the files 2..12 and 3..13
        assert table.scan(row_filter="reader = 'Reader 13'").to_arrow()["loan"].to_pylist() == [13]
