from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.equality import differences


def write(folder: Path, name: str, rows: list[dict[str, object]]) -> None:
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    write(tmp_path / "ours", "sales", [{"id": 1, "line": 5}, {"id": 2, "line": 6}, {"id": 2, "line": 7}])
    return tmp_path / "ours"


def test_order_and_columns_left_out_make_no_difference(ours: Path, tmp_path: Path) -> None:
    write(tmp_path / "other", "sales", [{"id": 2}, {"id": 1}, {"id": 2}])
    assert differences(ours, tmp_path / "other", {"line"}) == []


def test_a_row_too_few_is_found_even_when_its_twin_is_there(ours: Path, tmp_path: Path) -> None:
    write(tmp_path / "other", "sales", [{"id": 1}, {"id": 2}])
    assert differences(ours, tmp_path / "other", {"line"}) == [
        "sales differs: 1 rows are only in the first, 0 only in the second"
    ]


def test_a_missing_column_is_found(ours: Path, tmp_path: Path) -> None:
    write(tmp_path / "other", "sales", [{"id": 1}])
    assert differences(ours, tmp_path / "other") == ["sales has the columns ['line'] in one of them only"]


def test_a_missing_table_is_found(ours: Path, tmp_path: Path) -> None:
    write(tmp_path / "other", "dates", [{"id": 1}])
    assert differences(ours, tmp_path / "other") == ["dates is in one of them only", "sales is in one of them only"]


def test_nothing_is_not_equal_to_nothing(tmp_path: Path) -> None:
    assert differences(tmp_path, tmp_path) == ["there is no table"]
