"""Compressed files stream; bytes that are not those found, or that are cut short, are refused before the last batch."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from penstock.errors import SourceBusy, SourceError
from penstock.ingest.reading import read_file
from penstock.spec.source import FileFormat
from tests.ingest.ingest_shapes import found, read, read_bytes, source

ROWS = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * 7919 % 1000) for n in range(50_000))
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_a_compressed_file_is_read_as_its_content(tmp_path: Path, kind: str) -> None:
    plain = read_bytes(tmp_path, ROWS)
    assert read_bytes(tmp_path, PACK[kind](ROWS), name=f"a.csv.{kind.upper()}") == plain
    assert read_bytes(tmp_path, PACK[kind](ROWS), name="a.bin", source_=source(compression=kind)) == plain


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_parts_joined_are_one_content(tmp_path: Path, kind: str) -> None:
    data = PACK[kind](ROWS[:1000]) + PACK[kind](ROWS[1000:])
    assert len(read_bytes(tmp_path, data, name=f"a.csv.{kind}").rows) == 50_000


@pytest.mark.parametrize("kind", ["gz", "zst"])
@pytest.mark.parametrize("damage", ["cut", "cut by a byte", "flipped", "other"])
def test_a_broken_compressed_file_is_refused_by_name(tmp_path: Path, kind: str, damage: str) -> None:
    data = PACK[kind](ROWS)
    middle = len(data) // 2
    broken = {
        "cut": data[:middle],
        "cut by a byte": data[:-1],
        "flipped": data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :],
        "other": b"a,b\n1,2\n",
    }[damage]
    with pytest.raises(SourceError, match=rf"a\.csv\.{kind}: The compressed file is broken or cut short"):
        read_bytes(tmp_path, broken, name=f"a.csv.{kind}")


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_a_file_that_changed_yields_nothing_that_could_be_its_end(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    pack = gzip.compress if name.endswith("gz") else bytes
    path.write_bytes(pack(ROWS))
    file = found(path)
    path.write_bytes(pack(ROWS + b"1,2\n"))
    batches = read_file(source(), file, batch_rows=30_000)
    assert next(batches).rows.num_rows == 30_000
    with pytest.raises(SourceBusy, match=r"changed while it was read.*Nothing of it was taken"):
        next(batches)


@pytest.mark.parametrize(("name", "format"), [("a.csv.gz", FileFormat.CSV), ("a.json", FileFormat.JSON)])
def test_half_of_a_file_that_is_being_replaced_is_busy_not_broken(
    tmp_path: Path, name: str, format: FileFormat
) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(ROWS))
    file = found(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(SourceBusy):
        list(read_file(source(format=format), file))


def test_a_file_that_grows_between_two_reads_is_busy(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(ROWS * 8)
    batches = read_file(source(), found(path), batch_rows=1000)
    next(batches)
    with open(path, "ab") as stream:
        stream.write(b"x,y\n")
        os.fsync(stream.fileno())
    with pytest.raises(SourceBusy):
        list(batches)


@pytest.mark.parametrize(
    ("format", "head", "row"),
    [
        (FileFormat.CSV, b"a\n", b"1234567\n"),
        (FileFormat.NDJSON, b"", b'{"a":1}\n'),
        (FileFormat.JSON, b"[0", b',{"a":1}'),
    ],
)
def test_rows_come_before_the_file_is_read_to_its_end(
    tmp_path: Path, format: FileFormat, head: bytes, row: bytes
) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(head + row * 500_000)[:-8])
    batches = read_file(source(format=format), found(path), batch_rows=1000)
    assert sum(next(batches).rows.num_rows for _ in range(100)) == 100_000
    with pytest.raises(SourceError):
        list(batches)


def test_a_file_that_is_gone_is_busy(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(ROWS)
    file = found(path)
    path.unlink()
    with pytest.raises(SourceBusy, match="The file is gone"):
        list(read_file(source(), file))


def test_zeros_after_a_gzip_member_are_padding(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a\n1\n") + b"\0" * 512)
    assert read(source(), path).values == [("1",)]
