"""Reading ahead changes nothing but the time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from penstock.errors import SourceBusy, SourceError
from penstock.ingest.file import FoundFile
from penstock.ingest.parallel import read_files
from penstock.spec.source import FileFormat
from tests.ingest.ingest_shapes import found, source


def write(folder: Path, count: int) -> list[FoundFile]:
    files = []
    for number in range(count):
        path = folder / f"{number:02}.csv"
        path.write_bytes(b"a\n" + b"%d\n" % number * (number * 7 % 11))
        files.append(found(path))
    return files


def values(files: list[FoundFile], workers: int) -> list[tuple[str, list[str]]]:
    taken = read_files(source(), files, workers=workers, batch_rows=3)
    return [(file.path, batch.rows["a"].to_pylist()) for file, batch in taken]


@pytest.mark.parametrize("workers", [2, 5])
def test_order_and_batches_are_those_of_one_after_the_other(tmp_path: Path, workers: int) -> None:
    files = write(tmp_path, 20)
    assert values(files, workers) == values(files, 1)


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_comes_in_its_place(tmp_path: Path, workers: int) -> None:
    files = write(tmp_path, 6)
    files[3].absolute.write_bytes(b"a\nchanged\n")
    seen = list[str]()
    taken = read_files(source(), files, workers=workers)
    with pytest.raises(SourceBusy, match=r"03\.csv"):
        seen.extend(file.path for file, _ in taken)
    assert [file.path for file, _ in read_files(source(), files[:3], workers=workers)] == ["00.csv", "01.csv", "02.csv"]


def test_closing_early_leaves_no_thread_behind(tmp_path: Path) -> None:
    before = threading.active_count()
    taken = read_files(source(), write(tmp_path, 20), workers=2, batch_rows=1)
    next(taken)
    taken.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_files_far_ahead_are_not_read_yet(tmp_path: Path) -> None:
    files = write(tmp_path, 20)
    files[19].absolute.write_bytes(b"half")
    taken = read_files(source(), files, workers=2)
    assert next(taken)[0].path == "00.csv"
    files[19].absolute.write_bytes(b"a\n" + b"19\n" * (19 * 7 % 11))
    assert sum(1 for _ in taken) == 19


def test_a_broken_file_of_any_format_is_raised_in_the_caller(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"x")
    with pytest.raises(SourceError, match="corrupt"):
        list(read_files(source(format=FileFormat.PARQUET), [found(path)] * 2, workers=2))
