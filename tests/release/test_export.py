"""An export is a whole file or none."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from penstock.errors import StorageError, UsageError
from penstock.release.export import export, resolve
from penstock.release.reader import Reader, open_reader
from penstock.world import LocalDisk
from tests.release.release_shapes import House, model


@pytest.fixture
def reader(house: House) -> Iterator[Reader]:
    house.silver("loans", [1, 2, 3])
    house.release(model("fact_loans", [1, 2]))
    with open_reader(house.root, house.world) as opened:
        yield opened


@pytest.mark.parametrize(
    ("ending", "content"),
    [("csv", b"n\n1\n2\n"), ("json", b'[\n{"n":1},\n{"n":2}\n]\n'), ("ndjson", b'{"n":1}\n{"n":2}\n')],
)
def test_a_table_is_written_in_the_format_of_the_ending(
    reader: Reader, house: House, tmp_path: Path, ending: str, content: bytes
) -> None:
    to = tmp_path / f"out.{ending}"
    assert export(reader, "gold.fact_loans", to, world=house.world) == 2
    assert to.read_bytes() == content
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [to.name]


def test_parquet_is_readable_by_others(reader: Reader, house: House, tmp_path: Path) -> None:
    export(reader, "fact_loans", tmp_path / "out.parquet", world=house.world)
    assert pq.read_table(tmp_path / "out.parquet").to_pydict() == {"n": [1, 2]}


def test_an_existing_file_is_kept_unless_told_otherwise(reader: Reader, house: House, tmp_path: Path) -> None:
    to = tmp_path / "out.csv"
    to.write_text("mine")
    with pytest.raises(UsageError, match="The file exists"):
        export(reader, "fact_loans", to, world=house.world)
    assert to.read_text() == "mine"
    export(reader, "fact_loans", to, world=house.world, overwrite=True)
    assert to.read_text() == "n\n1\n2\n"


@pytest.mark.parametrize("name", ["out.txt", "out", "nowhere/out.csv"])
def test_a_place_that_cannot_be_written_is_wrong_use(reader: Reader, house: House, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        export(reader, "fact_loans", tmp_path / name, world=house.world)


class FullDisk(LocalDisk):
    def sync(self, *paths: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_nothing_behind(reader: Reader, house: House, tmp_path: Path) -> None:
    world = replace(house.world, disk=FullDisk())
    with pytest.raises(StorageError, match="No space left"):
        export(reader, "fact_loans", tmp_path / "out.csv", world=world)
    assert [path for path in tmp_path.iterdir() if path.is_file()] == []


def test_a_bare_name_means_the_layer_nearest_to_the_user() -> None:
    tables = ["bronze.loans", "quarantine.loans", "silver.loans"]
    assert resolve("loans", tables) == "silver.loans"
    assert resolve("loans", [*tables, "gold.loans"]) == "gold.loans"
    assert resolve("bronze.loans", tables) == "bronze.loans"


def test_an_unknown_table_suggests_a_near_one() -> None:
    with pytest.raises(UsageError, match=r"Did you mean silver\.loans\?"):
        resolve("silver.loan", ["silver.loans"])
