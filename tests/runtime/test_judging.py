"""The gate looks for keys in the files that may hold them, and in all that it did not write itself."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.lake.table import DataFile, Scan
from penstock.load import near
from penstock.runtime.judging import rows_near
from penstock.sql.connection import connect
from penstock.sql.scan import read_scan
from tests.load.test_near import BY_TITLE, COLUMNS, KEYS, rows_of, written


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near, "MANY", 0)


def own(folder: Path, number: int) -> Path:
    return folder / f"{number:032x}-00000.parquet"


def found(files: list[DataFile], keys: list[tuple[str, str]]) -> list[tuple[str, str]]:
    with connect(threads=1) as connection:
        connection.register("listed", rows_of(keys))
        connection.execute("CREATE TEMP TABLE keys AS FROM listed")
        scan = rows_near(connection, BY_TITLE, Scan("silver.loans", 1, tuple(files), COLUMNS), "keys")
        return connection.execute(f"{read_scan(scan.files, scan.columns)} ORDER BY ALL").fetchall()


@settings(max_examples=60, deadline=None)
@given(files=st.lists(KEYS, min_size=1, max_size=3), keys=KEYS)
def test_every_row_with_one_of_the_keys_is_found(files, keys) -> None:
    with TemporaryDirectory() as folder:
        given = [written(own(Path(folder), number), held) for number, held in enumerate(files)]
        rows = found(given, keys)
    for key in keys:
        assert rows.count(key) == sum(held.count(key) for held in files)


def test_a_file_of_another_engine_may_hold_every_key_whatever_its_footer_tells(tmp_path: Path) -> None:
    ours = written(own(tmp_path, 1), [("x", "1")])
    foreign = written(tmp_path / "part-0.parquet", [("x", "2")])
    assert found([ours, foreign], [("x", "9")]) == [("x", "2")]
    assert found([ours], [("x", "9")]) == []
