"""Values of personal columns stand in no bound: neither in Iceberg's metadata nor in Parquet's statistics."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from penstock.lake.table import TableSpec
from tests.lake.lake_shapes import LOANS, append, loans, read, writing
from tests.lake.plain_reader import read_avro

PERSONAL = b"Reader 7"


def renamed(spec: TableSpec) -> TableSpec:
    columns = [replace(column, name="borrower") if column.personal else column for column in spec.columns]
    return replace(spec, columns=tuple(columns))


def metadata_files(root: Path) -> list[bytes]:
    """What stands in JSON and Avro, decompressed."""
    texts = [path.read_bytes() for path in (root / "lake").rglob("*.json")]
    return texts + [repr(read_avro(str(path))).encode() for path in (root / "lake").rglob("*.avro")]


def statistics(root: Path) -> dict[str, bool]:
    found = {}
    for path in (root / "lake").rglob("*.parquet"):
        group = pq.read_metadata(path).row_group(0)
        for place in range(group.num_columns):
            column = group.column(place)
            found[column.path_in_schema] = column.statistics is not None and column.statistics.has_min_max
    return found


def test_a_personal_column_has_no_bounds_and_others_have(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        append(lake, lease, lake.ensure(LOANS, lease=lease), loans(7), "1")
        assert read(lake.scan(LOANS.name))[0][1] == "Reader 7"
    assert not any(PERSONAL in text for text in metadata_files(tmp_path))
    assert statistics(tmp_path) == {"loan": True, "reader": False, "fee": True, "lent_at": True}


def test_a_renamed_personal_column_still_has_no_bounds(tmp_path: Path) -> None:
    """The setting that other writers read goes by name, so it is renamed in the same commit."""
    with writing(tmp_path) as (lake, lease):
        lake.ensure(LOANS, lease=lease)
        head = lake.ensure(renamed(LOANS), lease=lease)
        assert head.properties["write.metadata.metrics.column.borrower"] == "none"
        assert "write.metadata.metrics.column.reader" not in head.properties
        rows = loans(7).rename_columns(["loan", "borrower", "fee", "lent_at"])
        append(lake, lease, head, rows, "1")
    assert not any(PERSONAL in text for text in metadata_files(tmp_path))
    assert not statistics(tmp_path)["borrower"]
