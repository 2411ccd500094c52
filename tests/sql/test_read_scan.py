"""Columns are found by their id in the file, never by name or place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from penstock.lake.table import DeleteFile
from penstock.sql.connection import connect
from penstock.sql.scan import read_scan


@dataclass(frozen=True)
class Field:
    field_id: int
    name: str
    duckdb_type: str
    everywhere: bool = False


@dataclass(frozen=True)
class File:
    path: str
    rows: int
    deletes: tuple[DeleteFile, ...] = ()
    only: tuple[DeleteFile, ...] = ()


def write(path: Path, **columns: tuple[int, pa.Array]) -> str:
    schema = pa.schema(
        [pa.field(name, array.type, metadata={"PARQUET:field_id": str(id)}) for name, (id, array) in columns.items()]
    )
    pq.write_table(pa.table([array for _, array in columns.values()], schema=schema), path)
    return str(path)


def at(*paths: str) -> list[File]:
    return [File(path, rows=1) for path in paths]


def test_a_renamed_and_an_added_column_are_read_by_id(tmp_path: Path) -> None:
    old = write(tmp_path / "old's.parquet", qty=(1, pa.array([1, 2])), note=(2, pa.array(["x", "y"])))
    new = write(
        tmp_path / "new.parquet", note=(2, pa.array(["z"])), quantity=(1, pa.array([3])), e=(3, pa.array([0.5]))
    )
    sql = read_scan(at(old, new), [Field(3, "extra", "DOUBLE"), Field(1, "quantity", "BIGINT")])
    rows = connect().execute(f"{sql} ORDER BY quantity").fetchall()
    assert rows == [(None, 1), (None, 2), (0.5, 3)]


def test_a_column_that_swapped_names_with_another_keeps_its_values(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", a=(1, pa.array([1])), b=(2, pa.array([2])))
    assert connect().execute(read_scan(at(file), [Field(1, "b", "BIGINT"), Field(2, "a", "BIGINT")])).fetchall() == [
        (1, 2)
    ]


def test_columns_that_are_everywhere_are_read_the_same_whatever_else_a_file_has(tmp_path: Path) -> None:
    folder = tmp_path / "a=7"
    folder.mkdir()
    old = write(folder / "old.parquet", gone=(9, pa.array([0])), a=(1, pa.array([1])), b=(2, pa.array(["x"])))
    new = write(folder / "new.parquet", b=(2, pa.array(["y"])), a=(1, pa.array([2])), more=(3, pa.array([0.5])))
    columns = [Field(2, "b", "VARCHAR"), Field(1, "a", "BIGINT")]

    by_name = read_scan(at(old, new), [replace(column, everywhere=True) for column in columns], origin="_path")

    rows = connect().execute(f"{by_name} ORDER BY a").fetchall()
    assert rows == [("x", 1, old), ("y", 2, new)]
    assert rows == connect().execute(f"{read_scan(at(old, new), columns, origin='_path')} ORDER BY a").fetchall()


def test_no_files_are_an_empty_relation_with_names_and_types() -> None:
    found = connect().execute(read_scan([], [Field(1, "a b", "DECIMAL(10,2)"), Field(2, "t", "TIMESTAMPTZ")]))
    assert [(name, str(kind)) for name, kind, *_ in found.description] == [
        ("a b", "DECIMAL(10,2)"),
        ("t", "TIMESTAMP WITH TIME ZONE"),
    ]
    assert found.fetchall() == []


def test_the_origin_is_the_file_of_a_row_even_beside_a_column_called_filename(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{name}.parquet", filename=(1, pa.array([name]))) for name in ("a", "b")]
    sql = read_scan(at(*files), [Field(1, "filename", "VARCHAR")], origin="_path")
    assert sorted(connect().execute(sql).fetchall()) == [("a", files[0]), ("b", files[1])]
    empty = connect().execute(read_scan([], [Field(1, "filename", "VARCHAR")], origin="_path"))
    assert [column[0] for column in empty.description] == ["filename", "_path"]
