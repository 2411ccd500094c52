"""Tables follow their declaration: created, then columns added, renamed and widened by stable id, nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from penstock.errors import DeclarationError
from penstock.lake.table import Partition, TableColumn, TableSpec
from tests.lake.lake_shapes import EVERYTHING, LOANS, append, everything, files_below, loans, read, writing


def changed(spec: TableSpec, number: int, **facts: object) -> TableSpec:
    columns = list(spec.columns)
    columns[number] = replace(columns[number], **facts)  # type: ignore[arg-type]
    return replace(spec, columns=tuple(columns))


def test_a_new_table_is_what_was_declared_and_declaring_it_again_writes_nothing(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = lake.ensure(LOANS, lease=lease)
        before = files_below(tmp_path)
        assert lake.spec(LOANS.name) == LOANS
        assert lake.ensure(LOANS, lease=lease) == head
        assert files_below(tmp_path) == before


@pytest.mark.parametrize("spec", [LOANS, EVERYTHING])
def test_the_map_of_column_ids_is_kept_in_the_table(spec: TableSpec, tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = lake.ensure(spec, lease=lease)
        ids = json.loads(head.properties["penstock.column-ids"])
        assert list(ids) == [column.id for column in spec.columns]
        assert [column.field_id for column in lake.scan(spec.name).columns] == list(ids.values())


def test_every_type_comes_back_as_it_went_in(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = lake.ensure(EVERYTHING, lease=lease)
        append(lake, lease, head, everything(), "1")
        rows = read(lake.scan(EVERYTHING.name))
    assert rows == [tuple(row.values()) for row in everything().to_pylist()]


def test_a_renamed_an_added_and_a_widened_column_keep_the_rows_written_before(tmp_path: Path) -> None:
    spec = replace(
        changed(changed(LOANS, 1, name="borrower"), 2, type="decimal(12,2)"),
        columns=(
            *changed(changed(LOANS, 1, name="borrower"), 2, type="decimal(12,2)").columns,
            TableColumn("loan.shelf", "shelf", "string"),
        ),
    )
    with writing(tmp_path) as (lake, lease):
        append(lake, lease, lake.ensure(LOANS, lease=lease), loans(1), "1")
        lake.ensure(spec, lease=lease)
        scan = lake.scan(LOANS.name)
        assert [column.name for column in scan.columns] == ["loan", "borrower", "fee", "lent_at", "shelf"]
        assert [row[:3] + row[4:] for row in read(scan)] == [(1, "Reader 1", Decimal("1.50"), None)]


def test_only_columns_that_never_changed_are_read_by_name(tmp_path: Path) -> None:
    spec = changed(changed(LOANS, 1, name="borrower"), 2, type="decimal(12,2)")
    spec = replace(spec, columns=(*spec.columns, TableColumn("loan.shelf", "shelf", "string")))
    with writing(tmp_path) as (lake, lease):
        lake.ensure(LOANS, lease=lease)
        assert all(column.everywhere for column in lake.scan(LOANS.name).columns)
        lake.ensure(spec, lease=lease)
        steady = [column.name for column in lake.scan(LOANS.name).columns if column.everywhere]
    assert steady == ["loan", "lent_at"]


def test_a_name_that_two_columns_had_one_after_the_other_is_not_read_by_name(tmp_path: Path) -> None:
    first = TableSpec("silver.notes", (TableColumn("a", "note", "string"), TableColumn("b", "remark", "string")))
    then = replace(
        first, columns=(TableColumn("a", "old", "string"), *first.columns[1:], TableColumn("c", "Note", "string"))
    )
    with writing(tmp_path) as (lake, lease):
        lake.ensure(first, lease=lease)
        lake.ensure(then, lease=lease)
        assert [column.name for column in lake.scan(first.name).columns if column.everywhere] == ["remark"]


def test_a_column_renamed_to_the_old_name_of_another_takes_its_own_values(tmp_path: Path) -> None:
    """Names swap, ids do not: reading by name would mix the columns."""
    spec = TableSpec("silver.pairs", (TableColumn("a", "left", "string"), TableColumn("b", "right", "string")))
    swapped = replace(spec, columns=(TableColumn("a", "right", "string"), TableColumn("b", "left", "string")))
    with writing(tmp_path) as (lake, lease):
        append(lake, lease, lake.ensure(spec, lease=lease), pa.table({"left": ["A"], "right": ["B"]}), "1")
        head = lake.ensure(swapped, lease=lease)
        append(lake, lease, head, pa.table({"left": ["b"], "right": ["a"]}), "2")
        assert [column.name for column in lake.scan(spec.name).columns] == ["right", "left"]
        assert sorted(read(lake.scan(spec.name))) == [("A", "B"), ("a", "b")]


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (changed(LOANS, 0, type="string"), "type of column loan cannot change"),
        (changed(LOANS, 2, type="decimal(6,2)"), "type of column fee cannot change"),
        (changed(LOANS, 2, type="decimal(12,3)"), "type of column fee cannot change"),
        (changed(LOANS, 2, required=True), "cannot become required"),
        (changed(LOANS, 0, personal=True), "became personal after"),
        (changed(LOANS, 0, id="other"), "new and required"),
        (replace(LOANS, columns=LOANS.columns[:1] + LOANS.columns[2:]), "no longer declared"),
        (replace(LOANS, partitions=()), "partitioning of a table cannot change"),
        (replace(LOANS, partitions=(Partition("lent_at", "day"),)), "partitioning of a table cannot change"),
    ],
)
def test_any_other_difference_is_refused(spec: TableSpec, sentence: str, tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = append(lake, lease, lake.ensure(LOANS, lease=lease), loans(1), "1")
        with pytest.raises(DeclarationError, match=sentence):
            lake.ensure(spec, lease=lease)
        assert lake.head(LOANS.name) == head


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (replace(LOANS, partitions=(Partition("reader", "identity"),)), "personal"),
        (replace(LOANS, partitions=(Partition("shelf", "identity"),)), "names no column"),
        (replace(LOANS, partitions=(Partition("loan", "month"),)), "cannot be partitioned by month"),
        (changed(LOANS, 1, name="LOAN"), "name stands twice"),
        (changed(LOANS, 1, id="loan.id"), "id stands twice"),
        (changed(LOANS, 1, type="varchar"), "type is not known"),
    ],
)
def test_a_declaration_that_cannot_be_is_refused(spec: TableSpec, sentence: str, tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease), pytest.raises(DeclarationError, match=sentence):
        lake.ensure(spec, lease=lease)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (loans(1).drop_columns("fee"), "do not have the columns"),
        (loans(1).append_column("extra", pa.array([1])), "do not have the columns"),
        (loans(1).set_column(0, "loan", pa.array([None], pa.int64())), "required column holds null"),
        (loans(1).set_column(0, "loan", pa.array(["x"])), "do not fit"),
        (loans(1).set_column(2, "fee", pa.array([Decimal("1.505")])), "do not fit"),
    ],
)
def test_rows_that_do_not_fit_are_refused_and_leave_nothing(rows: pa.Table, sentence: str, tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = lake.ensure(LOANS, lease=lease)
        before = files_below(tmp_path)
        with pytest.raises(DeclarationError, match=sentence):
            append(lake, lease, head, rows, "1")
        assert files_below(tmp_path) == before
